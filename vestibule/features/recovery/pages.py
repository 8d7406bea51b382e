#!/usr/bin/env python3
"""``/forgot`` asks for a letter; ``/reset`` is where its link leads to."""

from flask import Blueprint, Response, request

from vestibule.base.errors import (
    InvalidInput, InvalidToken, Throttled, Unavailable)
from vestibule.web.answers import page
from vestibule.web.context import origin, services
from vestibule.web.errors import refused_page
from vestibule.web.forms import read_shown, read_texts
from vestibule.web.tokens import read_with_token

routes = Blueprint("recovery_pages", __name__)


@routes.route("/forgot", methods=["GET"])
def show_question() -> Response:
    """Show the form that asks for whom the letter is."""
    return page("forgot.html", settings=services().settings, problem=None)


@routes.route("/forgot", methods=["POST"])
def ask_for_letter() -> Response:
    """Have a reset link mailed, if the address is somebody's.

    Known and unknown addresses get the same page.
    """
    settings = services().settings
    try:
        services().auth.request_reset(
            read_texts(("email",))["email"], origin())
    except Throttled as refusal:
        return refused_page("forgot.html", refusal)
    except InvalidInput as refusal:
        return refused_page("forgot.html", InvalidInput(
            refusal.errors, "This is not an email address."))
    return page("forgot_done.html", settings=settings)


@routes.route("/reset", methods=["GET"])
def show_form() -> Response:
    """Show the form for a new password.

    It looks nothing up and changes nothing: mail scanners open links too
    (requirement R062).
    """
    return page("reset.html", settings=services().settings, problem=None,
                sent={"token": request.args.get("token", "")})


@routes.route("/reset", methods=["POST"])
def choose_password() -> Response:
    """Spend the token or the code on the new password, or say what is wrong.
    """
    shown = read_shown(("token", "email", "code"))
    try:
        presented, sent = read_with_token("token", ("new_password",))
        services().auth.recover(
            presented, sent["new_password"], origin=origin())
    except (InvalidInput, InvalidToken, Throttled, Unavailable) as refusal:
        return refused_page("reset.html", refusal, sent=shown)
    return page("reset_done.html", settings=services().settings)
