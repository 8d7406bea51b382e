#!/usr/bin/env python3
"""How the text of a setting becomes a value, and what makes it unusable.

Each parser raises ``ValueError`` with the end of a sentence that begins with
the setting's name.
"""

import ipaddress
import re
from datetime import timedelta
from typing import Callable, Dict, NamedTuple, Optional, Tuple, Union
from urllib.parse import parse_qsl, quote, urlsplit

from vestibule.base.errors import InvalidInput
from vestibule.base.identifiers import canonical_email

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

DURATION_UNITS = {
    "m": timedelta(minutes=1), "h": timedelta(hours=1),
    "d": timedelta(days=1)}
SHORTEST_KEY = 32
DISTINCT_IN_KEY = 10
# What a URI is made of, after RFC 3986.
URI = r"[\w.~:/?#\[\]@!$&'()*+,;=%-]"
CONTACT_URI = re.compile(
    rf"https://[\w.:\[\]-]+([/?#]{URI}*)?|mailto:{URI}+@{URI}+", re.ASCII)
REDIS_SCHEMES = ("redis", "rediss", "unix")
REDIS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
KEY_ID = re.compile("[a-z0-9]{1,16}")


class Bind(NamedTuple):
    """An address and a port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        """Spell it as one would write it, IPv6 in brackets."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return _is_loopback(self.host)

    @property
    def reachable(self) -> str:
        """Host and port under which this machine reaches the service."""
        if self.host in ("0.0.0.0", "::"):
            return f"127.0.0.1:{self.port}"
        return str(self)


class BaseURL(NamedTuple):
    """Where people reach the service: no query, no trailing slash."""

    scheme: str
    host: str
    prefix: str

    def __str__(self) -> str:
        """Spell the URL without a slash at its end."""
        return f"{self.origin}{self.prefix}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, as a browser's Origin header has them."""
        return f"{self.scheme}://{self.host}"

    @property
    def is_loopback(self) -> bool:
        """Whether the URL can only mean this machine."""
        return _is_loopback(urlsplit(self.origin).hostname or "")


class Pepper(NamedTuple):
    """A secret that is mixed into passwords, and the id it is known by."""

    key_id: str
    secret: str

    def __repr__(self) -> str:
        """Show the id alone."""
        return f"<Pepper {self.key_id}>"


def plain(text: str) -> str:
    """Take any text that is not blank and holds no control characters."""
    if not text.strip():
        raise ValueError("is empty")
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return text.strip()


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that takes one of these words."""
    def parse(text: str) -> str:
        """Take one of the words."""
        if text not in choices:
            raise ValueError(f"must be {' or '.join(choices)}, not {text!r}")
        return text
    return parse


def yes_no(text: str) -> bool:
    """Take ``yes`` or ``no``."""
    return one_of("yes", "no")(text) == "yes"


def small_number(text: str) -> int:
    """Take a whole number from 1 to 256."""
    return _number(text, 1, 256)


def bcrypt_cost(text: str) -> int:
    """Take a cost that a person would wait for, from 4 to 16."""
    return _number(text, 4, 16)


def password_length(text: str) -> int:
    """Take a least length of passwords, from 1 to 64 code points.

    NIST SP 800-63B-4 3.1.1.2: everybody may use at least 64.
    """
    return _number(text, 1, 64)


def bind(text: str) -> Bind:
    """Take ``127.0.0.1:5000``, ``[::1]:5000`` or ``localhost:5000``."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError("must be an address and a port, as in "
                         f"127.0.0.1:5000, not {text!r}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("must have an IPv6 address in brackets: [::1]:5000")
    try:
        return Bind(host, _number(port, 1, 65535))
    except ValueError as error:
        raise ValueError(f"has a port that {error}") from None


