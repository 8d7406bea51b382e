#!/usr/bin/env python3
"""``/.well-known/change-password`` and ``/.well-known/security.txt``.

Both are looked for at the root of the host. Where the base URL has a path,
the proxy in front has to hand these two on as well.
"""

from datetime import timedelta
from typing import List

from flask import Blueprint, Response

from vestibule.base.errors import NotFound
from vestibule.base.setting_values import BaseURL
from vestibule.web.answers import see_other
from vestibule.web.context import services

CHANGE_PASSWORD_PAGE = "/forgot"
SECURITY_TXT = "/.well-known/security.txt"
# RFC 9116 2.5.5 advises less than a year.
VALIDITY = timedelta(days=180)

routes = Blueprint("well_known", __name__)


@routes.route("/.well-known/change-password", methods=["GET"])
def change_password_page() -> Response:
    """Send password managers to the page that changes a password.

    That is the page for a forgotten one, as long as no other page changes a
    password.
    """
    return see_other(services().settings.public_url, CHANGE_PASSWORD_PAGE)


@routes.route(SECURITY_TXT, methods=["GET"])
def security_txt() -> Response:
    """Say whom to tell of a weakness, if the operator does (RFC 9116)."""
    settings = services().settings
    if settings.security_contact is None:
        raise NotFound()
    expires = (services().db.clock.now() + VALIDITY).strftime(
        "%Y-%m-%dT00:00:00Z")
    lines = [f"Contact: {settings.security_contact}", f"Expires: {expires}",
             *(f"Canonical: {place}{SECURITY_TXT}"
               for place in _places(settings.public_url))]
    return Response("".join(f"{line}\n" for line in lines),
                    mimetype="text/plain")


def _places(url: BaseURL) -> List[str]:
    """Return under which URLs the file may be found: the host's, and ours."""
    return [url.origin, str(url)] if url.prefix else [url.origin]
