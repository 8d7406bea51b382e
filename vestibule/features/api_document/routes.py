#!/usr/bin/env python3
"""``GET /openapi.json``: what this service takes and gives, OpenAPI 3.1."""

import json
from pathlib import Path

from flask import Blueprint, Response

from vestibule.web.answers import answer
from vestibule.web.context import services

FILE = Path(__file__).parents[2] / "openapi.json"
DOCUMENT = json.loads(FILE.read_text(encoding="utf-8"))
routes = Blueprint("api_document", __name__)


@routes.route("/openapi.json", methods=["GET"])
def api_document() -> Response:
    """Return the document, with this service's own address in it."""
    server = {"url": str(services().settings.public_url)}
    return answer(dict(DOCUMENT, servers=[server]))
