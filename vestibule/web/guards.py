#!/usr/bin/env python3
"""What stands in front of a view: who may come in."""

import functools
from typing import Any, Callable, Optional, TypeVar, cast

from flask import g, request

from vestibule.base.errors import SessionRequired
from vestibule.store.session import FoundSession
from vestibule.web.context import origin, services, session_token

# What changes nothing; all else reads the session from the database.
SAFE_METHODS = frozenset(["GET", "HEAD"])
View = TypeVar("View", bound=Callable[..., Any])


def session_required(view: View) -> View:
    """Let only requests with a live session in; others get 403."""
    @functools.wraps(view)
    def guarded(*arguments: Any, **named: Any) -> Any:
        """Resume the session, then go on to the view."""
        found = services().sessions.resume(
            session_token(), from_cache=request.method in SAFE_METHODS)
        g.session = found
        g.origin = origin()._replace(session_id=found.id)
        return view(*arguments, **named)
    return cast(View, guarded)


def recent_proof_required(view: View) -> View:
    """Let in who has a live session and proved themselves not long ago.

    Others get 403 without a session, and 401 with one whose proof is old:
    they call ``POST /session/reauthenticate`` first.
    """
    @session_required
    @functools.wraps(view)
    def guarded(*arguments: Any, **named: Any) -> Any:
        """Look at the session's last proof, then go on to the view."""
        services().sessions.require_recent_proof(current_session())
        return view(*arguments, **named)
    return cast(View, guarded)


def live_session() -> Optional[FoundSession]:
    """Return the request's session where it has a live one."""
    try:
        return services().sessions.resume(session_token())
    except SessionRequired:
        return None


def session_to_replace() -> Optional[str]:
    """Return the session that signing in ends; unclear ones are left alone.
    """
    try:
        return session_token()
    except SessionRequired:
        return None


def current_session() -> FoundSession:
    """Return the session that the guard found."""
    found: FoundSession = g.session
    return found