def base_url(text: str) -> BaseURL:
    """Take ``https://example.com`` or ``https://example.com/auth``."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https:// or http:// and a host")
    if ":" not in host:
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError("has a host that is no name") from None
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be scheme, host and path alone")
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        return BaseURL(parts.scheme, f"{_bracketed(host)}:{port}",
                       parts.path.rstrip("/"))
    return BaseURL(parts.scheme, _bracketed(host), parts.path.rstrip("/"))


def range_url(text: str) -> str:
    """Take ``https://ranges.example.com/range/``, or another http URL.

    Five hex digits are appended to it, so that its end matters.
    """
    url = base_url(text)
    if re.search(r"[^!-~]", text.strip()):
        raise ValueError("must be of ASCII without blanks")
    if not text.strip().endswith("/"):
        raise ValueError("must end with /, since five digits are appended")
    return f"{url}/"


def redis_url(text: str) -> str:
    """Take ``redis://host:6379/0``, ``rediss://…`` or ``unix:///socket``.

    No option can take the verification of certificates away.
    """
    url = plain(text)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        options = dict(parse_qsl(parts.query, strict_parsing=True)
                       if parts.query else [])
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in REDIS_SCHEMES or not url.partition("://")[1]:
        raise ValueError("must begin with redis://, rediss:// (TLS) or "
                         "unix://")
    if parts.fragment or " " in url:
        raise ValueError("holds # or a blank: in passwords they are written "
                         "%23 and %20")
    if parts.scheme == "unix":
        _check_redis_socket(host, parts.path, options)
    else:
        _check_redis_host(host, parts.path, options, parts.scheme)
    return url


def secret_key(text: str) -> str:
    """Take a key that nobody guesses (ASVS 5.0 13.2.3)."""
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed")
    if len(text) < SHORTEST_KEY or len(set(text)) < DISTINCT_IN_KEY:
        raise ValueError(
            f"is too weak: it needs {SHORTEST_KEY} random characters, as "
            "`python3 -c 'import secrets; print(secrets.token_urlsafe())'` "
            "prints them")
    return text


def pepper(text: str) -> Pepper:
    """Take ``id:secret``, the secret as good as a secret key."""
    key_id, colon, secret = text.strip().partition(":")
    if not colon or not KEY_ID.fullmatch(key_id):
        raise ValueError("must be an id of up to 16 small letters and "
                         "digits, a colon and a secret, as in 2026a:…")
    if " " in secret or "," in secret:
        raise ValueError("has a blank or a comma in its secret")
    return Pepper(key_id, secret_key(secret))


def peppers(text: str) -> Tuple[Pepper, ...]:
    """Take peppers separated by commas."""
    return tuple(pepper(each) for each in text.split(","))


def duration(text: str) -> timedelta:
    """Take a whole number of minutes, hours or days: 30m, 12h or 7d."""
    unit = DURATION_UNITS.get(text[-1:])
    if unit is None:
        raise ValueError(f"must be like 30m, 12h or 7d, not {text!r}")
    return _number(text[:-1], 1, 9999) * unit


def origins(text: str) -> Tuple[str, ...]:
    """Take origins separated by commas, like ``https://app.example.com``."""
    found = []
    for each in text.split(","):
        url = base_url(each)
        if url.prefix:
            raise ValueError(f"must be origins without a path, not {each!r}")
        found.append(url.origin)
    return tuple(found)


def mail_address(text: str) -> str:
    """Take one plain mail address, without a name around it."""
    try:
        return canonical_email(text, local_names=True)
    except InvalidInput:
        raise ValueError("must be one plain mail address") from None


def contact(text: str) -> str:
    """Take a mail address, or a ``mailto:`` or ``https:`` URI (RFC 9116)."""
    if "@" in text and ":" not in text:
        return "mailto:" + quote(mail_address(text), safe="@!$'*+")
    if not CONTACT_URI.fullmatch(text):
        raise ValueError("must be a mail address, or a URI that begins with "
                         "https:// or mailto:")
    return text


def networks(text: str) -> Tuple[Network, ...]:
    """Take networks or addresses, separated by commas."""
    try:
        return tuple(ipaddress.ip_network(each.strip())
                     for each in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"must be networks such as 10.0.0.0/8, but {error}") from None


def _check_redis_socket(host: Optional[str], path: str,
                        options: Dict[str, str]) -> None:
    """Refuse what is no path of a socket and the number of a database."""
    if host or len(path) < 2:
        raise ValueError("must have a socket's whole path, as in "
                         "unix:///run/redis.sock")
    if set(options) - {"db"} or not options.get("db", "0").isdecimal():
        raise ValueError("may have the option db alone, as in ?db=0")


def _check_redis_host(host: Optional[str], path: str,
                      options: Dict[str, str], scheme: str) -> None:
    """Refuse what is no host and the number of a database."""
    if not host:
        raise ValueError("has no host")
    if path not in ("", "/") and not re.fullmatch("/[0-9]{1,5}", path):
        raise ValueError("must end with the number of a database, as in "
                         "redis://127.0.0.1:6379/0")
    allowed = REDIS_FILES if scheme == "rediss" else ()
    if set(options) - set(allowed):
        raise ValueError("may have no options but, with rediss://, "
                         + ", ".join(REDIS_FILES))


def _number(text: str, least: int, most: int) -> int:
    """Take a whole number within bounds."""
    if (not text.isdecimal() or not text.isascii() or len(text) > 6
            or not least <= int(text) <= most):
        raise ValueError(
            f"must be a whole number from {least} to {most}, not {text!r}")
    return int(text)


def _bracketed(host: str) -> str:
    """Put an IPv6 address in brackets, as URLs have it."""
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    """Say whether a host name or address means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
