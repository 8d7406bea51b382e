#!/usr/bin/env python3
"""``vestibule explain`` says what is stored, and what can be done."""

import json
import re
from typing import Any, Dict

import pytest

from tests.cli.commands import run
from tests.support.papers import ROOT
from vestibule.base.config import SETTINGS
from vestibule.base.origin import Origin
from vestibule.cli import explanations
from vestibule.cli.main import program
from vestibule.kernel.auth import Auth
from vestibule.kernel.refusals import Asked, Refusals
from vestibule.kernel.sessions import DISABLED

ID = "3f9a6c1e-5b7d-4e2a-9c48-0d1e2f3a4b5c"
HERE = Origin("192.0.2.7", "curl", ID)
ASKED = Asked(ID, "GET", "/profile")
TABLES: Dict[str, Dict[str, explanations.Meaning]] = {
    name: table for name, table in vars(explanations).items()
    if name.startswith("OF_")}
MEANINGS = [pytest.param(meaning, id=f"{name} {key}")
            for name, table in TABLES.items()
            for key, meaning in table.items()]


def test_an_unknown_id_is_said_to_be_unknown(
        environ: Dict[str, str], library: Auth) -> None:
    """With what it may be, and status 1."""
    ran = run(environ, "explain", ID)
    assert (ran.status, ran.out) == (1, "")
    first, *others = ran.err.splitlines()
    assert first == f"Nothing is stored under the request id {ID}."
    said = " ".join(others)
    for words in ("mistyped", "older than 7 days", "last 5 seconds"):
        assert words in said


def test_the_rule_is_named_with_what_to_do(
        environ: Dict[str, str], library: Auth) -> None:
    """R122: where the rule says more than the code, so does the hint."""
    Refusals(library.db).note(ASKED, 403, "session_required", DISABLED)
    ran = run(environ, "explain", f" {ID} ")
    assert ran.status == 0
    assert re.sub(r"^\S+Z: ", "", ran.out) == (
        "GET /profile was refused with 403 session_required. The\n"
        "rule that decided: session: its user is disabled. No live session "
        "came with the\n"
        "request, or it ended meanwhile. What to do: See `vestibule users "
        "enable`.\n")


def test_refusals_and_events_come_in_their_order(
        environ: Dict[str, str], library: Auth) -> None:
    """One paragraph each; other requests are left out."""
    refusals = Refusals(library.db)
    library.audit.record("login.refused", origin=HERE, reason="unheard_of")
    refusals.note(ASKED, 401, "invalid_credentials")
    library.audit.record("session.started", "u-1", origin=HERE)
    library.audit.record("session.started", "u-2", origin=Origin())
    refusals.note(ASKED._replace(request_id="another-id"), 403, "forbidden")
    paragraphs = run(environ, "explain", ID).out.split("\n\n")
    assert [paragraph.partition(": ")[2].split(" recorded")[0]
            .partition(" was refused")[0] for paragraph in paragraphs] == [
        "the event login.refused was", "GET /profile",
        "the event session.started was"]
    assert "from 192.0.2.7. The reason: unheard_of." in " ".join(
        paragraphs[0].split())


def test_everything_is_there_as_json(
        environ: Dict[str, str], library: Auth) -> None:
    """For programs, by name."""
    library.audit.record("login.refused", "u-1", origin=HERE,
                         reason="disabled")
    Refusals(library.db).note(ASKED, 403, "session_required", DISABLED)
    event, refusal = json.loads(run(environ, "explain", ID, "--json").out)
    assert (event["kind"], event["detail"], event["user_id"]) == (
        "event", {"reason": "disabled"}, "u-1")
    assert event["hint"].startswith("`vestibule users enable u-1`")
    assert (refusal["kind"], refusal["rule"], refusal["status"]) == (
        "refusal", DISABLED, 403)
    assert refusal["at"].endswith("Z")


def test_an_id_that_came_often_is_not_printed_for_ever(
        environ: Dict[str, str], library: Auth) -> None:
    """A client may send one request id as often as it likes."""
    refusals = Refusals(library.db)
    refusals.defer()
    for _ in range(150):
        refusals.note(ASKED, 404, "not_found")
    refusals.flush()
    ran = run(environ, "explain", ID)
    assert ran.out.count("was refused") == 100
    assert "There are more: these are the first 100." in ran.out


@pytest.mark.parametrize("meaning", MEANINGS)
def test_what_a_hint_names_is_there(meaning: explanations.Meaning) -> None:
    """Commands and settings, by their names."""
    names = {setting.name for setting in SETTINGS}
    for name in re.findall(r"VESTIBULE_\w+", meaning.why + meaning.hint):
        assert name in names
    for words in re.findall(r"`vestibule ([^`]*)`", meaning.hint):
        command: Any = program
        plain, _, option = words.partition(" --")
        for word in plain.replace(explanations.WHO, "").split():
            command = command.commands[word]
        assert not option or f"--{option.split()[0]}" in [
            name for each in command.params for name in each.opts]


def test_every_reason_of_an_event_has_its_meaning() -> None:
    """R118: each that the kernel gives, found in its source."""
    source = "\n".join(path.read_text("utf-8") for path
                       in (ROOT / "vestibule" / "kernel").glob("*.py"))
    reasons = set(re.findall(r'reason="(\w+)"', source))
    for function in ("_reason", "fault_of"):
        body = source.partition(f"def {function}(")[2].partition("\ndef ")[0]
        body = body.partition("\n    def ")[0]
        reasons |= set(re.findall(r'(?:return|or) .*"(\w+)"', body))
        reasons |= set(re.findall(r'or "(\w+)"', body))
        reasons |= set(re.findall(r'return "(\w+)" if', body))
    assert len(reasons) >= 8
    assert reasons == set(explanations.OF_REASONS)


def test_control_characters_are_no_request_id(
        environ: Dict[str, str]) -> None:
    """R119: nothing typed here reaches the terminal as a command."""
    ran = run(environ, "explain", "\x1b[2J" + ID)
    assert ran.status == 2 and "\x1b" not in ran.err
