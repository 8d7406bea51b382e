#!/usr/bin/env python3
"""``/verify``: where the link for proving an address leads to."""

from flask import Blueprint, Response, request

from vestibule.base.errors import (
    AuthError, Forbidden, InvalidInput, InvalidToken, Throttled, Unavailable)
from vestibule.features.verification.claims import CLAIMS, claim
from vestibule.web.answers import page
from vestibule.web.context import origin, services
from vestibule.web.errors import refused_page
from vestibule.web.forms import read_shown, read_texts
from vestibule.web.tokens import read_with_token

routes = Blueprint("verification_pages", __name__)


@routes.route("/verify", methods=["GET"])
def show_form() -> Response:
    """Show the button that confirms, or ask for the code.

    It looks nothing up and changes nothing: mail scanners open links too
    (requirement R062).
    """
    return page("verify.html", settings=services().settings, problem=None,
                sent={"token": request.args.get("token", "")}, ask=False)


@routes.route("/verify", methods=["POST"])
def confirm() -> Response:
    """Spend the token, or ask for a sign of who registered."""
    shown = read_shown(("token", "email", "code"))
    try:
        presented, sent = read_with_token("token", (), CLAIMS)
        user = services().verification.confirm(
            presented, claim(sent), origin())
    except (Forbidden, InvalidInput, InvalidToken, Throttled,
            Unavailable) as refusal:
        return refused_page("verify.html", refusal, sent=shown,
                            ask=_leaves_a_choice(refusal))
    return page("verify_done.html", settings=services().settings,
                email=user.email)


@routes.route("/verify/letter", methods=["POST"])
def send_letter() -> Response:
    """Have the letter sent again; everybody gets the same page."""
    try:
        services().verification.request(
            read_texts(("email",))["email"], origin())
    except (InvalidInput, Throttled) as refusal:
        return refused_page("verify.html", refusal, sent={}, ask=False)
    return page("forgot_done.html", settings=services().settings)


def _leaves_a_choice(refusal: AuthError) -> bool:
    """Say whether the token was good, and only the claim is not."""
    if isinstance(refusal, InvalidInput):
        return not {"password", "new_password"}.isdisjoint(refusal.errors)
    return isinstance(refusal, (Forbidden, Throttled, Unavailable))
