#!/usr/bin/env python3
"""``/verify_email`` and ``/email``: proving an address, and changing it."""

from flask import Blueprint, Response

from vestibule.base.errors import InvalidInput
from vestibule.features.verification.claims import CLAIMS, claim
from vestibule.web.answers import answer
from vestibule.web.context import origin, services
from vestibule.web.forms import read_texts
from vestibule.web.guards import (
    current_session, live_session, recent_proof_required)
from vestibule.web.tokens import read_with_token

routes = Blueprint("verification", __name__)


@routes.route("/verify_email", methods=["POST"])
def ask_for_verification() -> Response:
    """Have the letter sent again, to one's own or to the named address.

    Known and unknown, verified and unverified addresses get one answer.
    """
    email = read_texts((), ("email",)).get("email")
    if email is None:
        session = live_session()
        if session is None:
            raise InvalidInput({"email": ["required"]})
        email = session.email
    email = services().verification.request(email, origin())
    return answer({"email": email, "message": "verification letter sent"})


@routes.route("/verify_email", methods=["PUT"])
def verify_email() -> Response:
    """Spend the token of a letter: the address counts as proved then."""
    presented, sent = read_with_token("token", (), CLAIMS)
    user = services().verification.confirm(presented, claim(sent), origin())
    return answer({"email": user.email, "message": "email verified"})


@routes.route("/email", methods=["PUT"])
@recent_proof_required
def change_email() -> Response:
    """Ask for another address; it counts once it is confirmed from there."""
    email = services().address_change.request(
        current_session().user_id, read_texts(("email",))["email"], origin())
    return answer(
        {"email": email, "message": "confirmation letter sent"}, 202)
