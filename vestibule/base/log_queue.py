#!/usr/bin/env python3
"""The log's way out: a queue and a thread, so that no request waits for it.

A disk that is full, a pipe that nobody reads, a terminal that is gone: the
log loses lines then and says later how many, and requests go on.
"""

import logging
import os
import select
import sys
import threading
from queue import SimpleQueue
from typing import Any, Optional

from vestibule.base.log_lines import LogLines

STANDARD_ERROR = 2
MOST_WAITING = 5000
FLUSH_SECONDS = 2.0
LEVEL = logging.INFO
logger = logging.getLogger(__name__)


class LogQueue(logging.Handler):
    """Takes records without ever waiting, and has a thread write them.

    Each process gets a thread of its own with its first record, so that a
    worker that was forked has one, too.
    """

    def __init__(self, descriptor: int = STANDARD_ERROR,
                 most: int = MOST_WAITING) -> None:
        """Write to this descriptor; let so many lines wait and no more."""
        super().__init__()
        self.setFormatter(LogLines())
        self._descriptor = descriptor
        self._most = most
        self._waiting: "SimpleQueue[Any]" = SimpleQueue()
        self._process: Optional[int] = None
        # One each for who counts, so that nobody needs a lock.
        self._dropped = self._failed = self._told = 0
        self._torn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Let the record's line wait to be written, or count it as lost."""
        try:
            line = self.format(record)
            if self._process != os.getpid():
                self._begin()
            if self._waiting.qsize() < self._most:
                self._waiting.put(line)
                return
        except Exception:
            # Nothing about the log is a reason for anybody to fail.
            pass
        self._dropped += 1

    def flush(self) -> None:
        """Wait until all that waits is written, but not for long.

        Python calls this as the process ends in the ordinary way.
        """
        if self._process == os.getpid():
            done = threading.Event()
            self._waiting.put(done)
            done.wait(FLUSH_SECONDS)

    def _begin(self) -> None:
        """Begin with an empty queue; the parent writes what was in its own.

        Its lock may have been held by a thread that was not forked along.
        """
        self._waiting = SimpleQueue()
        if self._process is not None:
            self._dropped = self._failed = self._told = 0
            self._process = None
        threading.Thread(target=self._write_all, args=(self._waiting,),
                         name="log", daemon=True).start()
        self._process = os.getpid()

    def _write_all(self, lines: Any) -> None:
        """Write line after line until the process ends."""
        while True:
            line = lines.get()
            if isinstance(line, threading.Event):
                line.set()
            elif not self._write(line):
                self._failed += 1
            else:
                self._tell_lost()

    def _tell_lost(self) -> None:
        """Say how many records were lost since this was said last."""
        lost = self._dropped + self._failed - self._told
        if lost and self._write(self.format(logging.makeLogRecord({
                "name": "vestibule.log", "levelname": "WARNING",
                "msg": "Records were lost.", "fields": {"lost": lost}}))):
            self._told += lost

    def _write(self, line: str) -> bool:
        """Write one line past all buffers; say whether it is out whole.

        After half a line the next one begins on a line of its own.
        """
        whole = (b"\n" if self._torn else b"") + line.encode() + b"\n"
        rest = whole
        try:
            while rest:
                rest = rest[self._send(rest):]
        except OSError:
            self._torn = self._torn or rest != whole
            return False
        self._torn = False
        return True

    def _send(self, data: bytes) -> int:
        """Write what can be written, waiting where others made that needed.

        Whoever shares the terminal or the pipe may have set it not to block.
        """
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            select.select([], [self._descriptor], [])
            return 0


def log_to_stderr() -> None:
    """Have all records of this process and its children written to stderr.

    Warnings of Python are among them, and what ends a process. A standard
    stream that is closed is opened to nowhere first: else the next socket
    would get its number, and the log with it. Called again this changes
    nothing.
    """
    root = logging.getLogger()
    if any(isinstance(each, LogQueue) for each in root.handlers):
        return
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > STANDARD_ERROR:
            os.close(descriptor)
            break
    logging.captureWarnings(True)
    sys.excepthook = _log_last_words
    root.addHandler(LogQueue())
    logging.getLogger("vestibule").setLevel(LEVEL)


def _log_last_words(kind: Any, error: BaseException, frames: Any) -> None:
    """Log what ends this process, which Python would print in many lines."""
    logger.critical("The process ends by a fault.", exc_info=error)
