#!/usr/bin/env python3
"""``GET /profile``: task 15."""

import json
from typing import Any, Dict

from flask import Blueprint, Response

from vestibule.store.session import FoundSession
from vestibule.web.answers import answer
from vestibule.web.guards import current_session, session_required

routes = Blueprint("account", __name__)


@routes.route("/profile", methods=["GET"])
@session_required
def profile() -> Response:
    """Return the person's address and the attributes that they have set."""
    return answer(_profile_of(current_session()))


def _profile_of(session: FoundSession) -> Dict[str, Any]:
    """Return the profile of a session's user, without what is not set."""
    metadata = session.app_metadata
    attributes = {
        "name": session.name, "locale": session.locale,
        "picture": session.picture,
        "metadata": None if metadata is None else json.loads(metadata)}
    chosen = {name: value for name, value in attributes.items()
              if value is not None}
    return {"email": session.email, **chosen}
