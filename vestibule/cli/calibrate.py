#!/usr/bin/env python3
"""``vestibule calibrate``: which cost of bcrypt suits this machine."""

import re
import time
from datetime import timedelta
from typing import Callable, Dict, Iterator, Optional, Tuple

import click

from vestibule.base.config import PRODUCTION_BCRYPT_COST
from vestibule.cli.output import print_aside, print_table
from vestibule.kernel.passwords import MAXIMUM_COST, Passwords

SAMPLES = 5
TARGET = re.compile("([0-9]{1,5})(ms|s)")
LONGEST_TARGET = timedelta(seconds=10)
MILLISECOND = timedelta(milliseconds=1)
PASSWORD = "correct horse battery staple"

# Returns how long one hash of a cost takes.
Timer = Callable[[int], timedelta]


def target_time(context: click.Context, parameter: click.Parameter,
                text: str) -> timedelta:
    """Read a time as it is typed: 250ms or 1s."""
    match = TARGET.fullmatch(text)
    if match is not None:
        count, unit = int(match.group(1)), match.group(2)
        target = timedelta(
            **{"milliseconds" if unit == "ms" else "seconds": count})
        if MILLISECOND <= target <= LONGEST_TARGET:
            return target
    raise click.BadParameter("it must be like 250ms or 1s, 10s at most.")


@click.command()
@click.option("--target", default="250ms", show_default=True, metavar="TIME",
              callback=target_time, help="How long a hash may take.")
def calibrate(target: timedelta) -> None:
    """Measure bcrypt here and suggest a cost.

    Each login costs one hash of a core's time, and so does each guess of
    whoever steals the database. The highest cost is suggested whose hashes
    take no longer than the target, and never less than production takes. It
    needs no settings, changes nothing, and should run while little else
    does, on a machine like the one that serves.

    \b
    Example:
      vestibule calibrate
      vestibule calibrate --target 500ms
    """
    measured: Dict[int, timedelta] = {}
    for cost, taken in measure(target, one_hash):
        measured[cost] = taken
    print_table([("COST", "MILLISECONDS"), *(
        (str(cost), _milliseconds(taken))
        for cost, taken in measured.items())])
    chosen = choose(target, measured)
    if chosen is None:
        chosen = PRODUCTION_BCRYPT_COST
        print_aside(f"Even the least cost of production takes longer than "
                    f"{_milliseconds(target)} ms here.")
    click.echo(f"VESTIBULE_BCRYPT_COST={chosen}")


def measure(target: timedelta, timer: Timer
            ) -> Iterator[Tuple[int, timedelta]]:
    """Yield costs from the least on, and the median of a few hashes of each.

    It ends with the first cost that takes longer than the target.
    """
    for cost in range(PRODUCTION_BCRYPT_COST, MAXIMUM_COST + 1):
        print_aside(f"Measuring cost {cost}: {SAMPLES} hashes …")
        taken = sorted(timer(cost) for _ in range(SAMPLES))[SAMPLES // 2]
        yield cost, taken
        if taken > target:
            return


def choose(target: timedelta, measured: Dict[int, timedelta]
           ) -> Optional[int]:
    """Return the highest cost within the target, ``None`` if none is."""
    return max((cost for cost, taken in measured.items()
                if taken <= target), default=None)


def one_hash(cost: int) -> timedelta:
    """Hash once and return how long it took."""
    begin = time.perf_counter()
    Passwords(cost).hash(PASSWORD)
    return timedelta(seconds=time.perf_counter() - begin)


def _milliseconds(taken: timedelta) -> str:
    """Return a time in whole milliseconds."""
    return str(round(taken / MILLISECOND))
