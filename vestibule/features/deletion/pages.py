#!/usr/bin/env python3
"""``/account/restore``, where the letter about a deletion leads to."""

from flask import Blueprint, Response

from vestibule.base.errors import (
    Forbidden, InvalidCredentials, InvalidInput, Throttled)
from vestibule.web.answers import page
from vestibule.web.context import origin, services
from vestibule.web.cookies import set_device, set_session
from vestibule.web.errors import refused_page
from vestibule.web.forms import read_shown, read_texts
from vestibule.web.guards import session_to_replace

routes = Blueprint("deletion_pages", __name__)


@routes.route("/account/restore", methods=["GET"])
def show_restore() -> Response:
    """Show the form that asks for the password."""
    return page("restore.html", settings=services().settings, problem=None,
                sent={})


@routes.route("/account/restore", methods=["POST"])
def restore() -> Response:
    """Take the deletion back and sign in, or say what is wrong."""
    shown = read_shown(("email",))
    try:
        sent = read_texts(("email", "password"))
        signed_in = services().deletion.restore(
            sent["email"], sent["password"], origin(), session_to_replace())
    except (Forbidden, InvalidCredentials, InvalidInput, Throttled) as refusal:
        return refused_page("restore.html", refusal, sent=shown)
    response = page("restore_done.html", settings=services().settings)
    set_session(response, signed_in.session_token, services().settings,
                remember=True)
    set_device(response, signed_in.device, services().settings.public_url)
    return response
