#!/usr/bin/env python3
"""Where a call comes from, as far as an event or a session keeps it."""

from typing import NamedTuple, Optional


class Origin(NamedTuple):
    """The address, program, request and session behind a call to the kernel.

    Everything is ``None`` for a program that uses Vestibule as a library;
    the command line names itself as the user agent. ``device`` is the device
    cookie, and kept nowhere.
    """

    ip: Optional[str] = None
    user_agent: Optional[str] = None
    request_id: Optional[str] = None
    session_id: Optional[str] = None
    device: Optional[str] = None


LIBRARY = Origin()
