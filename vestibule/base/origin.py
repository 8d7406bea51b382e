#!/usr/bin/env python3
"""Where a call comes from, as far as an event or a session keeps it."""

from typing import Callable, NamedTuple, Optional


def stays() -> bool:
    """Say that a client has not left: most callers cannot know."""
    return False


class Origin(NamedTuple):
    """The address, program, request and session behind a call to the kernel.

    Everything is ``None`` for a program that uses Vestibule as a library;
    the command line names itself as the user agent. ``device`` is the device
    cookie, and kept nowhere; ``has_left`` says whether nobody waits for the
    answer any more.
    """

    ip: Optional[str] = None
    user_agent: Optional[str] = None
    request_id: Optional[str] = None
    session_id: Optional[str] = None
    device: Optional[str] = None
    has_left: Callable[[], bool] = stays


LIBRARY = Origin()
