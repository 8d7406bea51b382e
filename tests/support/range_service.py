#!/usr/bin/env python3
"""A service that knows breached passwords, on a free loopback port."""

import hashlib
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any, Callable, Dict, List, Optional

from tests.support.smtp_sink import Certificate

# Another password's line, and one of padding.
OTHERS = "0018A45C4D1DEF81644B54AB7F969B88D65:3"
PADDING = "00D4F6E8FA6EECAD2A3AA415EEC418D38EC:0"


class _Server(ThreadingMixIn, HTTPServer):
    """Answers each request in a thread that need not end."""

    daemon_threads = True


class RangeService:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self, certificate: Optional[Certificate] = None) -> None:
        """Answer that nothing is known, over TLS with this certificate."""
        self.status = 200
        self.body = f"{OTHERS}\r\n{PADDING}"
        self.headers: Dict[str, str] = {}
        # Seconds between the pieces, and how long a piece is.
        self.pause = 0.0
        self.piece = 1 << 20
        self.drip_headers = False
        self.before_answering: Callable[[], None] = lambda: None
        self.stop = threading.Event()
        self.paths: List[str] = []
        self.asked_with: List[Dict[str, str]] = []
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        scheme = "http"
        if certificate is not None:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True)
        port = self._server.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{port}/range/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "RangeService":
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, *details: Any) -> None:
        """Stop answering, also in the middle of an answer."""
        self.stop.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def know(self, password: str, count: int = 7) -> None:
        """Answer from now on with the line of this password, too."""
        self.body = f"{OTHERS}\r\n{line_of(password, count)}\r\n{PADDING}"


def line_of(password: str, count: int) -> str:
    """Return what the protocol says of a password behind its prefix."""
    hexed = hashlib.sha1(password.encode("utf-8")).hexdigest().upper()
    return f"{hexed[5:]}:{count}"


def prefix_of(password: str) -> str:
    """Return what the protocol sends of a password."""
    return hashlib.sha1(password.encode("utf-8")).hexdigest().upper()[:5]


def _handler_of(service: RangeService) -> Any:
    """Return the class whose instances answer for a service."""

    class Handler(BaseHTTPRequestHandler):
        """Answers one request as the service was told."""

        def do_GET(self) -> None:
            """Note the question and answer it, piece by piece."""
            service.paths.append(self.path)
            service.asked_with.append(dict(self.headers.items()))
            service.before_answering()
            body = service.body.encode("utf-8")
            headers = {"Content-Length": str(len(body)), **service.headers}
            head = "".join(f"{name}: {value}\r\n"
                           for name, value in headers.items())
            start = f"HTTP/1.0 {service.status} Told\r\n{head}\r\n".encode()
            try:
                if service.drip_headers:
                    self._write_in_pieces(start)
                else:
                    self.wfile.write(start)
                self._write_in_pieces(body)
            except OSError:
                return

        def _write_in_pieces(self, content: bytes) -> None:
            """Write as slowly as the service was told to."""
            for first in range(0, len(content), service.piece):
                if service.pause and service.stop.wait(service.pause):
                    return
                self.wfile.write(content[first:first + service.piece])
                self.wfile.flush()

        def log_message(self, *given: Any) -> None:
            """Keep quiet on the terminal."""

    return Handler
