#!/usr/bin/env python3
"""The numbers that all processes of a machine share (decision 44)."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Iterator

import pytest

from vestibule.store.generations import (
    SIZE, SLOTS, Generations, slot_of, slots_of)

SLOT, OTHER = 7, 8
# Another process: does what its argument says, and then waits to be ended.
ANOTHER = """
import sys
from vestibule.store.generations import Generations
generations = Generations(sys.argv[1])
for step in sys.argv[2:]:
    getattr(generations, step)([7])
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture(name="path")
def fixture_path(tmp_path: Path) -> str:
    """Return where the file is to be."""
    return str(tmp_path / "generations")


@pytest.fixture(name="ours")
def fixture_ours(path: str) -> Generations:
    """Return the numbers as one process sees them."""
    return Generations(path)


@pytest.fixture(name="theirs")
def fixture_theirs(path: str, ours: Generations) -> Generations:
    """Return them as another part of the program does: its own open file."""
    return Generations(path)


def another(path: str, *steps: str) -> "subprocess.Popen[str]":
    """Start another process and return it when it has done these steps."""
    process = subprocess.Popen(
        [sys.executable, "-c", ANOTHER, path, *steps],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        universal_newlines=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    return process


@pytest.fixture(name="doubter")
def fixture_doubter(path: str, ours: Generations
                    ) -> Iterator["subprocess.Popen[str]"]:
    """Return another process, which is changing what has slot 7."""
    process = another(path, "doubt")
    yield process
    process.kill()
    process.communicate()


def test_a_change_is_seen_by_all_before_and_after(
        ours: Generations, theirs: Generations) -> None:
    """R031, R041: in doubt from before, a new number from after."""
    before = ours.numbers[SLOT]
    theirs.doubt([SLOT])
    assert ours.numbers[SLOT] & 1
    theirs.settle([SLOT])
    assert not ours.numbers[SLOT] & 1
    assert ours.numbers[SLOT] != before
    assert ours.numbers[OTHER] == before == 0


def test_no_number_comes_twice(ours: Generations) -> None:
    """R041: whatever is kept under an old one is void for good."""
    seen = set()
    for _ in range(1000):
        ours.doubt([SLOT])
        ours.settle([SLOT])
        seen.add(ours.numbers[SLOT])
    assert len(seen) == 1000
    assert max(seen) > 2 ** 60


def test_of_two_who_change_one_slot_the_last_settles(
        ours: Generations, theirs: Generations) -> None:
    """R041: the first to be done leaves it in doubt."""
    ours.doubt([SLOT])
    theirs.doubt([SLOT])
    ours.settle([SLOT])
    assert ours.numbers[SLOT] & 1
    theirs.settle([SLOT])
    assert not ours.numbers[SLOT] & 1


def test_of_two_threads_the_last_settles(ours: Generations) -> None:
    """R041: they share their process's lock, and are counted."""
    ours.doubt([SLOT])
    thread = threading.Thread(target=ours.doubt, args=([SLOT],))
    thread.start()
    thread.join()
    ours.settle([SLOT])
    assert ours.numbers[SLOT] & 1
    ours.settle([SLOT])
    assert not ours.numbers[SLOT] & 1


def test_what_nobody_knows_stays_in_doubt(ours: Generations) -> None:
    """R041: until someone cleans up who has seen it for a while."""
    ours.doubt([SLOT])
    ours.abandon([SLOT])
    assert ours.numbers[SLOT] & 1
    ours.settle_abandoned()
    assert ours.numbers[SLOT] & 1
    ours.settle_abandoned()
    assert not ours.numbers[SLOT] & 1


def test_whoever_is_at_it_is_left_in_doubt(
        ours: Generations, theirs: Generations) -> None:
    """R041: neither news nor those who clean up end another's doubt."""
    theirs.doubt([SLOT])
    for _ in range(3):
        ours.settle_abandoned()
        ours.renew([SLOT])
        theirs.renew([SLOT])
    assert ours.numbers[SLOT] & 1
    theirs.settle([SLOT])
    assert not ours.numbers[SLOT] & 1


def test_a_doubt_of_a_minute_ago_and_one_of_now_are_two(
        ours: Generations, theirs: Generations) -> None:
    """R041: who cleans up counts from when it first saw this very doubt."""
    for _ in range(3):
        theirs.doubt([SLOT])
        theirs.abandon([SLOT])
        ours.settle_abandoned()
        assert ours.numbers[SLOT] & 1
        theirs.doubt([SLOT])
        theirs.settle([SLOT])


def test_news_of_other_machines_void_what_is_kept(ours: Generations) -> None:
    """R041: for every slot, too."""
    ours.renew(range(SLOTS))
    assert len(set(ours.numbers)) == SLOTS
    assert not any(number & 1 for number in ours.numbers)


def test_another_process_is_seen_and_waited_for_by_none(
        ours: Generations, doubter: "subprocess.Popen[str]") -> None:
    """R041, R105: nobody stands in another's way, whoever is in doubt."""
    assert ours.numbers[SLOT] & 1
    ours.doubt([SLOT])
    ours.settle([SLOT])
    assert ours.numbers[SLOT] & 1


def test_who_is_killed_in_doubt_leaves_it_and_no_lock(
        ours: Generations, doubter: "subprocess.Popen[str]") -> None:
    """R041, R136: nothing kept is served, and the next change settles."""
    doubter.send_signal(signal.SIGKILL)
    doubter.wait()
    assert ours.numbers[SLOT] & 1
    ours.doubt([SLOT])
    ours.settle([SLOT])
    assert not ours.numbers[SLOT] & 1


def test_what_the_killed_leave_is_cleaned_up(
        ours: Generations, doubter: "subprocess.Popen[str]") -> None:
    """R041, R136: at the second look, for the first one may be too soon."""
    ours.settle_abandoned()
    doubter.send_signal(signal.SIGKILL)
    doubter.wait()
    ours.settle_abandoned()
    assert not ours.numbers[SLOT] & 1


def test_a_child_process_has_locks_of_its_own(ours: Generations) -> None:
    """R041: a lock is the open file's, which a fork would share."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        ours.doubt([SLOT])
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    assert os.getpid() == parent
    os.waitpid(child, os.WUNTRACED)
    ours.doubt([SLOT])
    ours.settle([SLOT])
    assert ours.numbers[SLOT] & 1
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    ours.doubt([SLOT])
    ours.settle([SLOT])
    assert not ours.numbers[SLOT] & 1


def test_the_file_is_for_its_owner_alone(ours: Generations, path: str
                                         ) -> None:
    """R102: and of its whole size from the beginning, with room for it."""
    status = os.stat(path)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_size == SIZE
    assert status.st_blocks * 512 >= SIZE


def test_the_file_is_like_the_one_it_stands_beside(
        path: str, tmp_path: Path) -> None:
    """R102: whoever may write the database may write this."""
    database = tmp_path / "database"
    database.write_bytes(b"")
    database.chmod(0o660)
    if os.geteuid() == 0:
        os.chown(str(database), 1234, 1235)
    Generations(path, str(database))
    made, like = os.stat(path), os.stat(str(database))
    assert stat.S_IMODE(made.st_mode) == 0o660
    assert (made.st_uid, made.st_gid) == (like.st_uid, like.st_gid)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o640, 0o604])
def test_in_a_folder_of_all_a_file_of_others_is_not_used(
        path: str, mode: int) -> None:
    """R102: somebody may have put it there first."""
    Path(path).write_bytes(bytes(SIZE))
    os.chmod(path, mode)
    with pytest.raises(OSError, match="no plain file of this user alone"):
        Generations(path)


def test_what_is_no_plain_file_is_not_used(
        path: str, tmp_path: Path) -> None:
    """R102: a link, a folder, a pipe, or a file of some other size."""
    (tmp_path / "target").write_bytes(b"")
    os.symlink(str(tmp_path / "target"), path)
    with pytest.raises(OSError):
        Generations(path)
    os.unlink(path)
    os.mkdir(path)
    with pytest.raises(OSError):
        Generations(path)
    os.rmdir(path)
    os.mkfifo(path, 0o600)
    with pytest.raises(OSError):
        Generations(path)
    os.unlink(path)
    Path(path).write_bytes(b"too small")
    os.chmod(path, 0o600)
    with pytest.raises(OSError, match="another size"):
        Generations(path)


def test_a_file_that_was_taken_away_is_noticed(
        ours: Generations, path: str) -> None:
    """R041: those who come later use another one."""
    assert ours.is_in_place()
    os.unlink(path)
    assert not ours.is_in_place()
    Generations(path)
    assert not ours.is_in_place()


def test_no_open_file_is_left(path: str) -> None:
    """R130: when nobody refers to the numbers, or they are closed."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        Generations(path)
        Generations(path).close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_a_path_they_are_this_process_s_alone() -> None:
    """A database in memory has no other process to tell."""
    generations = Generations()
    generations.doubt([SLOT])
    assert generations.numbers[SLOT] & 1
    generations.settle([SLOT])
    assert not generations.numbers[SLOT] & 1
    assert generations.is_in_place()


def test_ids_are_spread_over_all_slots() -> None:
    """Every process finds the same one; few ids share one."""
    assert slot_of("bob") == 4416
    slots = slots_of(f"{n:08x}-0000-4000-8000-000000000000"
                     for n in range(SLOTS))
    assert len(slots) > SLOTS / 2
    assert all(0 <= slot < SLOTS for slot in slots)
