#!/usr/bin/env python3
"""Ctrl-C where nothing has begun that would have to be finished."""

import signal
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def left_to_the_system() -> Iterator[None]:
    """Let SIGINT end the process at once, with no exception.

    ``KeyboardInterrupt`` is lost where it is raised in a callback of the
    interpreter's, of which each import has one: the program would go on.
    Who was told to ignore the signal, or has a handler, keeps to that.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
