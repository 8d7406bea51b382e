#!/usr/bin/env python3
"""The service is told to stop while its workers are being born."""

import sys
from pathlib import Path
from typing import Dict

from tests.support.service import Service

# Each worker is held back between its fork and its own signal handlers.
SLOW_BIRTH = """
import os, time
from vestibule import server
from vestibule.base.config import load
os.register_at_fork(after_in_child=lambda: time.sleep(1))
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
