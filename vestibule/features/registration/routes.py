#!/usr/bin/env python3
"""``POST /users``: task 7."""

from flask import Blueprint, Response

from vestibule.base.config import OPEN
from vestibule.base.errors import Forbidden
from vestibule.web.answers import answer
from vestibule.web.context import origin, services
from vestibule.web.cookies import set_registration
from vestibule.web.forms import read_texts

routes = Blueprint("registration", __name__)


@routes.route("/users", methods=["POST"])
def register() -> Response:
    """Register a user, unless registration is for operators only.

    Where addresses have to be verified, a taken one is answered the same.
    """
    if services().settings.registration != OPEN:
        raise Forbidden("Registration is closed.", "registration_closed")
    sent = read_texts(("email", "password"))
    registered = services().registration.register(
        sent["email"], sent["password"], origin())
    response = answer({"email": registered.email, "message": "user created"})
    set_registration(response, registered.proof,
                     services().settings.public_url)
    return response
