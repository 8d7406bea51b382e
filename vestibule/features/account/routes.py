#!/usr/bin/env python3
"""``/profile`` and ``/password``: task 15, and what people change themselves.
"""

import json
import re
from typing import Any, Dict, Optional, Set

from flask import Blueprint, Response, request

from vestibule.web.answers import answer
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
    session = current_session()
    metadata = session.app_metadata
    return _profile(session.version, {
        "email": session.email, "name": session.name,
        "locale": session.locale, "picture": session.picture,
        "metadata": None if metadata is None else json.loads(metadata)})


@routes.route("/profile", methods=["PATCH"])
@session_required
def change_profile() -> Response:
    """Set the attributes that were sent, and remove those sent as null.

    With ``If-Match`` only where nobody changed them in between.
    """
    user = services().profiles.change(
        current_session().user_id, read_fields(), _versions(), origin())
    return _profile(user.version, {
        "email": user.email, "name": user.name, "locale": user.locale,
        "picture": user.picture, "metadata": user.app_metadata})


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


def _profile(version: int, attributes: Dict[str, Any]) -> Response:
    """Answer with a profile, without what is not set, and its version."""
    response = answer({name: value for name, value in attributes.items()
                       if value is not None})
    response.set_etag(str(version))
    return response


def _versions() -> Optional[Set[int]]:
    """Return the versions that ``If-Match`` allows, ``None`` for any.

    An empty tag comes from Werkzeug as ``None``.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    tags = request.if_match.as_set()
    return {int(tag) for tag in tags if tag and VERSION.fullmatch(tag)}
