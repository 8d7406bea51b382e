#!/usr/bin/env python3
"""Connections that stay open, and which process is at their other end."""

import os
import re
import socket
from pathlib import Path
from time import monotonic
from typing import List, Optional

from tests.support.hunt_judge import Answer, Asked

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PATIENCE_SECONDS = 30
# The columns of /proc/net/tcp that count here.
LOCAL, REMOTE, INODE = 1, 2, 9


class Line:
    """One connection to a machine, with one check on its way at most."""

    def __init__(self, machine: int, port: int) -> None:
        """Connect when it is first asked something."""
        self.machine = machine
        self.port = port
        self.socket: Optional[socket.socket] = None
        self.asked: Optional[Asked] = None
        self.answers = 0
        self.used_at = 0.0
        # The process at the other end, once that is known.
        self.holder: Optional[int] = None
        self._received = b""

    def fileno(self) -> int:
        """Return what ``select`` waits for."""
        return -1 if self.socket is None else self.socket.fileno()

    def open(self) -> socket.socket:
        """Connect anew, whatever there was before."""
        self.close()
        self.socket = socket.create_connection(
            ("127.0.0.1", self.port), PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.socket

    def close(self) -> None:
        """Give the connection up, with what is on its way."""
        if self.socket is not None:
            self.socket.close()
        self.socket, self.asked, self.holder = None, None, None
        self.answers, self._received = 0, b""

    def ask(self, asked: Asked) -> None:
        """Send a check; raises ``OSError`` where the other end is gone."""
        assert self.socket is not None
        self.asked = asked
        self.socket.sendall(asked.ticket.request(asked.path, self.port))

    def take(self) -> Optional[Answer]:
        """Take in what has come; return the answer if that is all of it.

        Raises ``ConnectionError`` where the other end has hung up.
        """
        assert self.socket is not None
        more = self.socket.recv(65536)
        if not more:
            raise ConnectionResetError("it hung up")
        self._received += more
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return None
        length = LENGTH.search(head)
        if length is not None and len(body) < int(length.group(1)):
            return None
        self._received = b""
        self.answers += 1
        self.used_at = monotonic()
        return Answer(int(head[9:12]), head, body)


def workers_of(master: int) -> List[int]:
    """Return the children of a process that run."""
    try:
        text = Path(f"/proc/{master}/task/{master}/children").read_text()
        return [int(each) for each in text.split()
                if _state(int(each)) not in ("Z", "X", "")]
    except OSError:
        return []


def holder_of(connection: socket.socket, pids: List[int]) -> Optional[int]:
    """Return which of these processes is at a connection's other end."""
    try:
        ours = f":{connection.getsockname()[1]:04X}"
        theirs = f":{connection.getpeername()[1]:04X}"
    except OSError:
        return None
    for line in Path("/proc/net/tcp").read_text().splitlines():
        columns = line.split()
        if (columns[LOCAL].endswith(theirs)
                and columns[REMOTE].endswith(ours)):
            wanted = f"socket:[{columns[INODE]}]"
            return next((pid for pid in pids if _has(pid, wanted)), None)
    return None


def _state(pid: int) -> str:
    """Return a process's state in one letter; nothing where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]


def _has(pid: int, wanted: str) -> bool:
    """Say whether a process has a file open, by what its link says."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}") == wanted:
                return True
        except OSError:
            continue
    return False
