#!/usr/bin/env python3
"""The log's queue: it never waits, never fails, and says what it lost."""

import fcntl
import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest

from vestibule.base import log_queue
from vestibule.base.log_queue import LogQueue

ROOT = Path(__file__).parents[2]
SECONDS = 10
SMALLEST_PIPE = 4096
LOGS = """
import logging, os, sys
from vestibule.base.log_queue import log_to_stderr
log_to_stderr()
log_to_stderr()
logger = logging.getLogger("vestibule.test")
"""


@pytest.fixture
def pipe() -> Iterator[Tuple[int, int]]:
    """Return a pipe that holds little, and close what is left of it."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, getattr(fcntl, "F_SETPIPE_SZ", 1031), SMALLEST_PIPE)
    yield reader, writer
    for end in (reader, writer):
        try:
            os.close(end)
        except OSError:
            pass


def logger_to(handler: logging.Handler) -> Callable[[str], None]:
    """Return what logs a message through this handler alone."""
    def log(message: str) -> None:
        """Log a message."""
        handler.handle(logging.makeLogRecord(
            {"name": "test", "levelname": "INFO", "msg": message}))
    return log


def read_until(reader: int, word: bytes) -> List[Dict[str, Any]]:
    """Read lines until one of them has the word in it."""
    text = b""
    until = time.monotonic() + SECONDS
    while word not in text or not text.endswith(b"\n"):
        assert time.monotonic() < until, text
        if select.select([reader], [], [], 0.2)[0]:
            text += os.read(reader, 65536)
    return [json.loads(line) for line in text.splitlines()]


def logged_by(script: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Run lines of Python that log to stderr, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "always", "-c", LOGS + script],
        env={"PYTHONPATH": str(ROOT)}, **options)


def test_what_is_logged_is_written(pipe: Tuple[int, int]) -> None:
    """One record is one line, in the order in which they came."""
    handler = LogQueue(pipe[1])
    log = logger_to(handler)
    for number in range(20):
        log(f"number {number}")
    handler.flush()
    lines = read_until(pipe[0], b"number 19")
    assert [line["message"] for line in lines] == [
        f"number {number}" for number in range(20)]


def test_nobody_waits_for_a_pipe_that_nobody_reads(
        pipe: Tuple[int, int]) -> None:
    """R121: what does not fit is lost, and how much that was is said."""
    handler = LogQueue(pipe[1], most=10)
    log = logger_to(handler)
    begun = time.monotonic()
    for number in range(1000):
        log(f"number {number}")
    assert time.monotonic() - begun < 1
    lines = read_until(pipe[0], b"lost")
    handler.flush()
    log("the last")
    lines += read_until(pipe[0], b"the last")
    lost = [line["lost"] for line in lines if "lost" in line]
    written = [line for line in lines if line["logger"] == "test"]
    assert sum(lost) + len(written) == 1001 and len(written) < 200
    assert lines[-1]["message"] == "the last"
    said, = [line for line in lines if "lost" in line][:1]
    assert (said["logger"], said["level"]) == ("vestibule.log", "warning")


@pytest.mark.parametrize("broken", ["read end closed", "closed", "full disk"])
def test_what_cannot_be_written_fails_nobody(
        broken: str, pipe: Tuple[int, int]) -> None:
    """R121: EPIPE, EBADF, ENOSPC."""
    descriptor = pipe[1]
    if broken == "full disk":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        os.close(pipe[0] if broken == "read end closed" else pipe[1])
    handler = LogQueue(descriptor)
    log = logger_to(handler)
    for number in range(100):
        log(f"number {number}")
    begun = time.monotonic()
    handler.flush()
    assert time.monotonic() - begun < 1
    if broken == "full disk":
        os.close(descriptor)


def test_after_a_full_disk_the_loss_is_told(
        pipe: Tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """R121: half a line does not spoil the line behind it."""
    writes: List[int] = []
    write = os.write

    def refuse_third(descriptor: int, data: bytes) -> int:
        """Write half of the second line, and then nothing for a while."""
        if descriptor != pipe[1]:
            return write(descriptor, data)
        writes.append(len(data))
        if len(writes) == 2:
            return write(descriptor, data[:9])
        if len(writes) in (3, 4):
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr("vestibule.base.log_queue.os.write", refuse_third)
    handler = LogQueue(pipe[1])
    log = logger_to(handler)
    for number in range(4):
        log(f"number {number}")
    handler.flush()
    text = os.read(pipe[0], 65536).decode().splitlines()
    assert len(text) == 4 and text[1] == '{"at": "2'
    assert "number 0" in text[0] and "number 3" in text[2]
    assert json.loads(text[3])["lost"] == 2


def test_a_descriptor_that_does_not_block_is_waited_for(
        pipe: Tuple[int, int]) -> None:
    """R121: somebody else may have set the terminal so; no line is torn."""
    os.set_blocking(pipe[1], False)
    handler = LogQueue(pipe[1])
    log = logger_to(handler)
    for number in range(200):
        log(f"number {number}")
    lines = read_until(pipe[0], b"number 199")
    assert len(lines) == 200


def test_a_record_that_cannot_be_written_down_fails_nobody(
        pipe: Tuple[int, int]) -> None:
    """R121: a mistake in a logging call is counted as a lost record."""
    handler = LogQueue(pipe[1])
    handler.handle(logging.makeLogRecord({"msg": "%d", "args": ("x",)}))
    logger_to(handler)("after it")
    lines = read_until(pipe[0], b"lost")
    assert [line["message"] for line in lines] == [
        "after it", "Records were lost."]


def test_the_end_does_not_wait_for_long(
        pipe: Tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """R121: a process ends although nobody reads what it has to say."""
    monkeypatch.setattr(log_queue, "FLUSH_SECONDS", 0.2)
    handler = LogQueue(pipe[1])
    log = logger_to(handler)
    for number in range(1000):
        log(f"number {number}")
    begun = time.monotonic()
    handler.flush()
    assert 0.1 < time.monotonic() - begun < 2


def test_each_process_has_its_own_thread() -> None:
    """R121: one that is forked while lines wait leaves these to its parent.
    """
    process = logged_by("""
