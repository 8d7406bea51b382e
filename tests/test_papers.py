#!/usr/bin/env python3
"""The papers are true: what they print happens, what they name is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from tests.support.papers import (
    PAPERS, ROOT, Dialogue, anchors, blocks, definitions, dialogues, links,
    masked, prose, rows, table_of)
from tests.support.service import Service
from tests.test_locks import pins
from tools import write_settings
from vestibule.app import create_app
from vestibule.base.config import SETTINGS, ConfigError, load
from vestibule.base.limits import DEFAULTS, limits
from vestibule.cli.main import program
from vestibule.kernel.services import build_services

README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial" / "first-login.md"
SESSIONS = ROOT / "docs" / "how-to" / "sessions.md"
RECOVERY = ROOT / "docs" / "how-to" / "recovery.md"
RIGHTS = ROOT / "docs" / "how-to" / "peoples-rights.md"
RETRY = ROOT / "docs" / "how-to" / "retry-a-registration.md"
REFUSED = ROOT / "docs" / "how-to" / "why-was-i-refused.md"
LOCKED_OUT = ROOT / "docs" / "how-to" / "somebody-is-locked-out.md"
DIALOGUES = [README, TUTORIAL, SESSIONS, RECOVERY, RIGHTS, RETRY, REFUSED,
             LOCKED_OUT]
LIMITS = ROOT / "docs" / "reference" / "limits.md"
COMMANDS = ROOT / "docs" / "reference" / "cli.md"
DECISIONS = ROOT / "docs" / "decisions"
END_OF_LIFE = DECISIONS / "0019-end-of-life-on-python-3.7.md"
ADDRESS = "127.0.0.1:5000"
PLAIN_PATH = "/usr/local/bin:/usr/bin:/bin"
LONGEST_LINE = 80
each_paper = pytest.mark.parametrize(
    "paper", PAPERS, ids=lambda paper: str(paper.relative_to(ROOT)))


def type_in(folder: Path, dialogue: Dialogue, address: str) -> str:
    """Type lines of a paper into a terminal, return what they print.

    The service runs in the folder above, and ``vestibule`` is a command.
    """
    vestibule = (f'vestibule() {{ ( cd .. && VESTIBULE_PROFILE=development '
                 f'PYTHONPATH="{ROOT}" "{sys.executable}" -m vestibule "$@" '
                 ') }\n')
    typed = vestibule + dialogue.typed.replace(ADDRESS, address)
    finished = subprocess.run(
        ["bash", "-eu", "-c", typed],
        cwd=str(folder), env={"PATH": PLAIN_PATH, "HOME": str(folder)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return finished.stdout.decode().replace(address, ADDRESS)


@pytest.mark.skipif(shutil.which("curl") is None,
                    reason="there is no curl here to type the requests into")
@pytest.mark.parametrize("paper", DIALOGUES,
                         ids=lambda paper: str(paper.name))
def test_requests_are_answered_as_printed(
        paper: Path, tmp_path: Path) -> None:
    """Whoever types what the paper says reads what the paper says.

    All settings but the port, and the cost of hashing, are those of
    ``make run``.
    """
    terminal = tmp_path / "terminal"
    terminal.mkdir()
    environ = {"VESTIBULE_PROFILE": "development", "HOME": str(tmp_path),
               "VESTIBULE_BCRYPT_COST": "4"}
    with Service(environ, tmp_path) as service:
        for dialogue in dialogues(paper):
            printed = type_in(
                terminal, dialogue, f"127.0.0.1:{service.port}")
            assert masked(printed) == masked(dialogue.printed)
        assert service.terminate() == 0


def test_no_request_is_left_untried() -> None:
    """Every line with curl has its answer printed behind it."""
    for paper in DIALOGUES:
        typed = [block.text for block in blocks(paper)
                 if block.language == "sh" and "curl " in block.text]
        assert typed == [each.typed for each in dialogues(paper)]
    assert dialogues(README)[0].typed.count("curl ") == 5


def test_the_library_example_runs(tmp_path: Path) -> None:
    """The lines of Python in the README work, and print the address."""
    example, = [block.text for block in blocks(README)
                if block.language == "python"]
    finished = subprocess.run(
        [sys.executable, "-c", example], cwd=str(tmp_path),
        env={"PYTHONPATH": str(ROOT), "PATH": PLAIN_PATH},
        stdout=subprocess.PIPE, check=True)
    assert finished.stdout == b"bob@example.com\n"


@each_paper
def test_links_lead_somewhere(paper: Path) -> None:
    """What a relative link names is in the project, its heading too."""
    for _, target in links(paper):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        found = (paper.parent / name).resolve() if name else paper
        assert found.exists(), target
        assert ROOT in found.parents, target
        assert not anchor or anchor in anchors(found), target


@each_paper
def test_lines_are_short(paper: Path) -> None:
    """Papers are read in terminals, too; tables cannot be wrapped."""
    long = [line for line in prose(paper)
            if len(line) > LONGEST_LINE and not line.startswith("|")]
    assert long == []


def test_the_tasks_are_where_the_readme_says() -> None:
    """Each of the nineteen has a link to a file that defines its name."""
    tasks = [cells for cells in rows(README) if cells[0].isdecimal()]
    assert [int(cells[0]) for cells in tasks] == list(range(1, 20))
    for cells in tasks:
        assert "](vestibule/" in cells[2], cells
    named = [(words.strip("`"), target) for words, target in links(README)
             if target.endswith(".py")]
    assert len(named) >= 19
    for name, target in named:
        assert name in definitions(ROOT / target), (name, target)


def test_the_tasks_are_asked_for_as_the_readme_says(tmp_path: Path) -> None:
    """Each endpoint of the table is served, by the view it names."""
    settings = load({
        "VESTIBULE_PROFILE": "development",
        "VESTIBULE_DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}).settings
    services = build_services(settings)
    app: Any = create_app(settings, services)
    services.db.close()
    served = {(method, rule.rule): rule.endpoint.partition(".")[2]
              for rule in app.url_map.iter_rules() for method in rule.methods}
    told: Dict[Any, str] = {}
    for _, _, code, endpoint in (
            cells for cells in rows(README) if cells[0].isdecimal()):
        if endpoint:
            method, path = endpoint.strip("`").split()
            told[method, path] = code
    assert len(told) == 7
    for asked, code in told.items():
        assert f"[`{served[asked]}`]" in code, asked


def test_the_settings_page_is_fresh() -> None:
    """If this fails: run ``python tools/write_settings.py``."""
    assert write_settings.PAGE.read_text("utf-8") == write_settings.page()


def test_the_example_of_settings_is_fresh() -> None:
    """If this fails: run ``python tools/write_settings.py``."""
    assert (write_settings.EXAMPLE.read_text("utf-8")
            == write_settings.example())


@pytest.mark.parametrize("profile", ["development", "production"])
def test_the_examples_of_settings_hold(profile: str) -> None:
    """All of them are taken together, but for secrets, which are refused."""
    lines = [line[1:] for line
             in write_settings.EXAMPLE.read_text("utf-8").splitlines()
             if line.startswith("#VESTIBULE_")]
    examples = dict(line.split("=", 1) for line in lines)
    assert list(examples) == [setting.name for setting in SETTINGS]
    examples["VESTIBULE_PROFILE"] = profile
    with pytest.raises(ConfigError) as refusal:
        load(examples)
    refused = ["VESTIBULE_PEPPER", "VESTIBULE_PEPPER_FALLBACKS",
               "VESTIBULE_SECRET_KEY"]
    assert [problem.partition(" is too weak")[0]
            for problem in refusal.value.problems] == refused
    for name in refused:
        del examples[name]
    load(examples)


def commands(group: Any, name: str) -> Iterator[str]:
    """Yield the full name of each command that can be run."""
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}"


def test_all_commands_are_listed() -> None:
    """The page of commands has each of them, and no others."""
    listed = [re.sub(r"( [A-Z_]+)+$", "", name.strip("`"))
              for name in table_of(COMMANDS, 2) if name != "Command"]
    assert sorted(listed) == sorted(commands(program, "vestibule"))


def test_all_limits_are_listed() -> None:
    """The page of limits has each of them with its default, in order."""
    listed = [(name.strip("`"), cells[0].strip("`")) for name, cells
              in table_of(LIMITS, 4).items() if name != "Limit"]
    assert listed == [(name, str(default)) for name, default
                      in DEFAULTS._asdict().items()]


def test_the_example_of_limits_holds() -> None:
    """What the page shows is taken as it stands there."""
    example = [block.text for block in blocks(LIMITS)
               if block.language == "toml"]
    for line in example:
        limits(line.partition("=")[2].strip().strip('"'))
    assert len(example) == 1


def test_all_decisions_are_listed() -> None:
    """Numbered without a gap, each with its page in the list, in order."""
    pages = sorted(page.name for page in DECISIONS.glob("0*.md"))
    assert [page[:5] for page in pages] == [
        f"{number:04}-" for number in range(1, len(pages) + 1)]
    assert [target for _, target in links(DECISIONS / "README.md")] == pages


@pytest.mark.parametrize("page", sorted(DECISIONS.glob("0*.md")),
                         ids=lambda page: str(page.stem))
def test_a_decision_says_why_and_at_what_price(page: Path) -> None:
    """Context, decision and consequences, under the page's own number."""
    headings: List[str] = [line for line in prose(page)
                           if line.startswith("#")]
    assert headings[0].startswith(f"# {int(page.name[:4])}. ")
    assert headings[1:] == ["## Context", "## Decision", "## Consequences"]


def test_what_is_end_of_life_is_listed() -> None:
    """R154: the page has what the default lock installs on Python 3.7."""
    listed = {name: cells[0] for name, cells in
              table_of(END_OF_LIFE, 3).items() if name != "Package"}
    assert listed == pins("sqlalchemy13", "3.7.16")
