#!/usr/bin/env python3
"""Whether a client has left before it was answered, where one can tell.

WSGI does not say. Granian tells us, and whoever makes its requests ours hands
on how. Gunicorn hands on the connection, and its end can be seen without
reading from it. Behind a proxy that is the proxy's connection, which it closes
when its own client leaves, as nginx does unless told otherwise.
"""

import socket
import ssl
from functools import partial
from typing import Any, Callable, Dict

from vestibule.base.origin import stays

CONNECTION = "gunicorn.socket"
HAS_LEFT = "vestibule.has_left"
LOOK = socket.MSG_PEEK | getattr(socket, "MSG_DONTWAIT", 0)


def departure_of(environ: Dict[str, Any]) -> Callable[[], bool]:
    """Return what says whether a request's client has left by then.

    A connection on which the server does TLS itself takes no such look.
    """
    if HAS_LEFT in environ:
        told: Callable[[], bool] = environ[HAS_LEFT]
        return told
    connection: Any = environ.get(CONNECTION)
    if (not isinstance(connection, socket.socket) or connection.gettimeout()
            or LOOK == socket.MSG_PEEK
            or isinstance(connection, ssl.SSLSocket)):
        return stays
    return partial(_has_ended, connection)


def _has_ended(connection: socket.socket) -> bool:
    """Say whether the other end has closed; what it has sent stays there.

    Whoever closes their half and still listens counts as gone, as for
    nginx: a client that does so gets no answer from there either.
    """
    try:
        return connection.recv(1, LOOK) == b""
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True
