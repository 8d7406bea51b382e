#!/usr/bin/env python3
"""A server that reads lines and answers from a script, then hangs up.

For the manners that no real mail server has, and that some have all the
same on a bad day.
"""

import socket
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, List

from tests.support.smtp_sink import HOST

LETTER_TAKEN = ["220 hello", "250 hello", "250 sender", "250 recipient",
                "354 go on", "250 taken"]


@contextmanager
def scripted(answers: List[str]) -> Iterator[str]:
    """Serve one connection; yield the URL.

    The first answer is the greeting, each further one answers a line, or
    the whole letter after a 354.
    """
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        server = threading.Thread(target=_serve, args=(listener, answers))
        server.start()
        try:
            yield f"smtp://{HOST}:{port}"
        finally:
            server.join(10)
            assert not server.is_alive()


def _serve(listener: socket.socket, answers: List[str]) -> None:
    """Play the script to the first who connects."""
    connection = listener.accept()[0]
    with connection, connection.makefile("rb") as lines:
        for number, answer in enumerate(answers):
            if number:
                end = b".\r\n" if answers[number - 1][:3] == "354" else b"\r\n"
                _read_up_to(lines.readline, end)
            connection.sendall(answer.encode() + b"\r\n")


def _read_up_to(readline: Callable[[], bytes], end: bytes) -> None:
    """Read lines up to one that is, or ends like, this one."""
    while True:
        line = readline()
        if not line or line == end or end == b"\r\n":
            return
