#!/usr/bin/env python3
"""What tests of the command line can ask for besides."""

import logging
import sys
from pathlib import Path
from typing import Dict, Iterator

import pytest

from tests.cli.commands import run
from vestibule.base.log_queue import LogQueue
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB

ADA = "ada@example.com"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in a folder of its own, where files may be left."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def no_log_is_left() -> Iterator[None]:
    """Take away the log that a command has set up for its process."""
    yield
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, LogQueue):
            root.removeHandler(handler)
    logging.captureWarnings(False)
    sys.excepthook = sys.__excepthook__
    logging.getLogger("vestibule").setLevel(logging.NOTSET)


@pytest.fixture
def quick(folder: Path) -> Dict[str, str]:
    """Return an environment whose SQLite database is not there yet."""
    return {"VESTIBULE_PROFILE": "development",
            "VESTIBULE_DATABASE_URL": f"sqlite:///{folder / 'quick.db'}",
            "VESTIBULE_BCRYPT_COST": "4"}


@pytest.fixture
def library(environ: Dict[str, str]) -> Iterator[Auth]:
    """Return the API on the database that the commands work on."""
    db = DB(environ["VESTIBULE_DATABASE_URL"])
    yield Auth(db, Passwords(4))
    db.close()


@pytest.fixture
def ada(environ: Dict[str, str], library: Auth) -> str:
    """Make a user by command and return her id."""
    made = run(environ, "users", "create", ADA, "--password-stdin",
               given=PASSWORD)
    assert made.status == 0, made.err
    found: str = library.db.find_user_by(email=ADA).id
    return found
