#!/usr/bin/env python3
"""Requests for other hosts, and from other sites, are refused."""

from typing import FrozenSet

from flask import Flask, request

from vestibule.base.config import Settings
from vestibule.base.errors import Forbidden
from vestibule.web.context import services
from vestibule.web.errors import Refused

SAFE_METHODS = frozenset(["GET", "HEAD", "OPTIONS"])
OWN_SITE = frozenset(["same-origin", "none"])
FOREIGN_SITE = "cross-site: the header Sec-Fetch-Site names another site"
FOREIGN_ORIGIN = "cross-site: the header Origin is neither ours nor listed"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def init_app(app: Flask) -> None:
    """Look at the host and the site of every request."""
    app.before_request(_refuse_other_hosts)
    app.before_request(_refuse_other_sites)


def allowed_hosts(settings: Settings) -> FrozenSet[str]:
    """Return the values of Host that mean us, in lower case."""
    port = settings.bind.port
    url = settings.public_url
    hosts = {url.host, str(settings.bind), settings.bind.reachable}
    if settings.is_development:
        hosts |= {f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
    default = DEFAULT_PORTS[url.scheme]
    hosts |= {host + default for host in hosts if not _has_port(host)}
    return frozenset(host.lower() for host in hosts)


def _has_port(host: str) -> bool:
    """Say whether a host is written with a port."""
    return ":" in host.rpartition("]")[2]


def _refuse_other_hosts() -> None:
    """Refuse a Host that is not ours: nothing is built from what it says.

    Health checks come from machines that know us by address alone.
    """
    if request.path.startswith("/health/"):
        return
    host = request.environ.get("HTTP_HOST", "").lower()
    if host not in allowed_hosts(services().settings):
        raise Refused(421, "misdirected_request",
                      "This service does not answer for that host.")


def _refuse_other_sites() -> None:
    """Refuse an unsafe request that a page of another site sent.

    Browsers say where a request comes from, and pages cannot change what
    they say. A client that says neither is no browser, and nobody's cookies
    ride with it unasked.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    source = request.headers.get("Origin")
    if source in services().settings.cors_origins:
        own = site in (None, "same-site", *OWN_SITE)
    elif site is not None:
        own = site in OWN_SITE
    else:
        own = source is None or _is_own(source)
    if not own:
        raise Forbidden(
            "This request came from another site.", "cross_site").decided_by(
                FOREIGN_SITE if site is not None else FOREIGN_ORIGIN)


def _is_own(source: str) -> bool:
    """Say whether an Origin header names an origin of ours."""
    settings = services().settings
    scheme, _, host = source.lower().partition("://")
    return (scheme == settings.public_url.scheme
            and host in allowed_hosts(settings))
