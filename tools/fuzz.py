#!/usr/bin/env python3
"""What `make fuzz` runs: the tests that make requests up, at great length.

Each step says when it begins and how long it may take at most, shows its
tests as they pass, and is ended when its time is over. All steps run even if
an earlier one failed.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from typing import List, NamedTuple, Sequence, Tuple

MISSING = (
    "fuzz: schemathesis, which makes requests up from openapi.json, is not "
    "installed here and its step is left out: it comes with SQLAlchemy 2 on "
    "Python 3.12 and newer, as in: make fuzz PYTHON=python3.13 "
    "STACK=sqlalchemy2")
SIGN_OF_LIFE_SECONDS = 30


class Step(NamedTuple):
    """Tests that belong together, and how long they may take."""

    name: str
    minutes: float
    files: Tuple[str, ...]


STEPS = (
    Step("fields and bytes", 12, ("tests/web/test_every_field.py",)),
    Step("headers", 8, ("tests/web/test_any_header.py",)),
    Step("memory", 8, ("tests/web/test_no_growth.py",)),
    Step("both databases", 12, ("tests/web/test_same_on_all.py",)))
SCHEMATHESIS = Step("the API document", 20, ("tests/features/test_fuzz.py",))


def main(arguments: Sequence[str]) -> int:
    """Run every step with these arguments for pytest; 1 if one failed."""
    installed = importlib.util.find_spec("schemathesis") is not None
    return run_all(steps(installed), arguments)


def steps(installed: bool) -> List[Step]:
    """Return the steps; schemathesis may not be installed, and that is told.
    """
    if installed:
        return [*STEPS, SCHEMATHESIS]
    say(MISSING)
    return list(STEPS)


def run_all(wanted: Sequence[Step], arguments: Sequence[str]) -> int:
    """Run the steps one after the other; return 1 if one failed, else 0."""
    most = sum(step.minutes for step in wanted)
    say(f"fuzz: {len(wanted)} steps, {most:g} minutes at most")
    failed = [step.name for step in wanted if not run(step, arguments)]
    say(f"fuzz: failed: {', '.join(failed)}" if failed
        else "fuzz: nothing was found.")
    return 1 if failed else 0


def run(step: Step, arguments: Sequence[str]) -> bool:
    """Run a step, with a sign of life now and then; say if all is well."""
    say(f"fuzz: {step.name}, {step.minutes:g} minutes at most")
    begun = time.monotonic()
    process = subprocess.Popen(command(step, arguments),
                               start_new_session=True)
    try:
        while True:
            passed = time.monotonic() - begun
            left = step.minutes * 60 - passed
            if left <= 0:
                say(f"fuzz: {step.name} did not end in time")
                return False
            try:
                return process.wait(min(left, SIGN_OF_LIFE_SECONDS)) == 0
            except subprocess.TimeoutExpired:
                say(f"fuzz: {step.name}, {int(passed) + 1} s so far")
    finally:
        end(process)


def command(step: Step, arguments: Sequence[str]) -> List[str]:
    """Return how a step is run."""
    return [sys.executable, "-m", "pytest", "--fuzz", "-v", "--tb=short",
            *step.files, *arguments]


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a step with all that it started; PostgreSQL gets to stop itself.
    """
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(SIGN_OF_LIFE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
