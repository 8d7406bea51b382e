#!/usr/bin/env python3
"""What a service holds of the machine while time goes by, and its slope."""

import contextlib
import os
from typing import List, NamedTuple, Sequence

from benchmarks.processes import family, memory_mib

# By how much of itself anything may grow (requirement R130).
MOST_GROWTH = 0.05
# What is held back at first is not yet there to be held.
WARM_UP = 0.2


class Sample(NamedTuple):
    """What a service and all its processes held after so many seconds.

    ``mib`` counts a page that several share once; ``files`` are open
    descriptors, and ``threads`` those of the operating system.
    """

    seconds: float
    mib: float
    files: int
    threads: int


def sampled(pid: int, seconds: float) -> Sample:
    """Return what a process and its descendants hold now."""
    files = threads = 0
    for each in family(pid):
        with contextlib.suppress(OSError):
            files += len(os.listdir(f"/proc/{each}/fd"))
            threads += len(os.listdir(f"/proc/{each}/task"))
    return Sample(seconds, memory_mib(pid), files, threads)


def settled(samples: Sequence[Sample]) -> List[Sample]:
    """Return the samples after the warm-up."""
    end = samples[-1].seconds
    return [each for each in samples if each.seconds >= end * WARM_UP]


def growth(samples: Sequence[Sample], name: str) -> float:
    """Return by which part of itself something grew over the samples.

    It is that of the line that fits them best, by least squares: a peak
    alone is none. 0.05 is five per cent; less than nothing has shrunk.
    """
    times = [each.seconds for each in samples]
    values = [float(getattr(each, name)) for each in samples]
    time, value = sum(times) / len(times), sum(values) / len(values)
    spread = sum((each - time) ** 2 for each in times)
    slope = sum((at - time) * (each - value)
                for at, each in zip(times, values)) / spread
    return slope * (times[-1] - times[0]) / (
        value + slope * (times[0] - time))


def told(samples: Sequence[Sample]) -> List[str]:
    """Return a line about each thing that is watched."""
    kept = settled(samples)
    return [f"{what}: {getattr(kept[0], name):.0f} at first, "
            f"{getattr(kept[-1], name):.0f} at last, at most "
            f"{max(getattr(each, name) for each in kept):.0f}; the slope is "
            f"{growth(kept, name):+.1%} over {_minutes(kept):.0f} minutes"
            for name, what in WATCHED.items()]


def grown(samples: Sequence[Sample]) -> List[str]:
    """Return what grew by more than it may."""
    kept = settled(samples)
    return [what for name, what in WATCHED.items()
            if growth(kept, name) > MOST_GROWTH]


def _minutes(samples: Sequence[Sample]) -> float:
    """Return how long these samples took."""
    return (samples[-1].seconds - samples[0].seconds) / 60


WATCHED = {"mib": "memory, MiB", "files": "open descriptors",
           "threads": "threads"}
