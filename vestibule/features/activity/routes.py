#!/usr/bin/env python3
"""``GET /profile/activity``: what happened to one's own account."""

from typing import Any, Dict
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from vestibule.base.errors import InvalidInput
from vestibule.base.texts import rfc3339
from vestibule.store.event import Event
from vestibule.web.answers import answer
from vestibule.web.context import services
from vestibule.web.device import device_of
from vestibule.web.guards import current_session, session_required

DEFAULT_LIMIT, MOST = 50, 100
routes = Blueprint("activity", __name__)


@routes.route("/profile/activity", methods=["GET"])
@session_required
def activity() -> Response:
    """List the person's events, the newest first, with a link to more."""
    limit = _limit()
    page = services().activity.page(
        current_session().user_id, limit, request.args.get("cursor"))
    response = answer({"events": [_shown(event) for event in page.events]})
    if page.next is not None:
        query = urlencode({"limit": limit, "cursor": page.next})
        url = f"{services().settings.public_url}/profile/activity?{query}"
        response.headers["Link"] = f'<{url}>; rel="next"'
    return response


def _limit() -> int:
    """Return how many events are asked for, from 1 to 100."""
    text = request.args.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 3
            and 1 <= int(text) <= MOST):
        raise InvalidInput({"limit": ["not_from_1_to_100"]})
    return int(text)


def _shown(event: Event) -> Dict[str, Any]:
    """Return an event as its JSON object."""
    return {"at": rfc3339(event.at), "what": event.what,
            "ip": event.ip, "device": device_of(event.user_agent),
            "session_id": event.session_id, "request_id": event.request_id,
            "detail": event.detail}
