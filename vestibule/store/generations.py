#!/usr/bin/env python3
"""Generations: what all processes of a machine know of each other's changes.

A mapped file of 8,192 numbers; decision 44 says how they are used, and why
nothing that was kept in a cache outlives its change.
"""

import fcntl
import mmap
import os
import stat
import struct
import sys
import threading
import time
import zlib
from typing import Collection, Dict, FrozenSet, Iterable, Optional

SLOTS = 8192
NUMBER_BYTES = 8
SIZE = SLOTS * NUMBER_BYTES
# Locks of an open file and not of a process, which Linux alone has: nobody
# loses them because another part of the process closes the same file.
SET_LOCK, SET_LOCK_WAITING = 37, 38
FLOCK = "hhqqi4x"
HAS_LOCKS = sys.platform == "linux" and struct.calcsize("P") == 8


def slots_of(keys: Iterable[str]) -> FrozenSet[int]:
    """Return the slots that the ids of sessions and users lead to."""
    return frozenset(map(slot_of, keys))


def slot_of(key: str) -> int:
    """Return the slot that one id leads to, the same in every process."""
    return zlib.crc32(key.encode()) % SLOTS


class Generations:
    """The numbers, and the steps of decision 44 on them.

    ``numbers[slot]`` is odd while what has the slot is about to change, and
    otherwise a number that it never had before its last change. Every other
    method may be called by any thread at any time.
    """

    def __init__(self, path: Optional[str] = None,
                 beside: Optional[str] = None) -> None:
        """Map the file at ``path``, and make it where there is none.

        Its owner and mode are those of the file ``beside``, or else only its
        owner may read it. Without a path the numbers are this process's
        alone. Raises ``OSError`` where that cannot be done.
        """
        self._file = -1
        self._path = path
        self._beside = beside
        self._lock = threading.Lock()
        self._doubters: Dict[int, int] = {}
        self._abandoned: Dict[int, int] = {}
        self._open()

    def __del__(self) -> None:
        """Give the file back when nobody refers to it any more."""
        self.close()

    def close(self) -> None:
        """Give the file back; the object is done with."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def is_in_place(self) -> bool:
        """Say whether others who look for the file find this same one."""
        if self._path is None:
            return True
        try:
            return os.path.samestat(os.stat(self._path), self._status)
        except OSError:
            return False

    def doubt(self, slots: Collection[int]) -> None:
        """Let nobody trust what is kept of these slots, from now on."""
        with self._lock:
            self._open_anew_after_fork()
            for slot in slots:
                count = self._doubters.get(slot, 0)
                if not count:
                    self._take(slot, fcntl.F_RDLCK, SET_LOCK_WAITING)
                self._doubters[slot] = count + 1
                self.numbers[slot] |= 1

    def settle(self, slots: Collection[int]) -> None:
        """Say that a change of these slots is over, whatever came of it."""
        with self._lock:
            for slot in slots:
                if self._leave(slot):
                    self._renew(slot)

    def abandon(self, slots: Collection[int]) -> None:
        """Say that nobody knows whether a change took effect."""
        with self._lock:
            for slot in slots:
                self._leave(slot)

    def renew(self, slots: Collection[int]) -> None:
        """Void what is kept of slots that were changed elsewhere.

        Who has the lock of a slot that is not in doubt is about to doubt it
        or to let go, so this tries until it is one or the other. Whether it
        is in doubt is asked before: with the lock, the number is written.
        """
        with self._lock:
            self._open_anew_after_fork()
            for slot in slots:
                while not self.numbers[slot] & 1 and not self._renew(slot):
                    time.sleep(0)

    def settle_abandoned(self) -> None:
        """Settle what has been in doubt since the last call of this.

        Those who are still at it keep it in doubt by their lock.
        """
        odd = {slot: number for slot, number in enumerate(self.numbers)
               if number & 1}
        with self._lock:
            for slot, number in odd.items():
                if (self._abandoned.get(slot) == number
                        and slot not in self._doubters):
                    self._renew(slot)
        self._abandoned = odd

    def _leave(self, slot: int) -> bool:
        """Count one doubter less; say whether it was this process's last.
        """
        count = self._doubters.pop(slot) - 1
        if count:
            self._doubters[slot] = count
            return False
        self._take(slot, fcntl.F_UNLCK, SET_LOCK)
        return True

    def _renew(self, slot: int) -> bool:
        """Give a slot a number it never had; say no where it is locked.

        This process must not be in doubt about it: it would turn its own
        lock into the exclusive one.
        """
        try:
            self._take(slot, fcntl.F_WRLCK, SET_LOCK)
        except (BlockingIOError, PermissionError):
            return False
        number, = struct.unpack("Q", os.urandom(NUMBER_BYTES))
        self.numbers[slot] = number & ~1
        self._take(slot, fcntl.F_UNLCK, SET_LOCK)
        return True

    def _take(self, slot: int, kind: int, command: int) -> None:
        """Take or give back the lock on a slot's first byte."""
        if self._file >= 0:
            fcntl.fcntl(self._file, command, struct.pack(
                FLOCK, kind, os.SEEK_SET, slot * NUMBER_BYTES, 1, 0))

    def _open_anew_after_fork(self) -> None:
        """Open the file once more where a parent process opened this one.

        A lock is the open file's: both would have the same ones.
        """
        if self._process != os.getpid():
            self._doubters = {}
            self.close()
            self._open()

    def _open(self) -> None:
        """Open and map the file."""
        self._process = os.getpid()
        if self._path is None:
            mapped = mmap.mmap(-1, SIZE)
        else:
            if not HAS_LOCKS:
                raise OSError("this system has no locks of open files")
            self._file = _opened(self._path, self._beside is None)
            try:
                self._allocate()
                mapped = mmap.mmap(self._file, SIZE)
            except BaseException:
                self.close()
                raise
            self._status = os.fstat(self._file)
        self.numbers = memoryview(mapped).cast("Q")

    def _allocate(self) -> None:
        """Give a new file its size, with room on the disk for all of it.

        A write to a mapping that has no room ends the process.
        """
        self._take(SLOTS, fcntl.F_WRLCK, SET_LOCK_WAITING)
        size = os.fstat(self._file).st_size
        if size == 0:
            if self._beside is not None:
                _be_like(self._file, os.stat(self._beside))
            os.posix_fallocate(self._file, 0, SIZE)
        elif size != SIZE:
            raise OSError(f"{self._path} has another size than it should")
        self._take(SLOTS, fcntl.F_UNLCK, SET_LOCK)


def _opened(path: str, only_ours: bool) -> int:
    """Open the file if it is a plain one and, in a folder of all, ours."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
                   | os.O_NOFOLLOW, 0o600)
    status = os.fstat(file)
    if stat.S_ISREG(status.st_mode) and (
            not only_ours or (status.st_uid == os.geteuid()
                              and not stat.S_IMODE(status.st_mode) & 0o077)):
        return file
    os.close(file)
    raise OSError(f"{path} is no plain file of this user alone")


def _be_like(file: int, status: os.stat_result) -> None:
    """Give a file the owner and mode of another, as SQLite does with its.

    Otherwise an operator's command would make one that the service's own
    user cannot open.
    """
    if os.geteuid() == 0:
        os.fchown(file, status.st_uid, status.st_gid)
    os.fchmod(file, stat.S_IMODE(status.st_mode) & 0o666)
