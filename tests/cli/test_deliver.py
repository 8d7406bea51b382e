#!/usr/bin/env python3
"""``vestibule deliver`` sends letters and knows when to stop."""

import json
import signal
import time
from pathlib import Path
from typing import Dict, List

import pytest

from tests.cli.commands import execute, run, spawn
from vestibule.kernel.auth import Auth
from vestibule.kernel.delivery import BATCH
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB

ADA = "ada@example.com"
SECONDS = 10


def letters(folder: Path) -> List[str]:
    """Return the texts of all letters in mailboxes of a folder."""
    return [file.read_text(encoding="utf-8")
            for file in folder.glob("*.mailbox/new/*")]


def test_once_sends_what_is_due(
        environ: Dict[str, str], library: Auth, ada: str,
        folder: Path) -> None:
    """The letter lies in the mailbox, and is not sent again."""
    library.request_reset(ADA)
    ran = run(environ, "deliver", "--once")
    assert (ran.status, ran.out) == (0, "Letters tried: 1.\n")
    letter, = letters(folder)
    assert f"To: {ADA}" in letter and "/reset?token=" in letter
    assert run(environ, "deliver", "--once").out == "Letters tried: 0.\n"


def test_once_goes_on_until_nothing_is_due(
        environ: Dict[str, str], library: Auth, folder: Path) -> None:
    """More letters than fit in one batch are sent all the same."""
    for number in range(BATCH + 1):
        library.request_reset(f"nobody{number}@example.com")
    ran = run(environ, "deliver", "--once")
    assert ran.out == f"Letters tried: {BATCH + 1}.\n"
    assert letters(folder) == []


def test_a_failure_is_logged_and_no_error(
        environ: Dict[str, str], library: Auth, ada: str) -> None:
    """A mail server that is down is the mail server's affair."""
    library.request_reset(ADA)
    environ.update(
        VESTIBULE_PROFILE="production", VESTIBULE_BCRYPT_COST="10",
        VESTIBULE_BASE_URL="https://example.com",
        VESTIBULE_MAIL_FROM="mail@example.com",
        VESTIBULE_SMTP_URL="smtp://127.0.0.1:1")
    ran = execute(environ, "deliver", "--once")
    assert (ran.status, ran.out) == (0, "Letters tried: 1.\n")
    line = json.loads(ran.err)
    assert (line["level"], line["logger"]) == (
        "warning", "vestibule.kernel.delivery")
    assert line["message"].startswith("Letter ")
    assert "127.0.0.1:1" in line["message"]
    assert "token" not in ran.err and "traceback" not in line


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_sends_until_it_is_told_to_stop(
        end: signal.Signals, quick: Dict[str, str], folder: Path) -> None:
    """A letter is sent, and a signal ends it without a word."""
    db = DB(quick["VESTIBULE_DATABASE_URL"])
    auth = Auth(db, Passwords(4))
    auth.register_user(ADA, "a password")
    auth.request_reset(ADA)
    db.close()
    process = spawn(quick, "deliver")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Sending letters")
    until = time.monotonic() + SECONDS
    while not letters(folder) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(end)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, err) == (0, "", "")
    assert len(letters(folder)) == 1


def test_production_needs_a_way_to_send(environ: Dict[str, str]) -> None:
    """Without a mail server there is nothing that it could do."""
    environ.update(VESTIBULE_PROFILE="production", VESTIBULE_BCRYPT_COST="10")
    ran = run(environ, "deliver")
    assert (ran.status, ran.out) == (1, "")
    assert [line.split()[0] for line in ran.err.splitlines()] == [
        "VESTIBULE_BASE_URL", "VESTIBULE_SMTP_URL", "VESTIBULE_MAIL_FROM"]
