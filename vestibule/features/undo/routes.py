#!/usr/bin/env python3
"""``/undo``: takes back a change that a letter reported."""

from flask import Blueprint, Response, request

from vestibule.base.errors import InvalidInput, InvalidToken
from vestibule.web.answers import answer, page, wants_page
from vestibule.web.context import origin, services
from vestibule.web.errors import refused_page
from vestibule.web.forms import read_texts

routes = Blueprint("undo", __name__)


@routes.route("/undo", methods=["GET"])
def show_button() -> Response:
    """Show the button that undoes; looking at it changes nothing (R062)."""
    return page("undo.html", settings=services().settings, problem=None,
                token=request.args.get("token", ""))


@routes.route("/undo", methods=["POST"])
def undo() -> Response:
    """Spend an undo token: the owner's address, and nobody signed in."""
    try:
        user = services().undo.by_token(
            read_texts(("token",))["token"], origin())
    except (InvalidInput, InvalidToken) as refusal:
        if not wants_page():
            raise
        return refused_page("undo.html", refusal, token="")
    if wants_page():
        return page("undo_done.html", settings=services().settings,
                    email=user.email)
    return answer({"email": user.email, "message": "change undone"})
