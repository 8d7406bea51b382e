#!/usr/bin/env python3
"""What is shown of a profile: what the person has set, and its version."""

import json
from typing import Any, Dict

from vestibule.store.session import FoundSession
from vestibule.store.user import User
from vestibule.web.answers import Ready, ready


def profile_answer(session: FoundSession) -> Ready:
    """Show the profile of a session's user."""
    metadata = session.app_metadata
    return _profile(session.version, {
        "email": session.email, "name": session.name,
        "locale": session.locale, "picture": session.picture,
        "metadata": None if metadata is None else json.loads(metadata)})


def changed_answer(user: User) -> Ready:
    """Show the profile of a user who has just changed it."""
    return _profile(user.version, {
        "email": user.email, "name": user.name, "locale": user.locale,
        "picture": user.picture, "metadata": user.app_metadata})


def _profile(version: int, attributes: Dict[str, Any]) -> Ready:
    """Return a profile, without what is not set, under its version."""
    return ready({name: value for name, value in attributes.items()
                  if value is not None}, ("ETag", f'"{version}"'))
