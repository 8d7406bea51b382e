#!/usr/bin/env python3
"""Load on a service: as much as it takes, or at fixed times under a flood."""

import asyncio
import json
import math
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import (
    Any, Callable, Dict, List, NamedTuple, Optional, Sequence)

from benchmarks.figures import percentile
from benchmarks.http_client import (
    BROKEN, COME_LATER, PAUSE_SECONDS, Connection, Request)
from benchmarks.processes import LOOPBACK, favoured

SCRIPT = Path(__file__).with_name("check.lua")
MARK = "@@"
# Longer than this nobody waits; what is not answered then is a failure.
CHECK_SECONDS = 15.0
# An answer that comes this much after the end of the flood still counts.
LATE_SECONDS = 3.0
MOST_CHECKS_AT_ONCE = 64
SUCCESS = range(200, 300)
Login = Callable[[], Request]


class Steady(NamedTuple):
    """Requests at fixed times: these in turn, so many a second."""

    requests: Sequence[Request]
    rate: float


class Timed:
    """What became of requests that were due at fixed times."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.seconds: List[float] = []
        self.bad = 0

    def add(self, other: "Timed") -> None:
        """Take in what became of others."""
        self.seconds += other.seconds
        self.bad += other.bad

    def summary(self) -> Dict[str, Any]:
        """Return the figures that are kept."""
        return {
            "count": len(self.seconds), "bad": self.bad,
            "p50_ms": percentile(self.seconds, 0.50) * 1000,
            "p99_ms": percentile(self.seconds, 0.99) * 1000,
            "max_ms": max(self.seconds, default=math.nan) * 1000}


class Flood:
    """Clients that log in as fast as they are answered, and what came."""

    def __init__(self, login: Login, clients: int) -> None:
        """Each login is of another user."""
        self.login = login
        self.clients = clients
        self.statuses: Dict[str, int] = {}
        self.seconds: List[float] = []
        self.refused: List[float] = []
        self.ended_at = 0.0

    def summary(self, began: float, until: float) -> Dict[str, Any]:
        """Return the figures that are kept."""
        took = max(self.ended_at, until) - began
        return {
            "logins": len(self.seconds),
            "logins_per_s": len(self.seconds) / took,
            "login_p50_ms": percentile(self.seconds, 0.50) * 1000,
            "login_p99_ms": percentile(self.seconds, 0.99) * 1000,
            "refused_p99_ms": percentile(self.refused, 0.99) * 1000,
            "statuses": dict(self.statuses)}


def saturate(port: int, path: str, headers: Path,
             connections: int, seconds: float) -> Dict[str, Any]:
    """Ask over some connections as fast as answers come, the sessions in turn.

    ``headers`` names a file with one header line for each session.
    """
    with favoured():
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s",
             "--timeout", "20s", "-s", str(SCRIPT),
             f"http://{LOOPBACK}:{port}{path}", "--", str(headers)],
            stdout=subprocess.PIPE, check=True)
    found: Dict[str, Any] = json.loads(
        done.stdout.decode().rpartition(MARK)[2])
    found["rate"] = found["requests"] / found["seconds"]
    return found


def one_by_one(port: int, requests: Sequence[Request],
               expected: int) -> Dict[str, Any]:
    """Send requests over one connection; how long each took, and what was
    answered with another status than this.
    """
    timed = Timed()

    async def work() -> None:
        """Send one after the other."""
        connection = Connection(port)
        for request in requests:
            began = time.perf_counter()
            reply = await connection.send(request.encoded(port))
            timed.seconds.append(time.perf_counter() - began)
            timed.bad += reply.status != expected
        connection.close()

    with favoured():
        asyncio.run(work())
    return timed.summary()


def steadily(port: int, steady: Steady, seconds: float,
             timed: Timed) -> None:
    """Ask at fixed times, and add how late each answer was."""
    with favoured():
        asyncio.run(_ask_steadily(
            port, steady, time.perf_counter() + seconds, timed))


def mixed(port: int, streams: Dict[str, Steady], flood: Optional[Flood],
          seconds: float) -> Dict[str, Any]:
    """Ask at fixed times, with or without a flood of logins beside it.

    Each latency counts from the moment at which its request was due, so that
    a service that stalls cannot hide it by slowing down who asks. Who asks
    and who floods are two processes, so that neither waits until the other
    is done with its own work.
    """
    with favoured(), ProcessPoolExecutor(1) as another:
        asked = another.submit(_ask_all, port, streams, seconds)
        found: Dict[str, Any] = {}
        if flood is not None:
            began = time.perf_counter()
            until = began + seconds
            asyncio.run(_run_flood(port, flood, until, LATE_SECONDS))
            found["flood"] = flood.summary(began, until)
        return {**asked.result(), **found}


def logins(port: int, login: Login, clients: int,
           seconds: float) -> Dict[str, Any]:
    """Log in as fast as some clients can; the rate counts the last ones.

    Clients begin no login after the time is over, and those under way are
    waited for: so neither the first nor the last are counted by halves.
    """
    flood = Flood(login, clients)

    async def work() -> Dict[str, Any]:
        """Log in until the time is over."""
        began = time.perf_counter()
        until = began + seconds
        await _run_flood(port, flood, until, CHECK_SECONDS)
        return flood.summary(began, flood.ended_at)

    with favoured():
        return asyncio.run(work())


def _ask_all(port: int, streams: Dict[str, Steady],
             seconds: float) -> Dict[str, Any]:
    """Ask for each at its own fixed times, and gather the figures."""
    timed = {name: Timed() for name in streams}

    async def work() -> None:
        """Ask for all of them at once."""
        until = time.perf_counter() + seconds
        await asyncio.gather(*(
            _ask_steadily(port, steady, until, timed[name])
            for name, steady in streams.items()))

    asyncio.run(work())
    return {name: each.summary() for name, each in timed.items()}


async def _run_flood(port: int, flood: Flood, until: float,
                     patience: float) -> None:
    """Log in with all clients until the time is over."""

    async def one() -> None:
        """Log in again and again over one connection."""
        connection = Connection(port)
        while time.perf_counter() < until:
            began = time.perf_counter()
            raw = flood.login().encoded(port)
            try:
                reply = await connection.send(raw, until - began + patience)
            except BROKEN:
                flood.statuses["none"] = flood.statuses.get("none", 0) + 1
                continue
            status = str(reply.status)
            flood.statuses[status] = flood.statuses.get(status, 0) + 1
            flood.ended_at = time.perf_counter()
            if reply.status in SUCCESS:
                flood.seconds.append(flood.ended_at - began)
            elif reply.status in COME_LATER:
                flood.refused.append(flood.ended_at - began)
                await asyncio.sleep(PAUSE_SECONDS)
        connection.close()

    await asyncio.gather(*(one() for _ in range(flood.clients)))


async def _ask_steadily(port: int, steady: Steady, until: float,
                        timed: Timed) -> None:
    """Send the requests when they are due, and wait for answers, not long.
    """
    idle = [Connection(port) for _ in range(MOST_CHECKS_AT_ONCE)]
    gate = asyncio.Semaphore(MOST_CHECKS_AT_ONCE)

    async def one(due: float, raw: bytes) -> None:
        """Send one request and note how late its answer is."""
        bad = True
        try:
            async with gate:
                connection = idle.pop()
                try:
                    reply = await connection.send(raw, CHECK_SECONDS)
                    bad = reply.status not in SUCCESS
                finally:
                    idle.append(connection)
        except (*BROKEN, asyncio.CancelledError):
            pass
        timed.bad += bad
        timed.seconds.append(time.perf_counter() - due)

    began = time.perf_counter()
    raws = [request.encoded(port) for request in steady.requests]
    tasks = []
    for number in range(round((until - began) * steady.rate)):
        due = began + number / steady.rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.ensure_future(
            one(due, raws[number % len(raws)])))
    _, waiting = await asyncio.wait(tasks, timeout=CHECK_SECONDS)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting)
    for connection in idle:
        connection.close()
