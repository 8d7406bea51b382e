#!/usr/bin/env python3
"""The development profile's key: made once, and its owner's alone."""

import os
import stat
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.processes import Processes, errors_of
from vestibule.kernel.development_key import development_key

ROUNDS = 20


def test_the_key_is_made_once_beside_the_database(tmp_path: Path) -> None:
    """DESIGN section 3: mode 0600, and the same at the next start."""
    before = os.umask(0)
    try:
        key = development_key(tmp_path / "users.db")
    finally:
        os.umask(before)
    path = tmp_path / "users.key"
    assert len(key) == 43
    assert path.read_text() == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert development_key(tmp_path / "users.db") == key
    assert [each.name for each in tmp_path.iterdir()] == ["users.key"]


def test_what_a_start_that_was_cut_off_left_is_in_nobodys_way(
        tmp_path: Path) -> None:
    """Process ids come again, in a container at every start."""
    (tmp_path / f"users.key.{os.getpid()}").write_text("half a k")
    key = development_key(tmp_path / "users.db")
    assert len(key) == 43
    assert development_key(tmp_path / "users.db") == key


def make(folder: Path, made: Any, given: int) -> str:
    """Make or read the key of this round."""
    return development_key(folder / f"users{given}.db")


def test_processes_that_make_it_at_once_use_one(tmp_path: Path) -> None:
    """Or else what one worker signs, another does not believe."""
    with Processes(dict, [partial(make, tmp_path)] * 4) as workers:
        for number in range(ROUNDS):
            outcomes = workers.run(number)
            assert errors_of(outcomes) == [], outcomes
            assert len({each.value for each in outcomes}) == 1
    names = [each.name for each in tmp_path.iterdir()]
    assert len(names) == ROUNDS
