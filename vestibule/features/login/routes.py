#!/usr/bin/env python3
"""``POST /sessions`` and ``DELETE /sessions``: tasks 11 and 14."""

from flask import Blueprint, Response

from vestibule.base.errors import NotFound, SessionRequired
from vestibule.web.answers import see_other
from vestibule.web.context import origin, services
from vestibule.web.cookies import clear_session
from vestibule.web.guards import current_session, session_required
from vestibule.web.signing_in import sign_in_by

routes = Blueprint("login", __name__)


@routes.route("/sessions", methods=["POST"])
def log_in() -> Response:
    """Start a session for an email and its password."""
    return sign_in_by(services().sign_in.with_password)


@routes.route("/sessions", methods=["DELETE"])
@session_required
def log_out() -> Response:
    """End this session, in every process at once, and go to the start.

    Of two requests at once, one finds it gone: no session, like the next.
    """
    session = current_session()
    try:
        services().sessions.revoke(session.id, session.user_id, origin())
    except NotFound:
        raise SessionRequired(ended=True) from None
    response = see_other(services().settings.public_url, "/")
    clear_session(response, services().settings.public_url)
    return response
