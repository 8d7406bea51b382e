#!/usr/bin/env python3
"""A real SMTP server on loopback that keeps what it is sent.

    with SmtpSink() as sink:
        ...                          # the code under test uses sink.url
        [letter] = sink.wait_for(1)
        assert letter.recipients == ("jo@example.org",)

It can be told to answer otherwise (``answer``, ``refuse``, ``stall``), be
stopped, and be started again on the same port.
"""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
import time
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import quote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import (
    SMTP, AuthResult, Envelope, LoginPassword, Session)

HOST = "127.0.0.1"
CLEAR, STARTTLS, IMPLICIT = "smtp", "smtp+starttls", "smtps"

_OPENSSL_SETTINGS = """
[req]
prompt = no
distinguished_name = name
x509_extensions = ours
[name]
CN = localhost
[ours]
subjectAltName = {subject}
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature, keyEncipherment, keyCertSign
subjectKeyIdentifier = hash
"""


class Certificate(NamedTuple):
    """The files of a self-signed certificate and of its key."""

    cert: str
    key: str


class SinkLetter(NamedTuple):
    """A letter as the server received it.

    ``sender`` and ``recipients`` are those of the envelope, ``user`` is who
    had logged in.
    """

    sender: str
    recipients: Tuple[str, ...]
    message: EmailMessage
    raw: bytes
    user: Optional[str]
    encrypted: bool

    @property
    def text(self) -> str:
        """Return the plain text of the letter, with line feeds."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """Return the HTML of the letter, with line feeds."""
        return self._part("html")

    def _part(self, subtype: str) -> str:
        """Return the one part of this kind."""
        [part] = [part for part in self.message.walk()
                  if part.get_content_type() == f"text/{subtype}"]
        assert isinstance(part, EmailMessage)
        content: str = part.get_content()
        return content.replace("\r\n", "\n")


def openssl_is_missing() -> bool:
    """Say whether the program that makes certificates is not installed."""
    return shutil.which("openssl") is None


def make_certificate(folder: Path, subject: str = "DNS:localhost,IP:127.0.0.1"
                     ) -> Certificate:
    """Make a fresh self-signed certificate and its key in a folder."""
    made = Certificate(str(folder / "cert.pem"), str(folder / "key.pem"))
    settings = folder / "openssl.cnf"
    settings.write_text(_OPENSSL_SETTINGS.format(subject=subject))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-config", str(settings), "-keyout", made.key, "-out",
         made.cert], check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    return made


class SmtpSink:
    """The server: keeps letters, and answers otherwise when told to.

    Only verbs of a conversation are told: EHLO, MAIL, RCPT, DATA, QUIT.
    """

    def __init__(self, security: str = CLEAR,
                 certificate: Optional[Certificate] = None,
                 login: Optional[Tuple[str, str]] = None) -> None:
        """Listen on a free port of 127.0.0.1 once started.

        ``security`` is the scheme of its URL: ``smtp``, ``smtp+starttls``
        (then nothing is taken before STARTTLS) or ``smtps``; the latter two
        need a certificate. With ``login`` nothing is taken from anybody who
        has not logged in with this user and password.
        """
        self.security = security
        self.port = _free_port()
        self.login = login
        self._certificate = certificate
        self._handler = _Handler(login)
        self._controller: Optional[_Controller] = None

    def __enter__(self) -> "SmtpSink":
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the server."""
        self.stop()

    @property
    def url(self) -> str:
        """Return the URL to hand letters over: user, host, trusted file."""
        user = ":".join(quote(text, safe="") for text in self.login or ())
        trust = ""
        if self.security != CLEAR and self._certificate:
            trust = f"?cafile={quote(self._certificate.cert)}"
        at = "@" if user else ""
        return f"{self.security}://{user}{at}{HOST}:{self.port}{trust}"

    @property
    def letters(self) -> List[SinkLetter]:
        """Return the letters taken so far, the oldest first."""
        return list(self._handler.letters)

    @property
    def logins(self) -> List[Tuple[str, str]]:
        """Return every user and password that anybody tried."""
        return list(self._handler.logins)

    @property
    def verbs(self) -> List[str]:
        """Return the verbs heard so far; what TLS hides is in it too."""
        return list(self._handler.verbs)

    @property
    def connections(self) -> int:
        """Return how many connections are open at this moment."""
        return self._controller.open if self._controller else 0

    def wait_for(self, count: int, seconds: float = 10.0) -> List[SinkLetter]:
        """Return the letters as soon as there are ``count``, or fail."""
        deadline = time.monotonic() + seconds
        while len(self.letters) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        found = self.letters
        assert len(found) >= count, f"{len(found)} of {count} letters came"
        return found

    def answer(self, verb: str, reply: str) -> None:
        """Answer a verb with this line from now on; DATA keeps nothing."""
        self._handler.answers[verb] = reply

    def refuse(self, recipient: str, reply: str = "550 5.1.1 No such user"
               ) -> None:
        """Answer RCPT for one recipient with this line from now on."""
        self._handler.refused[recipient] = reply

    def stall(self, verb: str, seconds: float) -> None:
        """Wait this long before each answer to a verb, from now on."""
        self._handler.stalls[verb] = seconds

    def obey(self) -> None:
        """Take everything again: forget what it was told."""
        self._handler.answers.clear()
        self._handler.refused.clear()
        self._handler.stalls.clear()

    def start(self) -> None:
        """Start listening; the port stays the same over stop and start."""
        self._controller = _Controller(
            self._handler, hostname=HOST, port=self.port,
            server_hostname="sink.example", authenticator=self._handler.judge,
            auth_require_tls=self.security == STARTTLS,
            **_tls_settings(self.security, self._certificate))
        self._controller.start()

    def stop(self) -> None:
        """Stop listening and hang up; letters and orders are kept."""
        if self._controller is not None:
            self._controller.hang_up()
            self._controller.stop()
            self._controller = None


