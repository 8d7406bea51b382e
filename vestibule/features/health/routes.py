#!/usr/bin/env python3
"""``GET /health/live`` and ``GET /health/ready``: for those who watch over it.
"""

from flask import Blueprint, Response

from vestibule.web.answers import answer
from vestibule.web.context import services

routes = Blueprint("health", __name__)


@routes.route("/health/live", methods=["GET"])
def live() -> Response:
    """Say that the process answers; the database is not asked."""
    return answer({"status": "live"})


@routes.route("/health/ready", methods=["GET"])
def ready() -> Response:
    """Say that the database answers, has this version's schema, and fits.

    A pepper that is missing or wrong means that it does not fit: the log
    says which one. It is looked at once a second at most.
    """
    services().readiness.require()
    return answer({"status": "ready"})
