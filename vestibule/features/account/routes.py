#!/usr/bin/env python3
"""``/profile`` and ``/password``: task 15, and what people change themselves.
"""

import re
from typing import Optional, Set

from flask import Blueprint, Response, request

from vestibule.features.account.shown import (
    changed_answer, profile_answer)
from vestibule.web.answers import respond
from vestibule.web.context import origin, services
from vestibule.web.cookies import set_session
from vestibule.web.forms import read_fields, read_texts
from vestibule.web.guards import current_session, session_required

# As we write them: a tag counts byte for byte.
VERSION = re.compile(r"[1-9][0-9]{0,8}")
routes = Blueprint("account", __name__)


@routes.route("/profile", methods=["GET"])
@session_required
def profile() -> Response:
    """Return the person's address and the attributes that they have set."""
    return respond(profile_answer(current_session()))


@routes.route("/profile", methods=["PATCH"])
@session_required
def change_profile() -> Response:
    """Set the attributes that were sent, and remove those sent as null.

    With ``If-Match`` only where nobody changed them in between.
    """
    user = services().profiles.change(
        current_session().user_id, read_fields(), _versions(), origin())
    return respond(changed_answer(user))


@routes.route("/password", methods=["PUT"])
@session_required
def change_password() -> Response:
    """Set a new password for who knows the current one."""
    sent = read_texts(("current_password", "new_password"))
    session = current_session()
    token = services().auth.password_change.by_current(
        session, sent["current_password"], sent["new_password"], origin())
    response = Response(status=204)
    set_session(response, token, services().settings, session.remembered)
    return response


def _versions() -> Optional[Set[int]]:
    """Return the versions that ``If-Match`` allows, ``None`` for any.

    An empty tag comes from Werkzeug as ``None``.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    tags = request.if_match.as_set()
    return {int(tag) for tag in tags if tag and VERSION.fullmatch(tag)}
