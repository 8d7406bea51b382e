#!/usr/bin/env python3
"""What stands in front of a view: who may come in."""

import functools
from typing import Any, Callable, TypeVar, cast

from flask import g

from vestibule.store.session import FoundSession
from vestibule.web.context import origin, services, session_token

View = TypeVar("View", bound=Callable[..., Any])


def session_required(view: View) -> View:
    """Let only requests with a live session in; others get 403."""
    @functools.wraps(view)
    def guarded(*arguments: Any, **named: Any) -> Any:
        """Resume the session, then go on to the view."""
        found = services().sessions.resume(session_token())
        g.session = found
        g.origin = origin()._replace(session_id=found.id)
        return view(*arguments, **named)
    return cast(View, guarded)


def current_session() -> FoundSession:
    """Return the session that the guard found."""
    found: FoundSession = g.session
    return found