children = []
for number in range(20):
    for each in range(200):
        logger.info("parent %d.%d", number, each)
    child = os.fork()
    if not child:
        logger.info("child")
        logging.shutdown()
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
""", stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    messages = [json.loads(line)["message"] for line in said.splitlines()]
    assert messages.count("child") == 20
    for number in range(20):
        for each in range(200):
            assert messages.count(f"parent {number}.{each}") == 1


def test_what_waits_is_written_at_the_end() -> None:
    """R121: an ordinary end loses nothing; the set-up counts once."""
    process = logged_by("""
import warnings
for number in range(3000):
    logger.info("number %d", number)
warnings.warn("Python says so")
logging.getLogger("another").info("is not asked")
""", stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["message"] for line in lines[:-1]] == [
        f"number {number}" for number in range(3000)]
    assert lines[-1]["logger"] == "py.warnings"
    assert "Python says so" in lines[-1]["message"]


def test_what_ends_a_process_is_a_line_too() -> None:
    """R119, R122: the status is Python's own, and no value is shown."""
    process = logged_by("""
raise ValueError("a " + "secret")
""", stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    line, = [json.loads(each) for each in said.splitlines()]
    assert process.returncode == 1 and line["level"] == "critical"
    assert line["traceback"].endswith("ValueError")
    assert b"a secret" not in said


def test_a_closed_stderr_is_nobody_elses_number(tmp_path: Path) -> None:
    """R121: what is opened next would get the log's lines otherwise."""
    file = tmp_path / "precious"
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c",
         LOGS + f"opened = os.open({str(file)!r}, os.O_CREAT | os.O_RDWR)\n"
         "logger.info('not for you')\nassert opened > 2\n"],
        env={"PYTHONPATH": str(ROOT)}, timeout=60)
    assert done.returncode == 0
    assert file.read_bytes() == b""


def test_a_thread_that_cannot_begin_is_tried_again(
        pipe: Tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """R121: a machine without a thread to spare loses lines only."""
    with monkeypatch.context() as patch:
        def refuse(thread: threading.Thread) -> None:
            """Say what Python says then."""
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", refuse)
        handler = LogQueue(pipe[1])
        log = logger_to(handler)
        log("lost")
    log("written")
    assert read_until(pipe[0], b"written")[0]["message"] == "written"
