#!/usr/bin/env python3
"""One request that granian has read: its environ, its body, its answer.

Granian's own WSGI interface empties a header with a byte beyond ASCII, takes
``X_Forwarded_For`` for ``X-Forwarded-For``, and lets a body that does not
come hold a thread for good. What it hands to an ASGI application is whole,
so that is what this makes a WSGI application's environ of.
"""

import io
import logging
import time
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import unquote_to_bytes

from vestibule.web.access import WSGI
from vestibule.web.body import MAXIMUM_BYTES
from vestibule.web.departure import HAS_LEFT

# As many bytes as Gunicorn takes.
LONGEST_TARGET = 4094
LONGEST_FIELD = 8190
MOST_FIELDS = 100
BODY_SECONDS = 10.0
REMEMBERED_NAMES = 256
WITHOUT_PREFIX = frozenset(["CONTENT_TYPE", "CONTENT_LENGTH"])
CLOSE = (b"connection", b"close")
PROTOCOLS = {"1": "HTTP/1.0", "1.1": "HTTP/1.1"}
SAME_FOR_ALL: Dict[str, Any] = {
    "SCRIPT_NAME": "", "SERVER_SOFTWARE": "granian",
    "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
    "wsgi.input_terminated": True, "wsgi.multithread": True,
    "wsgi.multiprocess": True, "wsgi.run_once": False}
logger = logging.getLogger("vestibule.server")


class Requests:
    """Every request of one process goes through here.

    Granian calls in threads of its own. Nothing may be raised into it.
    """

    def __init__(self, application: WSGI) -> None:
        """Hand all requests to this application."""
        self._application = application
        # Whose bodies are awaited, and until when.
        self._awaited: Dict["_Body", float] = {}

    def take(self, watcher: Any) -> None:
        """Answer a request, at once or when its body is here.

        No thread waits for a body, nor is one awaited that the application
        will refuse unread: its answer ends the connection.
        """
        try:
            scope = watcher.scope
            if _is_too_long(scope):
                refuse(watcher, 431)
                return
            environ = environ_of(scope)
            length = body_length(environ)
            if length:
                body = _Body(self, watcher, environ, length)
                self._awaited[body] = time.monotonic() + BODY_SECONDS
                body.await_more()
            else:
                self.answer(watcher, environ, b"", length is None)
        except BaseException as error:
            give_up(watcher, error)

    def answer(self, watcher: Any, environ: Dict[str, Any], body: bytes,
               is_last: bool) -> None:
        """Have the application answer, and send what it says."""
        environ["wsgi.input"] = io.BytesIO(body)
        # Nobody reads it: whoever has something to say logs it.
        environ["wsgi.errors"] = io.StringIO()
        answer = _Answer(watcher, is_last)
        answer.send(self._application(environ, answer.start))

    def awaits(self, body: "_Body") -> bool:
        """Say whether a body is still awaited."""
        return body in self._awaited

    def settle(self, body: "_Body") -> bool:
        """Say whether a body is still awaited, and await it no longer.

        Only one of the threads that ask hears yes.
        """
        return self._awaited.pop(body, None) is not None

    def expire(self) -> None:
        """Refuse whose body has not come in time; somebody calls often."""
        if not self._awaited:
            return
        now = time.monotonic()
        for body, until in list(self._awaited.items()):
            if until < now and self.settle(body):
                body.expire()


class _Body:
    """A body on its way, of a length that has been found to be small."""

    def __init__(self, requests: Requests, watcher: Any,
                 environ: Dict[str, Any], length: int) -> None:
        """Await so many bytes; ``await_more`` begins."""
        self._requests = requests
        self._watcher = watcher
        self._environ = environ
        self._length = length
        self._read = bytearray()
        self._pending: Any = None

    def await_more(self) -> None:
        """Ask for what comes next, and return before it is here."""
        pending = self._pending = self._watcher.proto.receive()
        pending.add_done_callback(self._take)

    def expire(self) -> None:
        """Refuse the request: its body has taken too long."""
        try:
            pending, self._pending = self._pending, None
            refuse(self._watcher, 408)
            if pending is not None:
                pending.cancel()
        except BaseException as error:
            give_up(self._watcher, error)

    def _take(self, pending: Any) -> None:
        """Take what has come; with all of it, answer the request.

        A body that ends early is the application's to refuse. What granian
        is waiting for knows us, so that we must not know it for longer: no
        garbage collector would see that circle.
        """
        try:
            self._pending = None
            if pending.cancelled():
                return
            message = pending.result()
            self._read += message.get("body", b"")
            if message.get("more_body") and len(self._read) < self._length:
                if self._requests.awaits(self):
                    self.await_more()
            elif self._requests.settle(self):
                self._environ[HAS_LEFT] = _Departure(
                    self._watcher.proto).has_left
                self._requests.answer(
                    self._watcher, self._environ, bytes(self._read), False)
        except BaseException as error:
            give_up(self._watcher, error)


class _Departure:
    """Whether the client of a request has left; its body is here already.

    Granian says so to whoever waits for more of the body. That costs it
    something, so nobody waits before somebody wants to know.
    """

    def __init__(self, proto: Any) -> None:
        """Watch this request, once that is asked for."""
        self._proto = proto
        self._watches = self._left = False

    def has_left(self) -> bool:
        """Say whether the client is known to have left.

        Who asks for the first time has it watched, and hears no.
        """
        if not self._watches:
            self._watches = True
            self._watch()
        return self._left

    def _watch(self) -> None:
        """Wait for what granian says next, and return at once."""
        self._proto.receive().add_done_callback(self._hear)

    def _hear(self, pending: Any) -> None:
        """Take it that the client has left, unless it is the body's end.

        The same is said when it has been answered, and nobody asks then.
        """
        try:
            if pending.cancelled():
                return
            if pending.result()["type"] == "http.disconnect":
                self._left = True
            else:
                self._watch()
        except BaseException as error:
            logger.error("A client is not watched.", exc_info=error)


