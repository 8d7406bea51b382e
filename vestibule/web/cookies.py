#!/usr/bin/env python3
"""The cookies: their names, their attributes, and how they are read."""

from typing import Optional, Set

from flask import Response

from vestibule.base.config import Settings
from vestibule.base.errors import SessionRequired
from vestibule.base.setting_values import BaseURL
from vestibule.kernel.devices import KNOWN_FOR
from vestibule.kernel.registration_proof import LIFETIME

SESSION, REGISTRATION, DEVICE = "session_id", "registration", "device"
DEVICE_SECONDS = int(KNOWN_FOR.total_seconds())
TWO_COOKIES = "session: two cookies of its name came, and they differ"


def cookie_name(public_url: BaseURL, name: str = SESSION) -> str:
    """Return a cookie's full name; over https browsers guard it by a prefix.

    ``__Host-`` makes them refuse a cookie of that name that is not Secure,
    has a Domain or another Path, so no sibling host can plant one
    (ASVS 5.0 3.3.3).
    """
    return f"__Host-{name}" if public_url.scheme == "https" else name


def presented_token(header: str, public_url: BaseURL) -> Optional[str]:
    """Return the session cookie's value from a Cookie header, if any.

    Raises ``SessionRequired`` for two cookies of the name that differ: which
    of them is meant is not ours to guess.
    """
    values = _values(header, cookie_name(public_url))
    if len(values) > 1:
        raise SessionRequired().decided_by(TWO_COOKIES)
    return values.pop() if values else None


def presented_registration(header: str,
                           public_url: BaseURL) -> Optional[str]:
    """Return the proof of registration that a Cookie header holds, if any.
    """
    values = _values(header, cookie_name(public_url, REGISTRATION))
    return values.pop() if len(values) == 1 else None


def presented_device(header: str, public_url: BaseURL) -> Optional[str]:
    """Return the device cookie's value from a Cookie header, if any."""
    values = _values(header, cookie_name(public_url, DEVICE))
    return values.pop() if len(values) == 1 else None


def set_session(response: Response, token: str, settings: Settings,
                remember: bool) -> None:
    """Give the browser its session, where scripts cannot read it.

    A cookie that is not to be remembered ends with the browser.
    """
    seconds = int(settings.session_lifetime.total_seconds())
    _set(response, SESSION, token, seconds if remember else None,
         settings.public_url)


def clear_session(response: Response, public_url: BaseURL) -> None:
    """Take the cookie back, with the attributes that it was given with."""
    _set(response, SESSION, "", 0, public_url)


def set_registration(response: Response, proof: str,
                     public_url: BaseURL) -> None:
    """Let the browser show, for a day, that it was the one to register."""
    _set(response, REGISTRATION, proof, int(LIFETIME.total_seconds()),
         public_url)


def set_device(response: Response, device: str,
               public_url: BaseURL) -> None:
    """Let the browser show that somebody has signed in on it."""
    _set(response, DEVICE, device, DEVICE_SECONDS, public_url)


def _values(header: str, name: str) -> Set[str]:
    """Return the values that a Cookie header has for a name.

    Names are compared whole and values taken as they are, without unquoting.
    """
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {value for key, _, value in pairs if key == name}


def _set(response: Response, name: str, value: str, max_age: Optional[int],
         public_url: BaseURL) -> None:
    """Set a cookie with the fixed attributes (ASVS 5.0 3.3.1 to 3.3.4)."""
    response.set_cookie(
        cookie_name(public_url, name), value, max_age=max_age, path="/",
        secure=public_url.scheme == "https", httponly=True, samesite="Lax")
