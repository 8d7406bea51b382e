#!/usr/bin/env python3
"""Odd requests leave nothing behind in the memory of a process.

Hundreds in the suite, many thousands in a fuzz run. Caches fill up first; what
the requests after that leave is counted.
"""

import gc
import itertools
import json
import tracemalloc
from typing import Any, Callable, Iterator, List

import pytest

from tests.support.contract import FORM, JSON
from tests.support.examples import factor
from tests.support.fields import Sender, bodies, operations

WARMING = 400
# Free lists and pools go up and down by some 12 KiB, however many come.
COUNTED = 800
# What one request may leave, on an average, for what fills up slowly.
FEW_BYTES = 40
OPERATIONS = tuple(operations())
NUMBERS = itertools.count()


def odd(sender: Sender) -> Any:
    """Send a request that no one before was like; return its status."""
    number = next(NUMBERS)
    mark = f"m{number}"
    operation = OPERATIONS[number % len(OPERATIONS)]
    body = bodies(operation)[0]
    way = number % 9
    headers = {"User-Agent": mark, "X-Request-Id": f"{mark:_>12}",
               "Accept": f"text/{mark}", "Origin": f"http://{mark}.org"}
    headers.pop("Origin" if way else "User-Agent")
    if way == 1:
        return sender.send(operation, f'{{"{mark}": {number}}}', **headers)
    if way == 2:
        return sender.send(operation, f"{mark}=%{number}", FORM, **headers)
    if way == 3:
        return sender.send(operation, b"{}", f"text/{mark}", **headers)
    if way == 4:
        return sender.send(operation, mark.encode(), JSON,
                           Cookie=f"session_id={mark}; {mark}=a", **headers)
    if way == 5:
        return sender.client.program().get(f"/{mark}/{mark}?{mark}={mark}")
    if way == 6:
        return sender.client.program().request(
            mark.upper(), operation.path, headers={"Host": f"{mark}.org"})
    if way == 7:
        return sender.send(operation, "[" * (number % 60000), **headers)
    fields = dict(body, email=f"{mark}@example.com", label=mark,
                  password="x" * 300, new_password=mark * 99, name=mark)
    return sender.send(operation, json.dumps(fields), **headers)


def left_by(sender: Sender, count: int,
            keep: Callable[[Any], Any] = lambda answer: None) -> int:
    """Return how many bytes so many odd requests leave."""
    before = in_memory(sender)
    for _ in range(count):
        keep(odd(sender))
    return in_memory(sender) - before


def in_memory(sender: Sender) -> int:
    """Return how many bytes are held, once the refusals are written down.

    A thousand of them may wait for the housekeeping.
    """
    sender.client.services.refusals.flush()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.fixture(name="traced", scope="module")
def fixture_traced(sender: Sender) -> Iterator[Sender]:
    """Return the means to send, warmed up and with memory traced."""
    for _ in range(WARMING):
        assert odd(sender).status_code < 500
    tracemalloc.start()
    yield sender
    tracemalloc.stop()


def test_odd_requests_leave_nothing_in_memory(traced: Sender) -> None:
    """R091, R102: nothing grows with the number of requests."""
    count = COUNTED * factor()
    left_by(traced, WARMING)
    assert left_by(traced, count) <= FEW_BYTES * count


def test_what_is_kept_of_requests_would_be_seen(traced: Sender) -> None:
    """R091: a line of each is enough to be found."""
    kept: List[str] = []
    left = left_by(traced, COUNTED, lambda answer: kept.append(
        answer.get_data(as_text=True)))
    assert left > FEW_BYTES * COUNTED
