#!/usr/bin/env python3
"""What ``make`` runs: which settings win, and what is refused how.

Nothing here makes an environment or starts a service: stand-ins on PATH take
the place of ``vestibule`` and of unusual Pythons.
"""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import pytest

from tools import fuzz, soak, soak_parts

TOOLS = Path(__file__).resolve().parent.parent / "tools"
PLAIN_PATH = "/usr/local/bin:/usr/bin:/bin"
VESTIBULE = """#!/bin/sh
echo "$@"
env | grep ^VESTIBULE_ | sort
"""


def stand_in(folder: Path, name: str, text: str) -> Path:
    """Write an executable script and return where it is."""
    script = folder / name
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
    return script


def started(folder: Path, environment: Dict[str, str]) -> str:
    """Return what the service would see that ``make run`` starts there."""
    stand_in(folder, "vestibule", VESTIBULE)
    finished = subprocess.run(
        [sys.executable, str(TOOLS / "run.py")],
        cwd=str(folder), env={"PATH": f"{folder}:{PLAIN_PATH}",
                              **environment},
        stdout=subprocess.PIPE, check=True)
    return finished.stdout.decode()


def refusal(**environment: str) -> str:
    """Return the one line with which an environment is refused."""
    finished = subprocess.run(
        [str(TOOLS / "with-venv"), "run", "true"],
        env={"PATH": PLAIN_PATH, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert finished.returncode == 1
    assert finished.stdout == b""
    sentence, nothing = finished.stderr.decode().split("\n")
    assert nothing == ""
    return sentence


def test_run_serves_in_the_development_profile(tmp_path: Path) -> None:
    """Without any setting, what starts is what a developer wants."""
    assert started(tmp_path, {}) == (
        "serve\nVESTIBULE_PROFILE=development\n")


def test_run_reads_the_env_file(tmp_path: Path) -> None:
    """A line of ``.env`` is a setting, the profile included."""
    (tmp_path / ".env").write_text(
        "VESTIBULE_PROFILE=production\nVESTIBULE_BIND='[::1]:80'\n",
        encoding="utf-8")
    assert started(tmp_path, {}) == (
        "serve\nVESTIBULE_BIND=[::1]:80\nVESTIBULE_PROFILE=production\n")


def test_the_real_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    """What was set for this one start is not undone by a file."""
    (tmp_path / ".env").write_text("VESTIBULE_BIND=a:1\n", encoding="utf-8")
    seen = started(tmp_path, {"VESTIBULE_BIND": "b:2"})
    assert "VESTIBULE_BIND=b:2\n" in seen


def test_an_unknown_stack_is_refused() -> None:
    """The dev locks are no stacks either, and the sentence says which are."""
    for stack in ("sqlalchemy14", "sqlalchemy2-dev", "../x"):
        sentence = refusal(PYTHON=sys.executable, STACK=stack)
        assert f"no stack '{stack}'" in sentence
        assert "sqlalchemy13 (the default) or sqlalchemy2" in sentence


def test_a_missing_python_is_refused() -> None:
    """The sentence says what to do, not only what is wrong."""
    sentence = refusal(PYTHON="no-such-python")
    assert "'no-such-python' does not run" in sentence
    assert "make run PYTHON=" in sentence


@pytest.mark.parametrize("version", ["2.7", "3.0", "3.6"])
def test_an_old_python_is_refused(tmp_path: Path, version: str) -> None:
    """It is not left to a syntax error to say that 3.7 is needed."""
    python = stand_in(tmp_path, "python", f"#!/bin/sh\necho {version}\n")
    sentence = refusal(PYTHON=str(python))
    assert f"needs Python 3.7 or newer and '{python}' is {version}" in sentence


def test_a_python_without_venv_is_refused(tmp_path: Path) -> None:
    """As on a Debian without python3-venv, which the sentence names."""
    python = stand_in(tmp_path, "python", (
        "#!/bin/sh\n"
        'case $2 in *ensurepip*) exit 1 ;; esac\n'
        "echo 3.8\n"))
    sentence = refusal(PYTHON=str(python))
    assert "apt-get install python3-venv (or python3.8-venv)" in sentence


@pytest.mark.parametrize("test, minutes, told", [
    ("assert True", 1, "nothing was found"),
    ("assert False", 1, "failed: a step"),
    ("import time; time.sleep(60)", 0.05, "did not end in time")])
def test_fuzz_says_what_became_of_it(
        tmp_path: Path, capfd: Any, test: str, minutes: float, told: str
        ) -> None:
    """R102: it is bounded in time, and red where a step is."""
    file = tmp_path / "test_it.py"
    file.write_text(f"def test_it():\n    {test}\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--fuzz', action='store_true')\n",
        encoding="utf-8")
    step = fuzz.Step("a step", minutes, (str(file),))
    failed = fuzz.run_all([step], ["--rootdir", str(tmp_path)])
    assert failed == (0 if test == "assert True" else 1)
    assert told in capfd.readouterr().out


def test_fuzz_says_that_schemathesis_is_missing(capfd: Any) -> None:
    """R102: the other steps are run without it."""
    others = fuzz.steps(installed=False)
    assert ("make fuzz PYTHON=python3.13 STACK=sqlalchemy2"
            in capfd.readouterr().out)
    assert fuzz.steps(installed=True) == [*others, fuzz.SCHEMATHESIS]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("finds, told", [
    ([], "sqlite: nothing was found."),
    (["a dead session"], "sqlite, seed 7: FOUND a dead session")])
def test_soak_says_what_became_of_it(
        monkeypatch: pytest.MonkeyPatch, capfd: Any, finds: List[str],
        told: str) -> None:
    """R041: it is red where a dead session was served."""
    done = SimpleNamespace(finds=finds, summary=lambda: "so many checks")
    plans: List[Any] = []

    def hunted(environ: Any, folder: Path, plan: Any, tell: Any) -> Any:
        """Find what the test wants found."""
        plans.append(plan)
        return done

    monkeypatch.setattr(soak_parts, "hunted", hunted)
    status = soak.main(
        ["--only", "hunt", "--checks", "40000", "--database", "sqlite",
         "--seed", "7"])
    assert status == (1 if finds else 0)
    assert plans == [(40000, 80, 2, 7)]
    assert told in capfd.readouterr().out
