#!/usr/bin/env python3
"""What `make check` runs: style, types and the rules of the architecture.

Every check runs even if an earlier one failed, so that one run shows all
that is wrong.
"""

import subprocess
import sys
from pathlib import Path

from tests.support.source_tree import Tree

ROOT = Path(__file__).resolve().parent.parent
NEWEST_FOR_PYCODESTYLE = (3, 11)


def main() -> int:
    """Run the three checks and return 1 if one of them failed, else 0."""
    results = [check_style(), check_types(), check_architecture()]
    return 0 if all(results) else 1


def check_style() -> bool:
    """Run pycodestyle with its default settings over all our Python.

    Version 2.5 takes the f-strings of Python 3.12 and newer for code, so
    that what it says there means nothing: it is skipped, and says so.
    """
    if sys.version_info[:2] > NEWEST_FOR_PYCODESTYLE:
        print("check: pycodestyle 2.5 misreads f-strings on Python 3.12 and "
              "newer and is left out here; make check PYTHON=python3.7 runs "
              "it.", flush=True)
        return True
    files = sorted(source.path for source in Tree(ROOT).sources)
    print(f"check: pycodestyle, {len(files)} files", flush=True)
    return run_module("pycodestyle", "--config=", *files)


def check_types() -> bool:
    """Run mypy, which finds its settings and files in pyproject.toml."""
    print("check: mypy", flush=True)
    return run_module("mypy")


def check_architecture() -> bool:
    """Run the tests that hold the import rule, the limits and the words."""
    print("check: architecture", flush=True)
    return run_module(
        "pytest", "-q", "--no-postgresql", "tests/test_architecture.py")


def run_module(*command: str) -> bool:
    """Run ``python -m`` something and tell whether it was content."""
    return subprocess.call([sys.executable, "-m", *command]) == 0


if __name__ == "__main__":
    sys.exit(main())
