#!/usr/bin/env python3
"""``POST /users``: task 7."""

from typing import Any, Dict

from flask import Blueprint, Response

from vestibule.base.config import OPEN
from vestibule.base.errors import Forbidden
from vestibule.web.answers import answer
from vestibule.web.context import origin, services
from vestibule.web.cookies import set_registration
from vestibule.web.forms import read_texts
from vestibule.web.idempotency import Keep, run_once

routes = Blueprint("registration", __name__)


@routes.route("/users", methods=["POST"])
def register() -> Response:
    """Register a user, unless registration is for operators only.

    Where addresses have to be verified, a taken one is answered the same.
    """
    if services().settings.registration != OPEN:
        raise Forbidden("Registration is closed.", "registration_closed")
    sent = read_texts(("email", "password"))
    return run_once(sent, lambda keep: _register(sent, keep))


def _register(sent: Dict[str, str], keep: Keep) -> Response:
    """Register, and keep the answer for a request that is sent again."""
    registered = services().registration.register(
        sent["email"], sent["password"], origin(),
        lambda email: keep(_created(email)))
    response = answer(_created(registered.email))
    set_registration(response, registered.proof,
                     services().settings.public_url)
    return response


def _created(email: str) -> Dict[str, Any]:
    """Return the answer's body."""
    return {"email": email, "message": "user created"}
