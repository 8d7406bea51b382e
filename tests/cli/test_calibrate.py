#!/usr/bin/env python3
"""``vestibule calibrate``: tested with times that a test makes up."""

import re
from datetime import timedelta
from typing import Dict, Iterator, List

import click
import pytest

from tests.cli.commands import run
from vestibule.base.config import PRODUCTION_BCRYPT_COST
from vestibule.cli.calibrate import (
    SAMPLES, choose, measure, one_hash, target_time)
from vestibule.kernel.passwords import MAXIMUM_COST

CONTEXT = click.Context(click.Command("calibrate"))
OPTION = click.Option(["--target"])


def milliseconds(*counts: float) -> List[timedelta]:
    """Return durations of so many milliseconds."""
    return [timedelta(milliseconds=count) for count in counts]


class Machine:
    """A machine on which a hash of the least cost takes a given time."""

    def __init__(self, least: float) -> None:
        """Double the time for each step of the cost."""
        self.least = least
        self.asked: List[int] = []

    def __call__(self, cost: int) -> timedelta:
        """Say how long a hash takes, every other one a bit longer."""
        self.asked.append(cost)
        taken, = milliseconds(
            self.least * 2 ** (cost - PRODUCTION_BCRYPT_COST))
        return taken * (1 + len(self.asked) % 2 / 100)


@pytest.mark.parametrize("target, cost", [
    (49, None), (50, 10), (51, 10), (99, 10), (100, 11), (250, 12),
    (400, 13), (10000, 13)])
def test_the_highest_cost_within_the_target_is_chosen(
        target: float, cost: int) -> None:
    """R025: and none where even the least of production takes longer."""
    measured: Dict[int, timedelta] = dict(
        zip(range(10, 14), milliseconds(50, 100, 200, 400)))
    limit, = milliseconds(target)
    assert choose(limit, measured) == cost


def test_costs_are_measured_until_one_takes_too_long() -> None:
    """Each a few times, from production's least on."""
    machine = Machine(60)
    limit, = milliseconds(250)
    costs = [cost for cost, _ in measure(limit, machine)]
    assert costs == [10, 11, 12, 13]
    assert machine.asked == [cost for cost in costs for _ in range(SAMPLES)]


def test_a_fast_machine_ends_at_the_highest_cost() -> None:
    """R148: no more is suggested than the setting takes."""
    limit, = milliseconds(10000)
    found = dict(measure(limit, Machine(0.01)))
    assert max(found) == MAXIMUM_COST == choose(limit, found)


def test_one_slow_hash_does_not_count() -> None:
    """The median is looked at, not the mean."""
    times: Iterator[timedelta] = iter(milliseconds(
        50, 9000, 50, 51, 49, 400, 400, 400, 400, 1))
    limit, = milliseconds(250)
    found = dict(measure(limit, lambda cost: next(times)))
    assert list(found.values()) == milliseconds(50, 400)
    assert choose(limit, found) == 10


@pytest.mark.parametrize("text, target", [
    ("250ms", 250), ("1ms", 1), ("1s", 1000), ("10s", 10000),
    ("10000ms", 10000)])
def test_a_target_is_read_as_it_is_typed(text: str, target: float) -> None:
    """In milliseconds or seconds."""
    assert [target_time(CONTEXT, OPTION, text)] == milliseconds(target)


@pytest.mark.parametrize("text", [
    "", "250", "0ms", "-1s", "11s", "1.5s", "1 s", "1m", "99999s", "ms",
    "\u0664ms"])
def test_a_target_that_is_none_is_refused(text: str) -> None:
    """With the arguments' status, and what it should be like."""
    ran = run({}, "calibrate", f"--target={text}")
    assert ran.status == 2
    assert "250ms or 1s" in ran.err


def test_the_command_suggests_what_production_takes() -> None:
    """R025: never below its least cost, however slow the machine is."""
    ran = run({}, "calibrate", "--target", "1ms")
    assert ran.status == 0
    head, row, suggested = ran.out.splitlines()
    assert head.split() == ["COST", "MILLISECONDS"]
    assert re.fullmatch(r"10 +[0-9]+", row)
    assert suggested == "VESTIBULE_BCRYPT_COST=10"
    assert "Measuring cost 10: 5 hashes" in ran.err
    assert "takes longer than 1 ms here" in ran.err


def test_a_hash_is_really_made() -> None:
    """A dearer one takes longer, whatever machine this is."""
    assert one_hash(4) < one_hash(10)
