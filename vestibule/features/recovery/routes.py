#!/usr/bin/env python3
"""``POST /reset_password`` and ``PUT /reset_password``: tasks 17 and 19."""

from flask import Blueprint, Response

from vestibule.web.answers import answer
from vestibule.web.context import origin, services
from vestibule.web.forms import read_texts
from vestibule.web.tokens import read_with_token

routes = Blueprint("recovery", __name__)


@routes.route("/reset_password", methods=["POST"])
def ask_for_reset() -> Response:
    """Have a reset link mailed; only a trusted caller gets the token.

    In the development profile every caller is trusted. In production known
    and unknown addresses cost and answer the same.
    """
    auth = services().auth
    email = auth.canonical(read_texts(("email",))["email"])
    auth.request_reset(email, origin())
    if not services().settings.is_development:
        return answer({"email": email, "message": "reset link sent"})
    token = auth.get_reset_password_token(email)
    return answer({"email": email, "reset_token": token})


@routes.route("/reset_password", methods=["PUT"])
def reset_password() -> Response:
    """Spend a reset token, or the code beside it, on a new password."""
    presented, sent = read_with_token("reset_token", ("new_password",))
    user = services().auth.recover(
        presented, sent["new_password"], sent.get("email"), origin())
    return answer({"email": user.email, "message": "Password updated"})
