#!/usr/bin/env python3
"""A service under mixed load answers rightly, and keeps nothing of it.

``make soak`` does so for an hour, and looks at memory, too.
"""

import time
from pathlib import Path
from typing import Dict, List

import pytest

from tests.support.mixed_load import ACTS_BY_CHANCE, Load
from tests.support.roomy import ROOMY
from tests.support.service import Service
from tests.support.upkeep import Sample, grown, growth, sampled, told

ENOUGH, PATIENCE_SECONDS = 300, 60.0
MOST_LOADS, FILES_A_THREAD = 8, 6


def test_mixed_load_is_answered_rightly_and_leaves_nothing(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R130: neither do descriptors stay open, nor threads alive.

    Of what is kept, a load opens what the ones before it did not need.
    """
    environ["VESTIBULE_LIMITS"] = ROOMY
    with Service(environ, tmp_path) as service:
        before, held = 0, _held_after(service, 0)
        for seed in range(1, MOST_LOADS):
            if held.threads <= before:
                break
            before, held = held.threads, _held_after(service, seed)
        assert held.threads <= before
        # Each thread of a process may keep some connections to the database.
        assert held.files <= FILES_A_THREAD * held.threads
        assert not service.faults()


def _held_after(service: Service, seed: int) -> Sample:
    """Visit a service, and return what it holds when all have left."""
    with Load(service.port, seed, pause=0.001) as load:
        until = time.monotonic() + PATIENCE_SECONDS
        while sum(load.answers.values()) < ENOUGH:
            assert time.monotonic() < until
            time.sleep(0.05)
    assert not load.wrong
    assert len(load.answers) >= len(ACTS_BY_CHANCE) // 2
    return sampled(service.process_id, 0.0)


@pytest.mark.parametrize("values, is_found", [
    ([100, 100, 100, 100, 100, 100], []),
    ([50, 100, 100, 100, 100, 100], []),
    ([100, 101, 102, 103, 104, 105], []),
    ([100, 102, 104, 106, 108, 110], ["open descriptors"]),
    ([100, 110, 104, 98, 97, 96], [])])
def test_what_grows_is_found(values: List[int], is_found: List[str]) -> None:
    """R130: over the whole time, but for what is there only after a while.
    """
    samples = [Sample(60.0 * number, 100.0, value, 20)
               for number, value in enumerate(values)]
    assert grown(samples) == is_found
    assert growth(samples, "mib") == 0
    assert "slope is +0.0% over 4 minutes" in told(samples)[0]