class _Controller(Controller):
    """The thread of the server, which can hang up on everybody."""

    def __init__(self, handler: "_Handler", **settings: Any) -> None:
        """Serve with this handler; the settings are the library's."""
        super().__init__(handler, **settings)
        self._protocols: List[SMTP] = []

    def factory(self) -> SMTP:
        """Make the protocol of one connection, and remember it."""
        protocol: SMTP = super().factory()
        self._protocols.append(protocol)
        return protocol

    @property
    def open(self) -> int:
        """Return how many connections are open."""
        return sum(protocol.transport is not None
                   for protocol in self._protocols)

    def hang_up(self) -> None:
        """Cut all connections.

        Stopping waits for them to end since Python 3.12, which a client
        that stalls, or that we stall, would not let happen.
        """
        cut = threading.Event()
        self.loop.call_soon_threadsafe(self._cut, cut)
        cut.wait(10)

    def _cut(self, done: threading.Event) -> None:
        """Cut all connections, inside the thread of the server."""
        for protocol in self._protocols:
            if protocol.transport is not None:
                protocol.transport.abort()
        self.loop.call_later(0.01, done.set)


class _Handler:
    """What the server does at each verb; runs in the server's thread."""

    def __init__(self, login: Optional[Tuple[str, str]]) -> None:
        """Take everything, from those who logged in if that is needed."""
        self._login = login
        self.letters: List[SinkLetter] = []
        self.logins: List[Tuple[str, str]] = []
        self.verbs: List[str] = []
        self.answers: Dict[str, str] = {}
        self.refused: Dict[str, str] = {}
        self.stalls: Dict[str, float] = {}

    def judge(self, server: SMTP, session: Session, envelope: Envelope,
              mechanism: str, given: LoginPassword) -> AuthResult:
        """Say whether user and password are right, and write them down."""
        tried = (given.login.decode(), given.password.decode())
        self.logins.append(tried)
        right = tried == self._login
        return AuthResult(success=right, handled=False, auth_data=tried[0])

    async def handle_EHLO(
            self, server: SMTP, session: Session, envelope: Envelope,
            hostname: str, responses: List[str]) -> List[str]:
        """Greet, or answer as told."""
        told = await self._told("EHLO")
        if told:
            return [told]
        session.host_name = hostname
        return responses

    async def handle_MAIL(
            self, server: SMTP, session: Session, envelope: Envelope,
            address: str, options: List[str]) -> str:
        """Take a sender, or answer as told."""
        told = await self._told("MAIL")
        if not told and self._login and not session.authenticated:
            told = "530 5.7.0 Authentication required"
        if told:
            return told
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
            self, server: SMTP, session: Session, envelope: Envelope,
            address: str, options: List[str]) -> str:
        """Take a recipient, or answer as told."""
        told = await self._told("RCPT") or self.refused.get(address, "")
        if told:
            return told
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session,
                          envelope: Envelope) -> str:
        """Keep a letter, or answer as told."""
        told = await self._told("DATA")
        if told:
            return told
        raw = envelope.original_content or b""
        message = BytesParser(policy=default).parsebytes(raw)
        assert isinstance(message, EmailMessage)
        transport = server.transport
        encrypted = transport.get_extra_info("sslcontext") is not None
        self.letters.append(SinkLetter(
            envelope.mail_from or "", tuple(envelope.rcpt_tos), message, raw,
            session.auth_data, encrypted))
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session,
                          envelope: Envelope) -> str:
        """Say goodbye, or answer as told."""
        return await self._told("QUIT") or "221 Bye"

    async def _told(self, verb: str) -> str:
        """Wait as told, and return the answer that was ordered, or none."""
        self.verbs.append(verb)
        await asyncio.sleep(self.stalls.get(verb, 0))
        return self.answers.get(verb, "")


def _free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _tls_settings(security: str, certificate: Optional[Certificate]
                  ) -> Dict[str, Any]:
    """Return what the server needs to know to speak TLS as it should."""
    if security == CLEAR:
        return {}
    assert certificate is not None, "TLS needs a certificate"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    if security == IMPLICIT:
        return {"ssl_context": context}
    return {"tls_context": context, "require_starttls": True}
