#!/usr/bin/env python3
"""How requests sign somebody in by an email and a password."""

from typing import Callable, Optional

from flask import Response

from vestibule.base.origin import Origin
from vestibule.kernel.sign_in import SignedIn
from vestibule.web.answers import answer
from vestibule.web.context import origin, services
from vestibule.web.cookies import set_device, set_session
from vestibule.web.forms import read_texts, read_yes_no
from vestibule.web.guards import session_to_replace

# What judges an email and a password: its origin, the session that the
# browser has already, and whether the new one is to be remembered.
Verb = Callable[[str, str, Origin, Optional[str], bool], SignedIn]


def sign_in_by(verb: Verb) -> Response:
    """Read an email and a password, and answer with a session's cookie."""
    sent = read_texts(("email", "password"))
    remember = read_yes_no("remember", default=True)
    signed_in = verb(sent["email"], sent["password"], origin(),
                     session_to_replace(), remember)
    response = answer(
        {"email": signed_in.user.email, "message": "logged in"})
    set_session(response, signed_in.session_token, services().settings,
                remember)
    set_device(response, signed_in.device, services().settings.public_url)
    return response
