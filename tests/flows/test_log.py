#!/usr/bin/env python3
"""The log of a real service: no line is forged, and nobody waits for it."""

import json
import os
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

import pytest

from tests.support.service import SERVE, Service
from vestibule.store.db import DB
from vestibule.store.event import EventStore

BOB = {"email": "bob@example.com", "password": "correct horse battery"}
FORGED = '{"at": "2026-01-01T00:00:00Z", "level": "info", "forged": true}'
HOSTILE = (
    f"x\r\n{FORGED}\r\n", f"\n{FORGED}\n", "\x1b[2J\x1b[31m",
    f"\u2028{FORGED}\u2029\x85", "\x00\x08\x7f\x0b\x0c", "\u202e\ufeff",
    "x" * 9000, "\u2028" * 9000, '"}', "\\u000a\\", "%0d%0a%00", "%s %d {}")
PRINTABLE = re.compile(rb"[ -~]+")
CROWD = 150
# Starts a command whose stderr is a pipe that nobody has the other end of.
BROKEN_PIPE = """
import os, sys
reader, writer = os.pipe()
os.dup2(writer, 2)
os.close(reader)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def crew(environ: Dict[str, str]) -> Dict[str, str]:
    """Return the environment of a service of two processes."""
    return dict(environ, VESTIBULE_WORKERS="2")


def send(service: Service, raw: bytes) -> bytes:
    """Send bytes as they are; return the beginning of what comes back."""
    with socket.create_connection(
            ("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(raw)
        answer = b""
        try:
            while not answer.endswith(b"\n"):
                more = connection.recv(65536)
                if not more:
                    break
                answer += more
        except ConnectionResetError:
            pass
        return answer


def attacks(port: int) -> Iterator[bytes]:
    """Yield requests with each hostile text wherever one can be put."""
    head = f"Host: 127.0.0.1:{port}\r\nConnection: close\r\n".encode()
    for text in HOSTILE:
        raw = text.encode()
        bare = re.sub(rb"[\r\n\x00]", b"\xff", raw)[:3000]
        quoted = "".join(f"%{byte:02x}" for byte in raw[:1000]).encode()
        yield b"GET /" + quoted + b" HTTP/1.1\r\n" + head + b"\r\n"
        for name in (b"User-Agent", b"X-Request-Id", b"X-Forwarded-For"):
            for value in (raw[:3000], bare):
                yield (b"GET /nowhere HTTP/1.1\r\n" + head + name + b": "
                       + value + b"\r\n\r\n")
        yield raw[:3000] + b" / HTTP/1.1\r\n" + head + b"\r\n"
        for field in ("email", "password"):
            body = json.dumps(dict(BOB, **{field: text})).encode()
            for path in (b"users", b"sessions", b"reset_password"):
                yield (b"POST /" + path + b" HTTP/1.1\r\n" + head
                       + b"Content-Type: application/json\r\nContent-Length: "
                       + str(len(body)).encode() + b"\r\n\r\n" + body)


def test_no_line_is_forged(crew: Dict[str, str], tmp_path: Path) -> None:
    """R119: line ends, escapes, U+2028, NUL and 9000 characters, anywhere.
    """
    with Service(crew, tmp_path) as service:
        begun = service.log.stat().st_size
        sent = list(attacks(service.port))
        answered = [send(service, raw) for raw in sent]
        assert service.terminate() == 0
        lines = service.log.read_bytes()[begun:].split(b"\n")
    assert lines.pop() == b""
    begun_at = next(number for number, line in enumerate(lines)
                    if line.startswith(b"{"))
    told: List[Dict[str, Any]] = []
    for line in lines[begun_at:]:
        assert PRINTABLE.fullmatch(line) and len(line) < 4096
        told.append(json.loads(line))
    for record in told:
        assert list(record)[:4] == ["at", "level", "logger", "message"]
        assert "forged" not in record
    # What the server refuses has no line of access, all else has one.
    count = sum(record["logger"] == "vestibule.access" for record in told)
    ours = [each for each in answered if b"\r\nx-request-id: " in each.lower()]
    assert count == len(ours) > 100


def shell(streams: str) -> Sequence[str]:
    """Return the command of a service, its streams turned elsewhere."""
    return ("/bin/sh", "-c", f'exec "$@" {streams}', "sh", *SERVE)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Path]:
    """Return a pipe that is held open, and that nobody reads."""
    path = tmp_path / "fifo"
    os.mkfifo(str(path))
    held = os.open(str(path), os.O_RDWR | os.O_NONBLOCK)
    yield path
    os.close(held)


@pytest.mark.parametrize("command", [
    shell(">/dev/full 2>/dev/full"), shell(">&- 2>&-"), shell("2>fifo"),
    shell(">fifo 2>&1"), (sys.executable, "-c", BROKEN_PIPE, *SERVE)],
    ids=["full disk", "closed", "unread", "both unread", "broken"])
def test_requests_go_on_without_a_log(
        command: Sequence[str], fifo: Path, crew: Dict[str, str],
        tmp_path: Path) -> None:
    """R120, R121: a full disk, closed streams, a pipe that nobody reads.

    What happened is in the table, and the service ends when it is told to.
    """
    with Service(crew, tmp_path, command) as service:
        assert service.request("POST", "/users", BOB).status == 200
        slowest = 0.0
        for number in range(CROWD):
            begun = time.monotonic()
            # Long enough to fill the pipe with far fewer of them.
            answer = service.request("GET", "/" + "-/" * 100)
            slowest = max(slowest, time.monotonic() - begun)
            assert answer.status == 404
        assert slowest < 2
        assert service.request("POST", "/sessions", BOB).status == 200
        assert service.terminate(20) == 0
    db = DB(crew["VESTIBULE_DATABASE_URL"])
    user = db.find_user_by(email=BOB["email"])
    assert [each.what for each in EventStore(db).of_user(user.id)] == [
        "user.registered", "session.started"]
    db.close()


def test_what_is_logged_last_is_written(
        crew: Dict[str, str], tmp_path: Path) -> None:
    """R121: the line of the last request is there when the process is not.
    """
    with Service(crew, tmp_path) as service:
        for number in range(50):
            last = service.request("GET", "/nowhere")
        assert service.terminate() == 0
        said = service.log.read_text("utf-8")
    assert last.headers["X-Request-Id"] in said
    assert said.count("GET /nowhere 404") == 50


def test_a_worker_that_cannot_start_says_so_in_a_line(
        crew: Dict[str, str], tmp_path: Path) -> None:
    """R119, R122: without what the exception says, and the service ends."""
    service = Service(crew, tmp_path, (sys.executable, "-c", UNABLE))
    with pytest.raises(AssertionError, match="did not start"):
        service.start()
    service.kill()
    lines = service.log.read_text("utf-8").splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    critical = [each for each in told if each["level"] == "critical"]
    assert critical[0]["message"] == "A worker cannot start."
    assert critical[0]["traceback"].endswith("ValueError")
    assert "a secret" not in "".join(lines)
    assert len(told) == len(lines) - [
        line[:1] for line in lines].index("{")


UNABLE = """
import os
from vestibule import server
from vestibule.base.config import load
def create_app(settings):
    raise ValueError("a " + "secret")
