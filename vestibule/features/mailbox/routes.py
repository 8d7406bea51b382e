#!/usr/bin/env python3
"""``/dev/mailbox``: in the development profile only, from this machine only.
"""

import ipaddress
from typing import Any, Dict

from flask import Blueprint, Response, request

from vestibule.base.errors import NotFound
from vestibule.mail.mailbox import MailboxLetter, MailboxMailer
from vestibule.web.answers import answer, page, wants_page
from vestibule.web.context import services

routes = Blueprint("mailbox", __name__)


@routes.before_request
def refuse_others() -> None:
    """Let nobody in but this machine: letters hold the keys to accounts."""
    peer = ipaddress.ip_address(request.remote_addr or "0.0.0.0")
    if not peer.is_loopback or "X-Forwarded-For" in request.headers:
        raise NotFound()


@routes.route("/dev/mailbox", methods=["GET"])
def mailbox() -> Response:
    """Show the letters, the newest first."""
    letters = _mailbox().letters()
    if wants_page():
        return page("mailbox.html", settings=services().settings,
                    letters=letters)
    return answer({"letters": [_as_json(letter) for letter in letters]})


@routes.route("/dev/mailbox/<letter_id>", methods=["GET"])
def letter(letter_id: str) -> Response:
    """Show one letter."""
    found = _mailbox().letter(letter_id)
    if found is None:
        raise NotFound()
    if wants_page():
        return page("letter.html", settings=services().settings,
                    letter=found)
    return answer(_as_json(found))


def _mailbox() -> MailboxMailer:
    """Return the mailbox; this feature is served only where it is one."""
    mailer = services().mailer
    if not isinstance(mailer, MailboxMailer):
        raise NotFound()
    return mailer


def _as_json(found: MailboxLetter) -> Dict[str, Any]:
    """Return a letter as its JSON object."""
    return {"id": found.id, "to": found.to, "subject": found.subject,
            "date": found.date.isoformat(), "text": found.text,
            "html": found.html, "links": list(found.links)}
