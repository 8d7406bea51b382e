#!/usr/bin/env python3
"""The processes of a service: how they start, die, and are told to stop."""

import json
import logging
import os
import signal
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, Dict, Iterator, List

import pytest
from gunicorn.errors import HaltServer

from tests.support.service import Reply, Service
from vestibule import granian_server, gunicorn_server
from vestibule.serving import CANNOT_START

# A service that takes its time for one kind of request.
LEISURELY = """
import os, time
from vestibule import server
from vestibule.base.config import load
make = server.create_app
def create_app(settings):
    app = make(settings)
    app.add_url_rule("/slow", "slow", slow)
    app.add_url_rule("/pid", "pid", lambda: str(os.getpid()))
    return app
def slow():
    time.sleep(1.5)
    return "done"
server.create_app = create_app
server.serve(load(os.environ).settings)
"""
PATIENCE_SECONDS = 15.0
IDLE_SECONDS = 3.0
# Until what was asked has been followed up: a letter, the last use noted.
SETTLE_SECONDS = 3.0
# By far enough for a session to be kept in each of two processes.
CHECKS = 40
# A hundredth of what one core can do.
MOST_IDLE_WORK = IDLE_SECONDS / 100


@pytest.fixture(name="service")
def fixture_service(environ: Dict[str, str],
                    tmp_path: Path) -> Iterator[Service]:
    """Return a service of two processes that is not started yet."""
    service = Service(dict(environ, VESTIBULE_WORKERS="2"), tmp_path,
                      (sys.executable, "-c", LEISURELY))
    yield service
    service.kill()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something is the case."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "it is not so yet"
        time.sleep(0.05)


def begin(service: Service, replies: List[Reply]) -> threading.Thread:
    """Send a slow request, and return before its answer is here."""
    thread = threading.Thread(target=lambda: replies.append(
        service.request("GET", "/slow")))
    thread.start()
    time.sleep(0.5)
    return thread


