#!/usr/bin/env python3
"""``/session`` is this sign-in, ``/sessions`` are all of the person's."""

from uuid import UUID

from flask import Blueprint, Response

from vestibule.base.errors import InvalidInput
from vestibule.base.texts import is_one_line
from vestibule.features.sessions.shown import (
    check_answer, session_answer, shown)
from vestibule.kernel.sessions import LABEL_LENGTH
from vestibule.web.answers import answer, respond
from vestibule.web.context import origin, services
from vestibule.web.cookies import clear_session, set_session
from vestibule.web.forms import read_texts
from vestibule.web.guards import current_session, session_required

routes = Blueprint("sessions", __name__)


@routes.route("/session", methods=["GET"])
@session_required
def this_session() -> Response:
    """Show this session and whose it is."""
    return respond(session_answer(current_session()))


@routes.route("/session/check", methods=["GET"])
@session_required
def check() -> Response:
    """Tell an app's back end, which forwards the cookie, who is signed in.
    """
    return respond(check_answer(current_session()))


@routes.route("/session/reauthenticate", methods=["POST"])
@session_required
def reauthenticate() -> Response:
    """Take the password as fresh proof; the session gets a new secret."""
    session = current_session()
    token = services().sign_in.reauthenticate(
        session, read_texts(("password",))["password"], origin())
    response = answer({"email": session.email, "message": "reauthenticated"})
    set_session(response, token, services().settings, session.remembered)
    return response


@routes.route("/sessions", methods=["GET"])
@session_required
def all_sessions() -> Response:
    """List the person's live sessions, the newest first."""
    current = current_session()
    found = services().sessions.live(current.user_id)
    return answer({"sessions": [
        {**shown(session), "current": session.id == current.id}
        for session in found]})


@routes.route("/sessions/<uuid:session_id>", methods=["PATCH"])
@session_required
def label(session_id: UUID) -> Response:
    """Name one of the person's sessions; an empty name takes it away."""
    text = read_texts(("label",))["label"].strip()
    if len(text) > LABEL_LENGTH:
        raise InvalidInput({"label": ["too_long"]})
    if not is_one_line(text):
        raise InvalidInput({"label": ["unusable"]})
    services().sessions.label(str(session_id), current_session().user_id,
                              text or None, origin())
    return answer({"id": str(session_id), "label": text or None})


@routes.route("/sessions/<uuid:session_id>", methods=["DELETE"])
@session_required
def end(session_id: UUID) -> Response:
    """End one of the person's sessions, at once and everywhere."""
    current = current_session()
    services().sessions.revoke(str(session_id), current.user_id, origin())
    response = Response(status=204)
    if str(session_id) == current.id:
        clear_session(response, services().settings.public_url)
    return response


@routes.route("/sessions/others", methods=["DELETE"])
@session_required
def end_others() -> Response:
    """End every session of the person's but this one."""
    count = services().sessions.revoke_others(current_session(), origin())
    return answer({"revoked": count})