server.create_app = create_app
server.serve(load(os.environ).settings)
"""


def test_a_panic_does_not_end_a_worker(
        crew: Dict[str, str], tmp_path: Path) -> None:
    """R122: of the only worker, the process that answers stays the same."""
    crew["VESTIBULE_WORKERS"] = "1"
    with Service(crew, tmp_path, (
            sys.executable, "-c", PANICS)) as service:
        before = service.request("GET", "/pid").text
        for number in range(5):
            answer = service.request(
                "GET", "/panic", Accept="application/problem+json")
            assert answer.status == answer.json["status"] == 500
            assert answer.json["request_id"] == answer.headers["X-Request-Id"]
        assert service.request("GET", "/pid").text == before
        assert service.terminate() == 0
        said = service.log.read_text("utf-8")
    faults = [json.loads(line) for line in said.splitlines()
              if '"traceback"' in line]
    assert len(faults) == 5
    assert all("Panic" in each["traceback"] for each in faults)


PANICS = """
import os
from vestibule import server
from vestibule.base.config import load
class Panic(BaseException): pass
make = server.create_app
def create_app(settings):
    app = make(settings)
    app.add_url_rule("/pid", "pid", lambda: str(os.getpid()))
    app.add_url_rule("/panic", "panic", panic)
    return app
def panic():
    raise Panic()
server.create_app = create_app
server.serve(load(os.environ).settings)
"""
