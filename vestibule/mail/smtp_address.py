#!/usr/bin/env python3
"""Reads the URL of an SMTP server, and refuses what would be unsafe."""

import re
from enum import Enum
from ipaddress import ip_address
from typing import Dict, NamedTuple, Optional, Tuple
from urllib.parse import SplitResult, unquote, urlsplit

_EXAMPLE = "smtp+starttls://user:password@mail.example.org:587"
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


class Security(Enum):
    """How the connection is protected; the value is the scheme of the URL."""

    STARTTLS = "smtp+starttls"
    TLS = "smtps"
    CLEAR = "smtp"


_PORTS: Dict[Security, int] = {
    Security.STARTTLS: 587, Security.TLS: 465, Security.CLEAR: 25}


class SmtpAddress(NamedTuple):
    """Where and how mail is handed over; its repr hides the password."""

    security: Security
    host: str
    port: int
    user: Optional[str] = None
    password: Optional[str] = None
    cafile: Optional[str] = None

    def __repr__(self) -> str:
        """Show scheme, host and port only."""
        return f"<SmtpAddress {self.security.value}://{self.place}>"

    @property
    def place(self) -> str:
        """Return ``host:port``, as it stands in messages to operators."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_smtp_url(url: str) -> SmtpAddress:
    """Read ``smtp+starttls://user:password@host:587`` and its two siblings.

    ``smtps://`` speaks TLS from the first byte (port 465), ``smtp://`` clear
    text (port 25), which is for this machine only. User and password are
    percent-encoded; ``?cafile=/path`` names the certificates to trust in
    place of the system's.

    Raises ``ValueError`` with one sentence that says what is wrong. Nothing
    of the URL is quoted in it but a host that was understood as one: where
    a URL is wrong, any piece may be part of the password.
    """
    parts = _split(url)
    security = _security(parts)
    user, password = _credentials(parts)
    address = SmtpAddress(
        security, _host(parts), _port(parts, _PORTS[security]), user,
        password, _cafile(parts))
    if security is Security.CLEAR:
        _refuse_clear_text_abroad(address)
    return address


def _split(url: str) -> SplitResult:
    """Take a URL apart; what ``urlsplit`` mends or ignores is refused."""
    if not _PRINTABLE.fullmatch(url) or " " in url:
        raise ValueError("it holds a blank, a line break or a character "
                         "beyond ASCII; percent-encode it")
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError(
            "it is no URL; the characters [ and ] in a password must be "
            f"percent-encoded, and all of it look like {_EXAMPLE}") from None


def _security(parts: SplitResult) -> Security:
    """Return what the scheme asks for."""
    try:
        return Security(parts.scheme)
    except ValueError:
        raise ValueError(
            "it must start with smtp+starttls://, smtps:// or, on this "
            f"machine only, smtp://, as in {_EXAMPLE}") from None


def _credentials(parts: SplitResult) -> Tuple[Optional[str], Optional[str]]:
    """Return user and password, decoded; both or none."""
    if parts.path.strip("/") or parts.fragment or parts.netloc.count("@") > 1:
        raise ValueError(
            "something stands behind host and port; the characters @ : / ? # "
            "and % in a user or password must be percent-encoded")
    if not parts.username and not parts.password:
        return None, None
    if not parts.username or not parts.password:
        raise ValueError("user and password must be given both, or neither")
    return _decoded(parts.username), _decoded(parts.password)


def _decoded(text: str) -> str:
    """Return a percent-encoded text; SMTP logins of ours are ASCII."""
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        decoded = "\0"
    if not _PRINTABLE.fullmatch(decoded):
        raise ValueError("user and password must be printable ASCII; the mail "
                         "library cannot log in with others")
    return decoded


def _host(parts: SplitResult) -> str:
    """Return the host: a name in ASCII, or an IP address."""
    host = parts.hostname or ""
    if not (_HOST.fullmatch(host) or _ip_is_loopback(host) is not None):
        raise ValueError(f"it names no usable host; it should look like "
                         f"{_EXAMPLE}")
    return host


def _port(parts: SplitResult, default: int) -> int:
    """Return the port that is given, or the default of the scheme."""
    try:
        port = default if parts.port is None else parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(
            "the port must be a number from 1 to 65535; the characters "
            "@ : / ? # and % in a password must be percent-encoded")
    return port


def _cafile(parts: SplitResult) -> Optional[str]:
    """Return the file of trusted certificates, the one thing to ask for."""
    if not parts.query:
        return None
    name, _, path = parts.query.partition("=")
    if name != "cafile" or not path or "&" in path:
        raise ValueError("behind the ? only cafile=/path is understood, once; "
                         "a ? in a password must be percent-encoded")
    return unquote(path)


def _refuse_clear_text_abroad(address: SmtpAddress) -> None:
    """Let clear text go to this machine only, where nobody listens in."""
    if address.cafile:
        raise ValueError("smtp:// speaks clear text and has no use for cafile")
    if address.host != "localhost" and not _ip_is_loopback(address.host):
        raise ValueError(
            f"smtp:// would send passwords and letters to {address.host} in "
            "clear text; use smtp+starttls:// or smtps://")


def _ip_is_loopback(host: str) -> Optional[bool]:
    """Say whether an IP address is this machine's; None for other names."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return None
