#!/usr/bin/env python3
"""Where a call comes from, as far as an event or a session keeps it."""

from typing import NamedTuple, Optional


class Origin(NamedTuple):
    """The address, program and request behind a call to the kernel.

    Everything is ``None`` for a call made from Python: the command line and
    programs that use Vestibule as a library have no request.
    """

    ip: Optional[str] = None
    user_agent: Optional[str] = None
    request_id: Optional[str] = None


LIBRARY = Origin()