class _Answer:
    """What the application answers, on its way to the client."""

    def __init__(self, watcher: Any, is_last: bool) -> None:
        """Answer this request, as the last of its connection or not."""
        self._watcher = watcher
        self._is_last = is_last
        self._status = 500
        self._fields: List[Tuple[bytes, bytes]] = []
        self._written: List[bytes] = []
        self._parts: Any = None
        self._iterator: Iterator[bytes] = iter(())

    def start(self, status: str, fields: List[Tuple[str, str]],
              exc_info: Any = None) -> Any:
        """Be the ``start_response`` of WSGI."""
        self._status = int(status[:3])
        self._fields = [(name.encode("latin-1"), value.encode("latin-1"))
                        for name, value in fields]
        return self._written.append

    def send(self, parts: Any) -> None:
        """Send it all at once, or piece by piece where no length is known.
        """
        self._parts = parts
        if isinstance(parts, (list, tuple)) or self._has_length():
            whole = b"".join([*self._written, *parts])
            self._close()
            self._send_head()
            self._send_piece(whole, False)
            return
        self._iterator = iter(parts)
        self._send_head()
        for piece in self._written:
            self._send_piece(piece, True)
        self._go_on(None)

    def _go_on(self, pending: Any) -> None:
        """Send more pieces while the client takes them.

        Where it does not, return, and be called again when it does: no
        thread waits for a client that reads slowly.
        """
        try:
            for piece in self._iterator:
                if not piece:
                    continue
                sent = self._send_piece(piece, True)
                if hasattr(sent, "add_done_callback"):
                    sent.add_done_callback(self._go_on)
                    return
            self._close()
            self._send_piece(b"", False)
        except BaseException as error:
            self._close()
            give_up(self._watcher, error)

    def _has_length(self) -> bool:
        """Say whether the application has said how long the answer is."""
        return any(name.lower() == b"content-length"
                   for name, _ in self._fields)

    def _send_head(self) -> None:
        """Send the status and the headers."""
        if self._is_last:
            self._fields.append(CLOSE)
        self._watcher.proto.send({
            "type": "http.response.start", "status": self._status,
            "headers": self._fields})

    def _send_piece(self, piece: bytes, more: bool) -> Any:
        """Send a piece; the return value tells when there is room again."""
        return self._watcher.proto.send({
            "type": "http.response.body", "body": piece, "more_body": more})

    def _close(self) -> None:
        """Tell the application's answer that nobody reads on."""
        parts, self._parts = self._parts, None
        if hasattr(parts, "close"):
            parts.close()


def environ_of(scope: Dict[str, Any]) -> Dict[str, Any]:
    """Return the environ of a request, all but its body.

    A name with an underscore is left out: in an environ it would look like
    the one with a hyphen, which a proxy may have written.
    """
    environ = SAME_FOR_ALL.copy()
    environ["REQUEST_METHOD"] = scope["method"]
    environ["PATH_INFO"] = unquote_to_bytes(
        scope["raw_path"]).decode("latin-1")
    environ["QUERY_STRING"] = scope["query_string"].decode("latin-1")
    environ["SERVER_PROTOCOL"] = PROTOCOLS[scope["http_version"]]
    environ["SERVER_NAME"], environ["SERVER_PORT"] = scope["server"]
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = scope["client"]
    for name, value in scope["headers"]:
        key = _key(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        if key in environ:
            separator = "; " if key == "HTTP_COOKIE" else ","
            text = f"{environ[key]}{separator}{text}"
        environ[key] = text
    return environ


def body_length(environ: Dict[str, Any]) -> Optional[int]:
    """Return how many bytes are to be awaited.

    ``None`` where none are, because the application will refuse the body
    for what the headers say of it.
    """
    text = environ.get("CONTENT_LENGTH", "0")
    if "HTTP_TRANSFER_ENCODING" in environ or not text.isdecimal():
        return None
    length = int(text[:18])
    return length if length <= MAXIMUM_BYTES else None


def refuse(watcher: Any, status: int) -> None:
    """Answer a request that the application never hears of."""
    proto = watcher.proto
    proto.send({"type": "http.response.start", "status": status,
                "headers": [CLOSE, (b"content-length", b"0")]})
    proto.send({"type": "http.response.body", "body": b""})


def give_up(watcher: Any, error: BaseException) -> None:
    """Log what nobody has caught, and break off or answer 500."""
    logger.error("A request was lost.", exc_info=error)
    watcher.done()


@lru_cache(maxsize=REMEMBERED_NAMES)
def _key(name: bytes) -> Optional[str]:
    """Return where in an environ a header stands, if anywhere."""
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in WITHOUT_PREFIX else f"HTTP_{key}"


def _is_too_long(scope: Dict[str, Any]) -> bool:
    """Say whether any one part of a request's head is out of all measure.
    """
    return (len(scope["raw_path"]) + len(scope["query_string"])
            > LONGEST_TARGET
            or len(scope["headers"]) > MOST_FIELDS
            or any(len(name) + len(value) > LONGEST_FIELD
                   for name, value in scope["headers"]))
