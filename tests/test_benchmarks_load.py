#!/usr/bin/env python3
"""What the benchmarks' load generator times, and what they start and end.

A service of a few lines answers here, in a thread of its own.
"""

import math
import os
import socketserver
import sys
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest

from benchmarks.http_client import Request, fetch_all
from benchmarks.load import Flood, Steady, logins, mixed
from benchmarks.processes import (
    Command, DidNotStart, cpu_seconds, family, free_port, memory_mib, start,
    stop, wait_for_port)

STALL_SECONDS = 0.2
ANSWERS = {
    "/plain": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
              b"Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n\r\nplain",
    "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"3\r\nchu\r\n3;x=y\r\nnks\r\n0\r\n\r\n",
    "/none": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/until-closed": b"HTTP/1.1 200 OK\r\n\r\nall of it",
    "/refused": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    "/busy": b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
}
LAST_WORDS = ("/until-closed", "/silently-closed")
ONE_AT_A_TIME = threading.Lock()


class Answers(socketserver.StreamRequestHandler):
    """Answers the requests of one connection by their paths."""

    def handle(self) -> None:
        """Answer until the client, or the last word, ends it."""
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            path = head.split()[1].decode()
            if head.startswith(b"POST"):
                self.rfile.read(2)
            with ONE_AT_A_TIME:
                if path == "/stalls":
                    time.sleep(STALL_SECONDS)
            self.wfile.write(ANSWERS.get(path, ANSWERS["/plain"]))
            if path in LAST_WORDS:
                return


class Service(socketserver.ThreadingTCPServer):
    """A thread for each connection, all of which one stall holds up."""

    daemon_threads = True


@pytest.fixture(name="port", scope="module")
def fixture_port() -> Iterator[int]:
    """Yield the port of a service that answers in threads of its own."""
    with Service(("127.0.0.1", 0), Answers) as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        yield service.server_address[1]
        service.shutdown()
        thread.join()


def test_every_form_of_an_answer_is_read(port: int) -> None:
    """Over one connection, as far as the service keeps it."""
    paths = ["/plain", "/chunks", "/none", "/until-closed", "/plain",
             "/silently-closed", "/refused"]
    replies = fetch_all(port, [Request("GET", path) for path in paths], 1)
    assert [(reply.status, reply.body) for reply in replies] == [
        (200, b"plain"), (200, b"chunks"), (204, b""), (200, b"all of it"),
        (200, b"plain"), (200, b"plain"), (403, b"")]
    assert replies[0].cookies == {"a": "1", "b": "2"}


def test_a_stall_cannot_hide_itself(port: int) -> None:
    """All that was due meanwhile is late, not the one request alone."""
    requests = [Request("GET", "/stalls")] + [Request("GET", "/plain")] * 99
    found = mixed(port, {"checks": Steady(requests, 100)}, None, 0.3)
    checks = found["checks"]
    assert checks["count"] == 30 and checks["bad"] == 0
    assert checks["max_ms"] >= STALL_SECONDS * 1000
    assert checks["p50_ms"] > 10


def test_refusals_of_checks_are_counted(port: int) -> None:
    """They would be the quickest answers of all."""
    steady = Steady([Request("GET", "/plain"), Request("GET", "/busy")], 100)
    found = mixed(port, {"checks": steady}, None, 0.1)
    assert (found["checks"]["count"], found["checks"]["bad"]) == (10, 5)


def test_a_flood_goes_on_until_the_time_is_over(port: int) -> None:
    """Each client has its own connection; who is told to wait, waits."""
    flood = Flood(lambda: Request("POST", "/plain", (), b"{}"), 4)
    found = mixed(port, {}, flood, 0.1)["flood"]
    assert found["logins"] > 4
    assert found["statuses"] == {"200": found["logins"]}
    assert math.isnan(found["refused_p99_ms"])
    polite = Flood(lambda: Request("POST", "/busy", (), b"{}"), 4)
    found = mixed(port, {}, polite, 0.1)["flood"]
    assert found["statuses"] == {"503": 4}
    assert found["refused_p99_ms"] > 0


def test_logins_under_way_are_waited_for(port: int) -> None:
    """The rate is of all that were begun, over the time they really took.
    """
    found = logins(port, lambda: Request("POST", "/stalls", (), b"{}"), 2,
                   STALL_SECONDS / 4)
    assert found["logins"] == 2
    assert found["logins_per_s"] <= 1 / STALL_SECONDS


def test_a_service_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    """Also those that would not end by themselves."""
    process = start(Command(
        ["sh", "-c", "trap '' TERM; sleep 60 & sleep 60"], os.environ,
        tmp_path, tmp_path / "log"))
    until = time.monotonic() + 5
    while len(family(process.pid)) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    pids = family(process.pid)
    assert len(pids) == 3 and memory_mib(process.pid) > 0
    stop(process, 0.05)
    until = time.monotonic() + 5
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(map(is_running, pids))


def is_running(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_cpu_time_counts_children_that_have_ended(tmp_path: Path) -> None:
    """A worker that was replaced has cost what it has cost."""
    burn = ("import subprocess, sys, time\n"
            "subprocess.run([sys.executable, '-c', 'sum(range(3 * 10**6))'])\n"
            "print('done', flush=True)\n"
            "time.sleep(60)\n")
    process = start(Command([sys.executable, "-c", burn], os.environ,
                            tmp_path, tmp_path / "log"))
    until = time.monotonic() + 20
    while not (tmp_path / "log").read_text() and time.monotonic() < until:
        time.sleep(0.01)
    try:
        assert cpu_seconds(process.pid) > 0.02
    finally:
        stop(process)


def test_a_service_that_ends_at_once_did_not_start(tmp_path: Path) -> None:
    """It is not waited for as long as for one that is slow."""
    process = start(Command(["false"], os.environ, tmp_path,
                            tmp_path / "log"))
    with pytest.raises(DidNotStart, match="ended with status 1"):
        wait_for_port(process, free_port())
    stop(process)
