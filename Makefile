# Vestibule's commands; `make help` lists them. GNU make 3.81 is enough.

PYTHON ?= python3
STACK ?= sqlalchemy13
ARGS ?=

# tools/with-venv reads these two.
export PYTHON STACK

.DEFAULT_GOAL := help
.PHONY: help run test check fuzz soak bench lock clean

help:
	@echo 'make run      start the service on http://127.0.0.1:5000, with the'
	@echo '              settings of a developer and those of .env'
	@echo 'make test     run the tests'
	@echo 'make check    check style, types and architecture'
	@echo 'make fuzz     look for faults at length, with requests made up'
	@echo 'make soak     load a service for an hour, and hunt in its cache'
	@echo 'make bench    measure speed here, in three minutes once it is built'
	@echo 'make lock     make the locks anew (needs uv)'
	@echo 'make clean    remove what the other targets made, but no database'
	@echo
	@echo 'PYTHON=python3.7    a Python, 3.7 or newer, instead of python3'
	@echo 'STACK=sqlalchemy2   SQLAlchemy 2.0 instead of 1.3.24'
	@echo 'ARGS="-k session"   arguments for pytest or, as in ARGS=--upgrade,'
	@echo '                    for uv'
	@echo
	@echo 'PYTHON and STACK may be environment variables, too.'

run:
	@exec tools/with-venv run python tools/run.py

test:
	@exec tools/with-venv dev python -m pytest $(ARGS)

check:
	@exec tools/with-venv dev python -m tools.check

fuzz:
	@exec tools/with-venv dev python -m tools.fuzz $(ARGS)

bench:
	@exec $(PYTHON) -m benchmarks quick $(ARGS)

soak:
	@exec tools/with-venv dev python -m tools.soak $(ARGS)

lock:
	@exec tools/lock $(ARGS)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .hypothesis build dist *.egg-info
	find vestibule tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} +
