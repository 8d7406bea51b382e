#!/usr/bin/env python3
"""What is shown of a session; its secret never is."""

from datetime import datetime
from typing import Any, Dict, Union

from vestibule.base.texts import rfc3339
from vestibule.store.session import FoundSession, Session
from vestibule.store.tables import from_microseconds
from vestibule.web.answers import Ready, ready
from vestibule.web.device import device_of

INSTANTS = ("created_at", "authenticated_at", "last_seen_at",
            "idle_expires_at", "expires_at")


def check_answer(session: FoundSession) -> Ready:
    """Tell an app's back end who is signed in."""
    return Ready("204 NO CONTENT", (
        ("Vestibule-User", session.user_id),
        ("Vestibule-Email", session.email)), b"")


def session_answer(session: FoundSession) -> Ready:
    """Show a session and whose it is."""
    return ready({**shown(session), "user": shown_user(session)})


def shown(session: Union[Session, FoundSession]) -> Dict[str, Any]:
    """Return a session as the JSON object that its user sees."""
    instants = {name: _written(getattr(session, name)) for name in INSTANTS}
    return {"id": session.id, **instants, "proved": session.amr.split(),
            "remembered": bool(session.remembered), "label": session.label,
            "ip": session.ip, "device": device_of(session.user_agent)}


def shown_user(session: FoundSession) -> Dict[str, Any]:
    """Return the user of a session as a JSON object."""
    return {"id": session.user_id, "email": session.email,
            "email_verified": session.email_verified_at is not None,
            "created_at": _written(session.user_created_at)}


def _written(instant: Union[datetime, int]) -> str:
    """Write an instant of a model, or of the row that the look-up found."""
    if isinstance(instant, int):
        instant = from_microseconds(instant)
    return rfc3339(instant)
