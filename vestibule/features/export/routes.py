#!/usr/bin/env python3
"""``GET /profile/export``: everything held about a person, as one file."""

import json
from typing import Any, Iterator, List

from flask import Blueprint, Response, request

from vestibule.kernel.export import Part
from vestibule.web.answers import JSON
from vestibule.web.context import origin, services
from vestibule.web.guards import current_session, recent_proof_required

FILE = "vestibule-export.json"
routes = Blueprint("export", __name__)


@routes.route("/profile/export", methods=["GET"])
@recent_proof_required
def export_profile() -> Response:
    """Send the document as it is read, for a browser to keep as a file.

    A HEAD asks for no document, and so costs no export.
    """
    parts: Iterator[Part] = iter(())
    if request.method == "GET":
        parts = services().export.begin(
            current_session().user_id, origin())
    response = Response(written(parts), mimetype=JSON)
    response.headers["Content-Disposition"] = f"attachment; filename={FILE}"
    return response


def written(parts: Iterator[Part]) -> Iterator[str]:
    """Yield a JSON object of these members, piece by piece.

    A fault in the middle breaks the connection off before the last brace,
    and so nobody takes a part for the whole.
    """
    separator = "{"
    for name, value in parts:
        yield f"{separator}{json.dumps(name)}: "
        separator = ",\n"
        if isinstance(value, (str, dict)):
            yield json.dumps(value)
        else:
            yield from _list(value)
    yield "}\n"


def _list(batches: Iterator[List[Any]]) -> Iterator[str]:
    """Yield a JSON array, a batch at a time."""
    separator = "[\n"
    for batch in batches:
        if batch:
            yield separator + ",\n".join(json.dumps(each) for each in batch)
            separator = ",\n"
    yield "[]" if separator == "[\n" else "]"
