#!/usr/bin/env python3
"""Breaches: asks a service whether a password is known from a data breach.

Only the first five hex digits of the password's SHA-1 leave the house: the
service answers with all it knows that begin so, and the rest is compared here
(the range protocol of Have I Been Pwned). It is never relied on for more than
two seconds.
"""

import hashlib
import logging
import re
import socket
import ssl
import threading
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Optional
from urllib.parse import urlsplit

from vestibule.base.errors import Unavailable

SECONDS = 2.0
TOO_SLOW = f"took longer than {SECONDS:.0f} seconds"
# The longest answers of today have about 100 KB.
LARGEST = 512 * 1024
PREFIX_LENGTH = 5
# So many threads may still hang on a service after it was given up.
MOST_AT_ONCE = 16
LINE = re.compile(r"([0-9A-Fa-f]{35}):([0-9]{1,12})")
HEADERS = {"Add-Padding": "true", "User-Agent": "Vestibule",
           "Accept-Encoding": "identity", "Connection": "close"}
logger = logging.getLogger(__name__)


class _Failure(Exception):
    """The service did not give an answer that means something."""


class Breaches:
    """Knows which passwords are in the hands of attackers."""

    def __init__(self, url: str, closed: bool = False) -> None:
        """Ask at this URL, to which the five digits are appended.

        ``closed`` is whether no password is taken while nobody answers.
        Certificates are verified, redirects are not followed, and proxies
        are not used.
        """
        self._url = url
        self._closed = closed
        self._tls = (ssl.create_default_context()
                     if url.startswith("https:") else None)
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)

    def hold(self, password: str) -> bool:
        """Say whether this password is known from a breach.

        A service that fails knows nothing, or, where it has to answer, is a
        reason for ``Unavailable``. It is logged without any digits.
        """
        # Not for safety, but what the protocol asks for.
        hexed = hashlib.sha1(password.encode("utf-8")).hexdigest().upper()
        prefix, rest = hexed[:PREFIX_LENGTH], hexed[PREFIX_LENGTH:]
        try:
            return _counts(self._ask(prefix), rest) > 0
        except _Failure as failure:
            logger.warning("The service of VESTIBULE_BREACH_URL %s.", failure)
        if self._closed:
            raise Unavailable("New passwords cannot be checked at the "
                              "moment. Please try again a little later.")
        return False

    def _ask(self, prefix: str) -> bytes:
        """Return what the service says, within the time that it has.

        It runs in a thread of its own, since neither the look-up of its name
        nor an answer in drops can be limited otherwise.
        """
        if not self._places.acquire(timeout=SECONDS):
            raise _Failure("hangs too often")
        call = _Call(self._url + prefix, self._tls)
        thread = threading.Thread(
            target=self._run, args=(call,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._places.release()
            raise _Failure("cannot be asked: there are too many threads")
        thread.join(SECONDS)
        if thread.is_alive():
            call.cut_off()
            raise _Failure(TOO_SLOW)
        if call.body is None:
            raise _Failure(call.problem)
        return call.body

    def _run(self, call: "_Call") -> None:
        """Make the call, and let another one begin."""
        try:
            call.make()
        finally:
            self._places.release()


class _Call:
    """One request, which another thread can cut off."""

    def __init__(self, url: str, tls: Optional[ssl.SSLContext]) -> None:
        """Prepare to get this URL; nothing is connected."""
        self._url = urlsplit(url)
        self._tls = tls
        self._line: Optional[socket.socket] = None
        self._given_up = False
        self.body: Optional[bytes] = None
        self.problem = "failed"

    def make(self) -> None:
        """Get the body, or note what the problem was."""
        connection = self._connection()
        try:
            connection.connect()
            self._line = connection.sock
            if self._given_up:
                return
            connection.request("GET", self._url.path, headers=HEADERS)
            response = connection.getresponse()
            if response.status != 200:
                self.problem = f"answered {response.status}"
                return
            body = response.read(LARGEST + 1)
            if len(body) > LARGEST:
                self.problem = "answered with too much"
            elif response.length:
                self.problem = "stopped in the middle of its answer"
            else:
                self.body = body
        except socket.timeout:
            self.problem = TOO_SLOW
        except (OSError, HTTPException, ValueError) as error:
            self.problem = f"cannot be asked: {type(error).__name__}"
        finally:
            connection.close()

    def cut_off(self) -> None:
        """End the call from outside, so that its thread does, too.

        The plain socket is shut and not the TLS around it, which would pull
        the rug from under the thread that reads. While there is none yet,
        the thread ends as soon as there is.
        """
        self._given_up = True
        if self._line is not None:
            try:
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)
            except OSError:
                return

    def _connection(self) -> HTTPConnection:
        """Return the connection to be made, each step of it limited."""
        host = self._url.hostname or ""
        if self._tls is None:
            return HTTPConnection(host, self._url.port, timeout=SECONDS)
        return HTTPSConnection(
            host, self._url.port, timeout=SECONDS, context=self._tls)


def _counts(body: bytes, rest: str) -> int:
    """Return how often breaches held the digest that ends so.

    A count of 0 is padding. Whatever is not of this form comes from another
    kind of service, which says nothing about passwords.
    """
    count = 0
    for line in body.decode("ascii", "replace").splitlines():
        match = LINE.fullmatch(line)
        if match is None:
            raise _Failure("answered with something else")
        if match.group(1).upper() == rest:
            count += int(match.group(2))
    return count
