#!/usr/bin/env python3
"""What a request shows of who registered, beside its token."""

from typing import Dict

from vestibule.kernel.verification import Claim
from vestibule.web.context import registration_proof
from vestibule.web.guards import live_session

CLAIMS = ("password", "new_password")


def claim(texts: Dict[str, str]) -> Claim:
    """Return the claim that the cookies and these fields make."""
    session = live_session()
    return Claim(
        None if session is None else session.user_id, registration_proof(),
        texts.get("password"), texts.get("new_password"))
