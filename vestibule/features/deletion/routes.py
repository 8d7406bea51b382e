#!/usr/bin/env python3
"""``DELETE /profile`` and ``POST /profile/restore``: to leave, and return."""

from flask import Blueprint, Response

from vestibule.base.texts import rfc3339
from vestibule.web.answers import answer
from vestibule.web.context import origin, services
from vestibule.web.cookies import clear_session
from vestibule.web.guards import current_session, recent_proof_required
from vestibule.web.signing_in import sign_in_by

routes = Blueprint("deletion", __name__)


@routes.route("/profile", methods=["DELETE"])
@recent_proof_required
def delete_profile() -> Response:
    """Announce the deletion of who is signed in, and sign them out.

    From then on nobody can sign in to the account; until the date it can be
    restored.
    """
    user = services().deletion.by_session(current_session(), origin())
    assert user.delete_after is not None
    response = answer({
        "email": user.email, "message": "account will be deleted",
        "delete_after": rfc3339(user.delete_after)}, 202)
    clear_session(response, services().settings.public_url)
    return response


@routes.route("/profile/restore", methods=["POST"])
def restore_profile() -> Response:
    """Take the deletion back, and sign in as ``POST /sessions`` does."""
    return sign_in_by(services().deletion.restore)
