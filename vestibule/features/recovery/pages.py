#!/usr/bin/env python3
"""``/forgot`` asks for a letter; ``/reset`` is where its link leads to."""

from flask import Blueprint, Response, request

from vestibule.base.errors import InvalidInput, InvalidToken
from vestibule.web.answers import page
from vestibule.web.context import origin, services
from vestibule.web.forms import read_texts

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
        services().auth.request_reset(read_texts(("email",))["email"])
    except InvalidInput:
        return page("forgot.html", 422, settings=settings,
                    problem="This is not an email address.")
    return page("forgot_done.html", settings=settings)


@routes.route("/reset", methods=["GET"])
def show_form() -> Response:
    """Show the form for a new password.

    It looks nothing up and changes nothing: mail scanners open links too
    (requirement R062).
    """
    return page("reset.html", settings=services().settings,
                token=request.args.get("token", ""), problem=None)


@routes.route("/reset", methods=["POST"])
def choose_password() -> Response:
    """Spend the token on the new password, or say what is wrong."""
    sent = read_texts((), ("token", "new_password"))
    token, password = sent.get("token", ""), sent.get("new_password", "")
    settings = services().settings
    try:
        services().auth.recover(token, password, origin=origin())
    except (InvalidInput, InvalidToken) as refusal:
        status = 422 if isinstance(refusal, InvalidInput) else 403
        return page("reset.html", status, settings=settings,
                    token=token, problem=refusal.message)
    return page("reset_done.html", settings=settings)
