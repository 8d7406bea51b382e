#!/usr/bin/env python3
"""What may be installed: the locks, judged without a network.

A lock is universal: markers choose the pins for each Python. So most tests
here ask what a lock means on one Python and one system. Whether the wheels
exist that Ubuntu 18.04 can load, only the index knows: ``make lock`` and
``.ci/run`` ask it.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List

import pytest
import tomli
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
STACKS = ("sqlalchemy13", "sqlalchemy2")
LOCKS = ("bootstrap", "sqlalchemy13", "sqlalchemy13-dev", "sqlalchemy2",
         "sqlalchemy2-dev")
PYTHONS = ("3.7.5", "3.7.16", "3.8.18", "3.9.18", "3.10.13", "3.11.7",
           "3.12.1", "3.13.0")
PIN = re.compile(r"[a-z0-9.-]+==[a-z0-9.]+( ; [^\\#@]+)?"
                 r"( --hash=sha256:[0-9a-f]{64})+")


@lru_cache(maxsize=None)
def logical_lines(lock: str) -> List[str]:
    """Return a lock's requirements, each with its hashes, in one line."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")
    joined = text.replace("\\\n", " ")
    lines = (" ".join(line.split()) for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def environment(python: str, platform: str = "linux",
                machine: str = "x86_64") -> Dict[str, str]:
    """Return what markers ask for of a Python on a machine."""
    return {
        "implementation_name": "cpython",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": platform,
    }


@lru_cache(maxsize=None)
def pins(lock: str, python: str, platform: str = "linux",
         machine: str = "x86_64") -> Dict[str, str]:
    """Return what a lock installs there, as versions by package name."""
    there = environment(python, platform, machine)
    found: Dict[str, str] = {}
    for line in logical_lines(lock):
        requirement = Requirement(line.partition(" --hash=")[0])
        marker = requirement.marker
        if marker is None or marker.evaluate(there):
            assert requirement.name not in found, "two pins for one Python"
            found[requirement.name] = str(requirement.specifier)[2:]
    return found


def project() -> Dict[str, Any]:
    """Return the project table of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table: Dict[str, Any] = tomli.loads(text)["project"]
    return table


def unmet(requirements: List[str], locked: Dict[str, str],
          python: str) -> List[str]:
    """Return the requirements on that Python that the pins do not satisfy.
    """
    parsed = [Requirement(text) for text in requirements]
    return [
        str(wanted) for wanted in parsed
        if (wanted.marker is None
            or wanted.marker.evaluate(environment(python)))
        and not wanted.specifier.contains(
            locked.get(wanted.name.lower().replace("_", "-"), "0"))
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_one_exact_version_with_hashes(lock: str) -> None:
    """Neither a range nor a pin without a hash gets into a lock."""
    lines = logical_lines(lock)
    assert len(lines) > 2
    assert [line for line in lines if not PIN.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_path(lock: str) -> None:
    """A lock holds for every mirror and was made on no one's machine."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")
    header = "".join(line for line in text.splitlines() if line[:1] == "#")
    assert "/" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    assert header.endswith("make lock")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("stack", STACKS)
def test_tests_run_on_what_is_served(stack: str, python: str) -> None:
    """The dev lock has every pin of the run lock, on Linux and on macOS."""
    for platform in ("linux", "darwin"):
        served = pins(stack, python, platform)
        tested = pins(f"{stack}-dev", python, platform)
        assert served.items() <= tested.items()


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("stack", STACKS)
def test_the_pins_are_what_the_project_asks_for(
        stack: str, python: str) -> None:
    """All bounds of pyproject.toml hold, those of the extras included."""
    table = project()
    extras = table["optional-dependencies"]
    served = pins(stack, python)
    assert unmet(table["dependencies"] + extras["postgres"]
                 + extras["redis"], served, python) == []
    assert unmet(
        extras["dev"], pins(f"{stack}-dev", python), python) == []
    assert "python-dotenv" in served


@pytest.mark.parametrize("python", PYTHONS)
def test_each_stack_has_its_sqlalchemy(python: str) -> None:
    """The default is 1.3.24 on every Python, and the other is a 2.0."""
    assert pins("sqlalchemy13", python)["sqlalchemy"] == "1.3.24"
    assert pins("sqlalchemy2", python)["sqlalchemy"].startswith("2.0.")


@pytest.mark.parametrize("stack", STACKS)
def test_only_linux_is_given_psycopg2(stack: str) -> None:
    """Elsewhere it might have to be built, which takes PostgreSQL's own."""
    for python in PYTHONS:
        assert "psycopg2-binary" in pins(stack, python)
        assert "psycopg2-binary" not in pins(stack, python, "darwin")


@pytest.mark.parametrize("stack", STACKS)
def test_python_3_7_has_the_last_versions_made_for_it(stack: str) -> None:
    """Nobody publishes more for 3.7: whatever moves here is a mistake."""
    served = pins(stack, "3.7.16")
    tested = pins(f"{stack}-dev", "3.7.16")
    assert served["bcrypt"] == "4.2.1"
    assert served["flask"] == "2.2.5"
    assert served["werkzeug"] == "2.2.3"
    assert tested["mypy"] == "1.4.1"
    assert tested["pycodestyle"] == "2.5.0"


@pytest.mark.parametrize("stack", STACKS)
def test_newer_pythons_have_the_bcrypt_of_today(stack: str) -> None:
    """Version 5 raises where 4 truncates: both are met by the suite."""
    for python in PYTHONS[2:]:
        assert pins(stack, python)["bcrypt"].startswith("5.")


@pytest.mark.parametrize("stack", STACKS)
def test_granian_is_where_it_need_not_be_built(stack: str) -> None:
    """Elsewhere it would take a compiler for Rust to install Vestibule."""
    for python in PYTHONS:
        is_new = python.startswith("3.1")
        assert ("granian" in pins(stack, python)) == is_new
        assert ("granian" in pins(
            stack, python, machine="aarch64")) == is_new
        assert "granian" not in pins(stack, python, machine="ppc64le")


@pytest.mark.parametrize("python", PYTHONS)
def test_the_bootstrap_brings_what_builds_from_source(python: str) -> None:
    """SQLAlchemy 1.3.24 has no wheel for 3.10 and newer."""
    bootstrap = pins("bootstrap", python)
    assert {"pip", "setuptools", "wheel"} <= set(bootstrap)
    assert int(bootstrap["pip"].partition(".")[0]) >= 24
