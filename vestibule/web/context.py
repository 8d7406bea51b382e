#!/usr/bin/env python3
"""What belongs to the request at hand, and the services behind it."""

import logging
import os
import re
import threading
from typing import Any, Dict, Optional

from flask import current_app, g, request

from vestibule.base.config import Settings
from vestibule.base.origin import Origin
from vestibule.kernel.services import Services
from vestibule.web.client_address import client_address, is_trusted
from vestibule.web.cookies import (
    presented_device, presented_registration, presented_token)
from vestibule.web.departure import departure_of

EXTENSION = "vestibule"
REQUEST_ID_HEADER = "X-Request-Id"
REQUEST_ID_KEY = "vestibule.request_id"
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
logger = logging.getLogger(__name__)
_warned = threading.Event()


def services() -> Services:
    """Return the services that this application was made with."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def request_id() -> str:
    """Return the id of the request at hand."""
    return request_id_of(request.environ)


def request_id_of(environ: Dict[str, Any]) -> str:
    """Return a request's id: a sane one that came with it, or a new one.

    It stands beside the request, for what is at work outside of Flask.
    """
    if REQUEST_ID_KEY not in environ:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        sane = given and SANE_REQUEST_ID.fullmatch(given)
        environ[REQUEST_ID_KEY] = given if sane else os.urandom(16).hex()
    found: str = environ[REQUEST_ID_KEY]
    return found


def address_of(environ: Dict[str, Any], settings: Settings
               ) -> Optional[str]:
    """Return the address of the client that a request comes from."""
    peer = environ.get("REMOTE_ADDR")
    forwarded_for = environ.get("HTTP_X_FORWARDED_FOR")
    if forwarded_for and not is_trusted(peer, settings.trusted_proxies):
        _warn_of_proxy(peer)
    return client_address(peer, forwarded_for, settings.trusted_proxies)


def origin() -> Origin:
    """Return where this request comes from, for events and sessions.

    Behind a guard it holds the session too.
    """
    if "origin" in g:
        known: Origin = g.origin
        return known
    return Origin(
        address_of(request.environ, services().settings), _user_agent(),
        request_id(), device=presented_device(
            request.environ.get("HTTP_COOKIE", ""),
            services().settings.public_url),
        has_left=departure_of(request.environ))


def _warn_of_proxy(peer: Optional[str]) -> None:
    """Say once in each process that a proxy may have been forgotten.

    All who come through it share one budget of tries then.
    """
    if _warned.is_set():
        return
    _warned.set()
    logger.warning(
        "X-Forwarded-For from %s is not believed: all who come through it "
        "count as one client. If it is your proxy, set "
        "VESTIBULE_TRUSTED_PROXIES=%s", peer, peer)


def session_token() -> Optional[str]:
    """Return the session token that the request's cookie carries, if any.

    Raises ``SessionRequired`` for two cookies that differ.
    """
    return presented_token(request.environ.get("HTTP_COOKIE", ""),
                           services().settings.public_url)


def registration_proof() -> Optional[str]:
    """Return the proof of registration that the request's cookie carries."""
    return presented_registration(request.environ.get("HTTP_COOKIE", ""),
                                  services().settings.public_url)


def _user_agent() -> Optional[str]:
    """Return the client's User-Agent without NUL, which PostgreSQL refuses.
    """
    text = request.headers.get("User-Agent")
    return text and text.replace("\0", "")
