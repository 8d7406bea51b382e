#!/usr/bin/env python3
"""``GET /``: task 6."""

from flask import Blueprint, Response

from vestibule.web.answers import answer, page, wants_page
from vestibule.web.context import services

routes = Blueprint("welcome", __name__)


@routes.route("/", methods=["GET"])
def welcome() -> Response:
    """Greet programs in JSON and people with a page."""
    if wants_page():
        return page("welcome.html", settings=services().settings)
    return answer({"message": "Bienvenue"})
