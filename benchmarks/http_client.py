#!/usr/bin/env python3
"""A small HTTP/1.1 client on asyncio, which keeps its connections.

It is ours so that its cost is small and known, and so that the orchestrator
needs nothing but Python's own library.
"""

import asyncio
from typing import (
    Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple)

from benchmarks.processes import LOOPBACK

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
ANSWER_SECONDS = 30.0
# How long one who is told to come later waits here; an attacker would not
# heed what Retry-After says.
PAUSE_SECONDS = 0.5
MOST_TRIES = 200
COME_LATER = (429, 503)
WITHOUT_BODY = (204, 304)
BROKEN = (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError,
          asyncio.LimitOverrunError, ValueError)


class Request(NamedTuple):
    """What is asked for; the Host header is added as it is sent."""

    method: str
    path: str
    headers: Sequence[str] = ()
    body: Optional[bytes] = None
    content_type: str = JSON

    def encoded(self, port: int) -> bytes:
        """Return the bytes that go over the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1",
                 f"Host: {LOOPBACK}:{port}", *self.headers]
        if self.body is not None:
            lines += [f"Content-Type: {self.content_type}",
                      f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + (self.body or b"")


class Reply(NamedTuple):
    """What was answered; names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    body: bytes


class Connection:
    """One connection to a service, opened anew whenever it was closed."""

    def __init__(self, port: int) -> None:
        """Connect with the first request."""
        self._port = port
        self._streams: Optional[
            Tuple[asyncio.StreamReader, asyncio.StreamWriter]] = None

    async def send(self, raw: bytes,
                   seconds: float = ANSWER_SECONDS) -> Reply:
        """Send a request and return the answer.

        A connection that was kept may have been closed by the service
        meanwhile: then it is sent once more, on a new one. Raises one of
        ``BROKEN`` where there is no answer in time.
        """
        kept = self._streams is not None
        try:
            return await asyncio.wait_for(self._exchange(raw), seconds)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            self.close()
            raise
        except BROKEN:
            self.close()
            if not kept:
                raise
        try:
            return await asyncio.wait_for(self._exchange(raw), seconds)
        except BROKEN:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection, whatever state it is in."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None

    async def _exchange(self, raw: bytes) -> Reply:
        """Send and receive, once."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                LOOPBACK, self._port)
        reader, writer = self._streams
        writer.write(raw)
        reply = await _receive(reader)
        if reply.headers.get("connection", "").lower() == "close":
            self.close()
        return reply


async def _receive(reader: asyncio.StreamReader) -> Reply:
    """Read one answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers: Dict[str, str] = {}
    cookies: Dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
        if name.lower() == "set-cookie":
            key, _, rest = value.strip().partition("=")
            cookies[key] = rest.partition(";")[0]
    status = int(first.split()[1])
    body = await _receive_body(reader, status, headers)
    return Reply(status, headers, cookies, body)


async def _receive_body(reader: asyncio.StreamReader, status: int,
                        headers: Dict[str, str]) -> bytes:
    """Read what follows an answer's head."""
    if "chunked" in headers.get("transfer-encoding", ""):
        return await _receive_chunks(reader)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    if status in WITHOUT_BODY:
        return b""
    headers["connection"] = "close"
    return await reader.read()


async def _receive_chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a body whose length is told piece by piece."""
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        chunk = await reader.readexactly(size + 2)
        if not size:
            return body
        body += chunk[:-2]


async def send_all(port: int, requests: Sequence[Request],
                   connections: int) -> List[Reply]:
    """Send requests over a few connections; the answers in their order.

    One that is told to come later waits and asks again, for a while.
    """
    replies: List[Optional[Reply]] = [None] * len(requests)
    waiting: Iterator[int] = iter(range(len(requests)))

    async def work() -> None:
        """Send one after another until none is left."""
        connection = Connection(port)
        try:
            for number in waiting:
                raw = requests[number].encoded(port)
                for _ in range(MOST_TRIES):
                    reply = await connection.send(raw)
                    replies[number] = reply
                    if reply.status not in COME_LATER:
                        break
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return [reply for reply in replies if reply is not None]


def fetch_all(port: int, requests: Sequence[Request],
              connections: int = 8) -> List[Reply]:
    """Send requests as ``send_all`` does, and wait for it."""
    return asyncio.run(send_all(port, requests, connections))
