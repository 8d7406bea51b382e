#!/usr/bin/env python3
"""Every command explains itself, with an example that is one."""

from typing import Iterator, List, Tuple

import click
import pytest

from tests.cli.commands import run
from vestibule.cli.main import program


def commands(group: click.Group,
             path: Tuple[str, ...] = ()) -> Iterator[Tuple[str, ...]]:
    """Yield the words that call each command and each group below."""
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


EVERY = sorted(commands(program))


def examples(shown: str) -> List[List[str]]:
    """Return the words of each example that a help shows."""
    below = shown.partition("\n  Example:\n")[2].partition("\n\n")[0]
    return [line.split() for line in below.splitlines()]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_has_an_example_of_the_command(words: Tuple[str, ...]) -> None:
    """Each example is a line of its own and calls what it explains."""
    helped = run({}, *words, "--help")
    assert helped.status == 0
    shown = examples(helped.out)
    assert shown
    for example in shown:
        start = example.index("vestibule") + 1
        assert tuple(example[start:start + len(words)]) == words


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_an_example_names_only_options_that_exist(
        words: Tuple[str, ...]) -> None:
    """Whoever copies an example is not told that there is no such option."""
    shown = run({}, *words, "--help").out
    options = shown.partition("\nOptions:\n")[2]
    for example in examples(shown):
        for word in example:
            assert not word.startswith("--") or word in options


def test_the_asked_for_commands_are_there() -> None:
    """What scripts and the papers call does not get lost."""
    assert {" ".join(words) for words in EVERY} >= {
        "serve", "migrate", "deliver", "routes", "version", "config show",
        "config check", "users create", "users list", "users show",
        "users verify", "users set-email", "users reset-link",
        "users disable", "users enable", "users delete", "users restore",
        "users revoke-sessions", "throttle show", "throttle reset",
        "throttle lift"}


def test_no_option_takes_a_password() -> None:
    """Arguments are seen by every user of the machine (ASVS 13.3.1)."""
    for words in EVERY:
        shown = run({}, *words, "--help").out
        assert "--password " not in shown and "--token" not in shown


def test_help_needs_no_settings() -> None:
    """Also who has everything configured wrong is helped."""
    wrong = {"VESTIBULE_PROFILE": "nonsense", "VESTIBULE_NONSENSE": "x"}
    assert run(wrong, "users", "create", "--help").status == 0
