#!/usr/bin/env python3
"""The service is told to stop while it starts."""

import signal
import sys
from pathlib import Path
from typing import Dict

import pytest

from tests.support.service import Service

# Each worker is held back between its fork and its own signal handlers.
SLOW_BIRTH = """
import os, time
from vestibule import server
from vestibule.base.config import load
os.register_at_fork(after_in_child=lambda: time.sleep(1))
server.serve(load(os.environ).settings)
"""
# The signal comes, and its exception is lost as in a callback of Python's.
LOST = """
import os, signal, sys, time
def lose(*arguments):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
    except KeyboardInterrupt:
        pass
"""
AS_IT_IS_LOADED = LOST + """
class Importing:
    def find_spec(self, name, path=None, target=None):
        if name == "vestibule.app":
            lose()
sys.meta_path.insert(0, Importing())
sys.argv = ["vestibule", "serve"]
from vestibule.__main__ import main
main()
"""
AS_IT_LOOKS_AT_THINGS = LOST + """
from vestibule import server
from vestibule.base.config import load
server.require_current = lose
server.serve(load(os.environ).settings)
"""
SOON = 15


def test_a_worker_that_is_just_born_hears_that_it_is_to_stop(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R142: it was lost on the way, and the service went on for its grace."""
    service = Service(
        environ, tmp_path, (sys.executable, "-c", SLOW_BIRTH))
    try:
        service.start_listening()
        assert service.terminate(SOON) == 0
    finally:
        service.kill()


@pytest.mark.parametrize(
    "program", [AS_IT_IS_LOADED, AS_IT_LOOKS_AT_THINGS],
    ids=["loaded", "looking"])
def test_an_interrupt_is_not_lost_before_the_service_is_there(
        environ: Dict[str, str], tmp_path: Path, program: str) -> None:
    """R142: Ctrl-C ends it, wherever Python is."""
    service = Service(environ, tmp_path, (sys.executable, "-c", program))
    try:
        with pytest.raises(AssertionError, match="did not start"):
            service.start_listening()
        assert service.wait(SOON) == -signal.SIGINT
    finally:
        service.kill()
