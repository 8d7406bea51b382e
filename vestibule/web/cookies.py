#!/usr/bin/env python3
"""The session cookie: its name, its attributes, and how it is read."""

from typing import Optional

from flask import Response

from vestibule.base.config import Settings
from vestibule.base.errors import SessionRequired
from vestibule.base.setting_values import BaseURL

NAME = "session_id"


def cookie_name(public_url: BaseURL) -> str:
    """Return the cookie's name; over https browsers guard it by its prefix.

    ``__Host-`` makes them refuse a cookie of that name that is not Secure,
    has a Domain or another Path, so no sibling host can plant one
    (ASVS 5.0 3.3.3).
    """
    return f"__Host-{NAME}" if public_url.scheme == "https" else NAME


def presented_token(header: str, public_url: BaseURL) -> Optional[str]:
    """Return the session cookie's value from a Cookie header, if any.

    Names are compared whole and values taken as they are, without unquoting.
    Raises ``SessionRequired`` for two cookies of the name that differ: which
    of them is meant is not ours to guess.
    """
    name = cookie_name(public_url)
    pairs = (part.strip().partition("=") for part in header.split(";"))
    values = {value for key, _, value in pairs if key == name}
    if len(values) > 1:
        raise SessionRequired()
    return values.pop() if values else None


def set_session(response: Response, token: str, settings: Settings,
                remember: bool) -> None:
    """Give the browser its session, where scripts cannot read it.

    A cookie that is not to be remembered ends with the browser.
    """
    seconds = int(settings.session_lifetime.total_seconds())
    _set(response, token, seconds if remember else None,
         settings.public_url)


def clear_session(response: Response, public_url: BaseURL) -> None:
    """Take the cookie back, with the attributes that it was given with."""
    _set(response, "", 0, public_url)


def _set(response: Response, value: str, max_age: Optional[int],
         public_url: BaseURL) -> None:
    """Set the cookie with its fixed attributes (ASVS 5.0 3.3.1 to 3.3.4)."""
    response.set_cookie(
        cookie_name(public_url), value, max_age=max_age, path="/",
        secure=public_url.scheme == "https", httponly=True, samesite="Lax")
