#!/usr/bin/env python3
"""Builds what is measured into the work folder, and finds Pythons."""

import functools
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, Optional, Sequence

from benchmarks.machine import ROOT

REQUIREMENTS = ROOT / "benchmarks" / "requirements"
LOCKS = ROOT / "locks"
BETTER_AUTH = ROOT / "benchmarks" / "peers" / "better_auth"
# The first that is found; the peers run on none that is older.
MODERN = ("3.11", "3.13", "3.12", "3.10")
OLD = "3.7"
CAN_MAKE_ENVIRONMENTS = """
import ensurepip, sys, venv
if "%d.%d" % sys.version_info[:2] != sys.argv[1]:
    sys.exit(1)
print(sys.executable)
"""


class CannotBuild(Exception):
    """Something to be measured cannot be had; the text says why."""


@functools.lru_cache(maxsize=None)
def find_python(version: str) -> Optional[str]:
    """Return a Python of this version that can make environments.

    It is looked for as the one that runs this, on PATH and in pyenv.
    """
    for candidate in (sys.executable, f"python{version}",
                      *_of_pyenv(version)):
        done = _quietly(candidate, "-c", CAN_MAKE_ENVIRONMENTS, version)
        if done:
            return done
    return None


def modern_python() -> Optional[str]:
    """Return the Python that the peers run on, and we beside them."""
    for version in MODERN:
        found = find_python(version)
        if found:
            return found
    return None


def missing_programs(*names: str) -> List[str]:
    """Return those programs that are not on PATH."""
    return [name for name in names if shutil.which(name) is None]


class Workshop:
    """Makes environments, each once, and again when its pins change."""

    def __init__(self, work: Path, modern: Optional[str] = None) -> None:
        """Build in this folder, with this Python or the one found."""
        self.work = work
        self.log = work / "build.log"
        self._modern = modern
        work.mkdir(parents=True, exist_ok=True)

    @property
    def python(self) -> str:
        """The modern Python; raises ``CannotBuild`` where there is none."""
        if self._modern is None:
            self._modern = modern_python()
        if self._modern is None:
            raise CannotBuild(
                f"none of Python {', '.join(sorted(MODERN))} is found")
        return self._modern

    def environment(self, name: str) -> Path:
        """Return where the programs of a requirement file are installed."""
        pins = REQUIREMENTS / f"{name}.txt"
        return self._environment(
            name, self.python, [["-r", str(pins)]], [pins])

    def ours(self, version: Optional[str] = None) -> Path:
        """Return where our service is installed, as our own locks say.

        It is for one version of Python, or for the modern one. The
        environments that ``make`` makes are left alone.
        """
        python = find_python(version) if version else self.python
        if python is None:
            raise CannotBuild(f"Python {version} is not found")
        bootstrap, lock = LOCKS / "bootstrap.txt", LOCKS / "sqlalchemy13.txt"
        options = ["--no-build-isolation", "--use-pep517"]
        return self._environment(
            f"vestibule-{version or 'modern'}", python, [
                ["-r", str(bootstrap)], [*options, "-r", str(lock)],
                [*options, "--no-deps", "-e", str(ROOT)]],
            [bootstrap, lock, ROOT / "pyproject.toml"])

    def _environment(self, name: str, python: str,
                     installs: Sequence[Sequence[str]],
                     made_from: Sequence[Path]) -> Path:
        """Make an environment by calls of pip, unless it is there."""
        folder = self.work / "environments" / name
        stamp = folder / "made-from"
        wanted = _digest(python.encode(), str(ROOT).encode(), *(
            file.read_bytes() for file in made_from))
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(str(folder), ignore_errors=True)
            self._run(python, "-m", "venv", str(folder))
            for call in installs:
                hashes = ["--require-hashes"] if "-r" in call else []
                self._run(str(folder / "bin" / "python"), "-m", "pip",
                          "--disable-pip-version-check", "--no-input",
                          "install", "--quiet", *hashes, *call)
            stamp.write_text(wanted)
        return folder / "bin"

    def node_modules(self) -> Path:
        """Return the folder with Better Auth and what it needs."""
        folder = self.work / "better_auth"
        lock = (BETTER_AUTH / "package-lock.json").read_bytes()
        stamp, wanted = folder / "made-from", _digest(lock)
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(str(folder), ignore_errors=True)
            shutil.copytree(str(BETTER_AUTH), str(folder))
            self._run("npm", "ci", "--no-audit", "--no-fund", "--prefix",
                      str(folder))
            stamp.write_text(wanted)
        shutil.copy(str(BETTER_AUTH / "server.mjs"), str(folder))
        return folder

    def _run(self, *words: str) -> None:
        """Run a program to its end; what it prints goes to the log.

        Raises ``CannotBuild`` with its last line where it fails.
        """
        done = subprocess.run(
            words, cwd=str(ROOT), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = done.stdout.decode("utf-8", "replace").strip()
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(words)}\n{text}\n")
        if done.returncode:
            last = text.split("\n")[-1]
            raise CannotBuild(f"{words[0]} failed: {last} (see {self.log})")


def _of_pyenv(version: str) -> List[str]:
    """Return the Pythons of a version that pyenv has, the newest first."""
    if shutil.which("pyenv") is None:
        return []
    names = [name.strip() for name
             in _quietly("pyenv", "versions", "--bare").split("\n")]
    fitting = [name for name in names if name.startswith(f"{version}.")]
    fitting.sort(key=_patch, reverse=True)
    return [f"{_quietly('pyenv', 'prefix', name)}/bin/python"
            for name in fitting]


def _patch(version: str) -> int:
    """Return the last number of a version, 0 where it is none."""
    last = version.rpartition(".")[2]
    return int(last) if last.isdigit() else 0


def _quietly(*words: str) -> str:
    """Return what a program prints, nothing where it fails."""
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.decode().strip()


def _digest(*parts: bytes) -> str:
    """Return a checksum of what something is made from."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
