#!/usr/bin/env python3
"""Who sends or reads slowly holds up nobody else.

Where Gunicorn reads the requests they do, up to the number of its threads:
there the proxy in front has to take what is slow.
"""

import contextlib
import socket
import sys
import time
from pathlib import Path
from typing import Iterator, List

import pytest

from tests.support.service import Service
from vestibule.granian_server import NAME

# Heads and bodies have little time; one answer is too large for any buffer.
SLOW = """
import os
from vestibule import granian_request, granian_server, server
from vestibule.base.config import load
granian_request.BODY_SECONDS = 1.0
granian_server.KEEP_ALIVE_SECONDS = 1
make = server.create_app
def create_app(settings):
    app = make(settings)
    app.add_url_rule("/large", "large", large)
    return app
def large():
    try:
        for _ in range(1000):
            yield b"x" * 65536
    finally:
        os.write(2, b"closed\\n")
server.create_app = create_app
server.serve(load(os.environ).settings)
"""
CROWD = 40
PROMPT_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
HEAD = b"POST /users HTTP/1.1\r\nHost: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\nContent-Length: 900\r\n\r\n"
pytestmark = pytest.mark.skipif(
    NAME is None, reason="here Gunicorn reads, in its few threads")


@pytest.fixture(name="service")
def fixture_service(tmp_path: Path) -> Iterator[Service]:
    """Run a service that has but two threads for requests."""
    environ = {"VESTIBULE_PROFILE": "development", "VESTIBULE_WORKERS": "1",
               "VESTIBULE_THREADS": "2",
               "VESTIBULE_DATABASE_URL": f"sqlite:///{tmp_path}/v.db"}
    with Service(environ, tmp_path, (sys.executable, "-c", SLOW)) as service:
        yield service


@contextlib.contextmanager
def crowd(service: Service, sent: bytes) -> Iterator[List[socket.socket]]:
    """Let many clients send this and then nothing more."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(CROWD):
            clients.append(stack.enter_context(socket.create_connection(
                ("127.0.0.1", service.port), PATIENCE_SECONDS)))
            clients[-1].sendall(sent)
        yield clients


def answers_promptly(service: Service) -> bool:
    """Say whether others are answered as if nobody else were there."""
    begun = time.monotonic()
    for _ in range(5):
        assert service.request("GET", "/health/live").status == 200
    return time.monotonic() - begun < PROMPT_SECONDS


def large(service: Service) -> bytes:
    """Return a request for what is too large for any buffer."""
    return (f"GET /large HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n"
            "Connection: close\r\n\r\n").encode()


@pytest.mark.parametrize("sent", [
    b"", HEAD[:-2], HEAD + JSON, HEAD + JSON + b"{"],
    ids=["nothing", "half a head", "no body", "half a body"])
def test_half_a_request_holds_no_thread(
        service: Service, sent: bytes) -> None:
    """R127: nor does it hold the service up when that is to stop."""
    with crowd(service, sent):
        assert answers_promptly(service)
        assert service.terminate(PATIENCE_SECONDS) == 0


def test_a_body_that_does_not_come_is_408(service: Service) -> None:
    """R127: its connection is not kept for good."""
    with crowd(service, HEAD + JSON) as clients:
        for client in clients:
            answer = b""
            while True:
                more = client.recv(4096)
                if not more:
                    break
                answer += more
            assert answer.startswith(b"HTTP/1.1 408 ")
    assert service.terminate(PATIENCE_SECONDS) == 0
    assert service.faults() == []


def test_a_client_that_does_not_read_holds_no_thread(
        service: Service) -> None:
    """R127: what is made piece by piece is made as it is taken."""
    with crowd(service, large(service)):
        assert answers_promptly(service)
    until = time.monotonic() + PATIENCE_SECONDS
    while service.log.read_text("utf-8").count("closed\n") < CROWD:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert service.faults() == []


def test_a_client_that_reads_slowly_gets_all_of_it(service: Service) -> None:
    """R127: and in order, though threads take turns at it."""
    with socket.create_connection(
            ("127.0.0.1", service.port), PATIENCE_SECONDS) as client:
        client.sendall(large(service))
        whole = 0
        while True:
            more = client.recv(1 << 20)
            if not more:
                break
            whole += more.count(b"x")
        assert whole >= 1000 * 65536