def is_gone(process: int) -> bool:
    """Say whether a process has ended."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def test_the_service_says_who_serves(service: Service) -> None:
    """Wherever granian is installed it does, and nobody has to choose."""
    service.start()
    said = service.log.read_text("utf-8")
    expected = granian_server.NAME or gunicorn_server.NAME
    assert f"  Server         {expected}\n" in said
    assert service.request("GET", "/health/live").headers["Server"] == (
        expected.split()[0])


def test_what_is_under_way_is_finished(service: Service) -> None:
    """R142: and nothing is begun meanwhile, so that a proxy asks others."""
    service.start()
    replies: List[Reply] = []
    asked = begin(service, replies)
    os.kill(service.pid, signal.SIGTERM)
    until(lambda: not service.is_open())
    assert asked.is_alive()
    assert service.wait(PATIENCE_SECONDS) == 0
    asked.join()
    assert [reply.text for reply in replies] == ["done"]


def test_a_signal_of_an_end_raises_nothing_wherever_it_comes() -> None:
    """R109: in the middle of a fork an exception would be lost; then not."""
    first = getattr(gunicorn_server, "_FirstProcess").__new__(
        getattr(gunicorn_server, "_FirstProcess"))
    first.log = logging.getLogger("test")
    first.reexec_pid = first.dirty_arbiter_pid = 0
    pid = os.fork()
    if not pid:
        os._exit(CANNOT_START)
    first.WORKERS = {pid: SimpleNamespace(tmp=SimpleNamespace(
        close=lambda: None))}
    until(lambda: bool(first.reap_workers() or not first.WORKERS))
    with pytest.raises(HaltServer):
        first.manage_workers()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pause", [0.05, 0.3, 0.6, 0.9, 1.2, 1.5])
def test_it_may_be_told_to_stop_at_any_moment(
        environ: Dict[str, str], tmp_path: Path, pause: float, by: int
        ) -> None:
    """R142: while it starts, too, and then nothing is left of it."""
    service = Service(dict(environ, VESTIBULE_WORKERS="2"), tmp_path)
    begun = time.monotonic()
    service.start_up_to(lambda: time.monotonic() > begun + pause)
    workers = service.workers
    status = service.terminate(PATIENCE_SECONDS, by)
    # Whom Python has not told yet how to end ends as any program does, and
    # Python 3.7 aborts where it is interrupted before it is complete itself.
    assert status in (0, 1, -by) or (
        status == -signal.SIGABRT
        and "Fatal Python error: init" in service.log.read_text("utf-8"))
    until(lambda: all(is_gone(process) for process in workers))


def test_another_process_takes_the_place_of_one_that_died(
        service: Service) -> None:
    """R136: nobody finds the port closed meanwhile."""
    service.start()
    until(lambda: len(service.workers) == 2)
    before = service.workers
    os.kill(before[0], signal.SIGKILL)
    answered = 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            answered += service.request(
                "GET", "/health/live").status == 200
        except (ConnectionResetError, HTTPException):
            pass  # The one who died had taken it.
    assert answered > 20
    until(lambda: len(service.workers) == 2)
    assert before[1] in service.workers and before[0] not in service.workers
    until(lambda: len({service.request("GET", "/pid").text
                       for _ in range(20)}) == 2)
    assert service.terminate(PATIENCE_SECONDS) == 0


def test_none_is_left_when_the_first_one_dies(service: Service) -> None:
    """R140: a new service can have the port."""
    service.start()
    until(lambda: len(service.workers) == 2)
    workers = service.workers
    os.kill(service.pid, signal.SIGKILL)
    until(lambda: all(is_gone(process) for process in workers))


def test_a_process_that_dies_with_a_request_is_one_line(
        service: Service) -> None:
    """R119: of the log, as all else."""
    service.start()
    until(lambda: len(service.workers) == 2)
    os.kill(service.workers[0], signal.SIGSEGV)
    until(lambda: "SIGSEGV" in service.log.read_text("utf-8"))
    until(lambda: len(service.workers) == 2)
    assert service.terminate(PATIENCE_SECONDS) == 0


def test_a_service_that_nobody_asks_does_nothing(service: Service) -> None:
    """Nor does it wake up more often than it has to.

    Not even right after somebody asked, while sessions are kept and news of
    their changes listened to.
    """
    service.start()
    until(lambda: len(service.workers) == 2)
    check_everywhere(service)
    time.sleep(SETTLE_SECONDS)
    before = work(service)
    time.sleep(IDLE_SECONDS)
    assert work(service) - before <= MOST_IDLE_WORK


def check_everywhere(service: Service) -> None:
    """Have each process keep a session, as far as chance allows."""
    person = {"email": "ada@example.com", "password": "a good password"}
    service.request("POST", "/users", person)
    signed_in = service.request("POST", "/sessions", person)
    cookie = signed_in.headers["Set-Cookie"].partition(";")[0]
    for _ in range(CHECKS):
        assert service.request(
            "GET", "/session/check", Cookie=cookie).status == 204


def work(service: Service) -> float:
    """Return how many seconds of a core its processes have had."""
    ticks = 0
    for process in [service.pid, *service.workers]:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(
            ")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(granian_server.NAME is None, reason="without granian")
def test_a_server_that_cannot_start_ends_the_service(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R119: with its reason in one line, instead of trying for ever."""
    service = Service(environ, tmp_path, (sys.executable, "-c", UNABLE))
    with pytest.raises(AssertionError, match="did not start"):
        service.start()
    lines = service.log.read_text("utf-8").splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [each["message"] for each in told if each["level"] == "critical"
            ][:1] == ["A worker cannot start."]
    assert "a secret" not in "".join(lines)


UNABLE = """
import json
import os
from vestibule import granian_server, server
from vestibule.base.config import load
def fail(worker):
    raise TypeError("a " + "secret")
granian_server.GranianWorker._reader = fail
server.serve(load(os.environ).settings)
"""
