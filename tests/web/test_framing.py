#!/usr/bin/env python3
"""Raw bytes for a running service: what HTTP clients would never send.

Who reads them first is granian or Gunicorn, and not even Gunicorn's versions
agree on all of it: where a request has several statuses here, each is a
refusal that will do.
"""

import socket
import struct
import time
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

import pytest

from tests.support.service import Service

JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BODY = b'{"email": "bob@example.com", "password": "pw"}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
# It would be answered, whatever its Host.
HIDDEN = (b"GET /health/live HTTP/1.1\r\nHost: a\r\n"
          b"connection: close\r\n\r\n")
HIDDEN_LENGTH = b"Content-Length: %d\r\n" % len(HIDDEN)
SECONDS, PROMPT_SECONDS = 5.0, 1.0
# In which a request that was hidden would be answered.
QUIET_SECONDS = 0.2
MOST_CHUNKS = 200
# To linger for no second at all: closing breaks the connection off.
RESET = struct.pack("ii", 1, 0)


class Raw(NamedTuple):
    """A request as bytes; ``HOST`` in it stands for the service's own."""

    name: str
    line: bytes
    statuses: Tuple[int, ...]
    headers: bytes = b""
    body: bytes = b""
    host: bytes = b"Host: HOST\r\n"

    def bytes_for(self, port: int) -> bytes:
        """Return the whole request for a service on this port."""
        whole = (self.line + b"\r\n" + self.host + self.headers
                 + b"Connection: close\r\n\r\n" + self.body)
        return whole.replace(b"HOST", b"127.0.0.1:%d" % port)


GET, POST = b"GET / HTTP/1.1", b"POST /users HTTP/1.1"
REQUESTS = (
    Raw("a sound request", GET, (200,)),
    Raw("no Host", GET, (400, 421), host=b""),
    Raw("a foreign Host", GET, (421,), host=b"Host: evil.org\r\n"),
    Raw("two Hosts", GET, (400, 421), b"Host: evil.org\r\n"),
    Raw("a Host with a name", GET, (400, 421), host=b"Host: a@HOST\r\n"),
    Raw("our whole URL", b"GET http://HOST/profile HTTP/1.1", (403,)),
    Raw("our whole URL and a foreign Host",
        b"GET http://HOST/profile HTTP/1.1", (421,),
        host=b"Host: evil.org\r\n"),
    Raw("a doubled slash below health", b"GET /health//live HTTP/1.1",
        (404,), host=b"Host: evil.org\r\n"),
    Raw("an asterisk", b"OPTIONS * HTTP/1.1", (400, 404)),
    Raw("a proxy's CONNECT", b"CONNECT evil.org:443 HTTP/1.1", (400, 404)),
    Raw("no path", b"GET HTTP/1.1", (400,)),
    Raw("a NUL in the path", b"GET /\0 HTTP/1.1", (400, 404)),
    Raw("a path in Latin-1", b"GET /\xff HTTP/1.1", (400, 404)),
    Raw("an escaped line end", b"GET /%0d%0aX:y HTTP/1.1", (404,)),
    Raw("a long path", b"GET /" + b"a" * 9000 + b" HTTP/1.1",
        (400, 414, 431)),
    Raw("a long header", GET, (400, 431), b"X: " + b"a" * 9000 + b"\r\n"),
    Raw("many headers", GET, (400, 431), b"X: a\r\n" * 200),
    Raw("a NUL in a header", GET, (400,), b"User-Agent: a\0b\r\n"),
    Raw("binary in a header", GET, (200,), b"User-Agent: \xff\xfe\r\n"),
    Raw("a folded header", GET, (400,), b"X: a\r\n b\r\n"),
    Raw("a blank before the colon", GET, (400,), b"Host : evil.org\r\n"),
    Raw("a length with an underscore", POST, (422,),
        b"Content_Length: 5\r\n"),
    Raw("a path from a header", b"GET /profile HTTP/1.1", (403,),
        b"Script_Name: /profile\r\nPath_Info: /\r\n"),
    Raw("a length and chunks", POST, (400, 411), JSON + LENGTH + CHUNKED,
        BODY),
    Raw("chunks", POST, (411,), JSON + CHUNKED, b"2\r\n{}\r\n0\r\n\r\n"),
    Raw("endless chunks", POST, (411,), JSON + CHUNKED,
        b"fffffff\r\n" + b"a" * 50000),
    Raw("broken chunks", POST, (400, 411), JSON + CHUNKED, b"zz\r\n"),
    # RFC 9112, section 6.1, asks for 501 for a coding that is not known.
    Raw("an unknown coding", POST, (400, 411, 501),
        JSON + b"Transfer-Encoding: x\r\n"),
    Raw("a length that is no number", POST, (400,),
        JSON + b"Content-Length: many\r\n"),
    Raw("a negative length", POST, (400,), JSON + b"Content-Length: -1\r\n"),
    Raw("two lengths", POST, (400,), JSON + LENGTH + b"Content-Length: 2\r\n",
        BODY),
    Raw("a list of lengths", POST, (400,), JSON + b"Content-Length: 2, 2\r\n",
        b"{}"),
    Raw("a length without an end", POST, (400, 413),
        JSON + b"Content-Length: " + b"9" * 5000 + b"\r\n", BODY),
    Raw("a huge length", POST, (413,),
        JSON + b"Content-Length: 99999999999\r\n", BODY),
    Raw("twenty megabytes", POST, (413,),
        JSON + b"Content-Length: 20000000\r\n", b"a" * 20000000),
    Raw("two content types", POST, (400, 415),
        JSON + b"Content-Type: text/plain\r\n" + LENGTH, BODY),
    Raw("an odd method", b"FOO / HTTP/1.1", (405,)),
    Raw("no method", b" / HTTP/1.1", (400,)),
    Raw("HTTP/2", b"GET / HTTP/2.0", (400, 505)),
    Raw("a proxy's line", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + GET,
        (400,)),
    Raw("binary cookies", b"GET /profile HTTP/1.1", (403,),
        b"Cookie: session_id=\xff\xfe\r\n"),
    Raw("two cookie headers", b"GET /profile HTTP/1.1", (403,),
        b"Cookie: session_id=a\r\nCookie: session_id=b\r\n"),
    Raw("a NUL in a cookie", b"GET /profile HTTP/1.1", (400, 403),
        b"Cookie: session_id=\0\r\n"),
    Raw("binary in Accept", b"GET /no HTTP/1.1", (404,),
        b"Accept: \xff/\xfe;q=\x80\r\n"),
)
# Each is a request of its own, and hides another one in what follows it.
SMUGGLERS = (
    Raw("behind a refused type", POST, (415,),
        b"Content-Type: text/plain\r\n" + HIDDEN_LENGTH, HIDDEN),
    Raw("behind a refused method", b"PUT /users HTTP/1.1", (405,),
        JSON + HIDDEN_LENGTH, HIDDEN),
    Raw("behind a body too large", POST, (413,),
        JSON + b"Content-Length: 70000\r\n", HIDDEN.ljust(70000)),
    Raw("behind a GET", GET, (200,), JSON + HIDDEN_LENGTH, HIDDEN),
    Raw("in a chunk", POST, (411,), JSON + CHUNKED,
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
)
# Ways to say how long a body is on which two readers need not agree. Behind
# it stands a request that one of them would take for one of its own.
UNCLEAR = (
    CHUNKED + LENGTH, LENGTH + CHUNKED, LENGTH + b"Content-Length: 0\r\n",
    LENGTH + LENGTH, b"Transfer-Encoding : chunked\r\n" + LENGTH,
    b"Transfer-Encoding: xchunked\r\n" + LENGTH,
    b"Transfer-Encoding:\x0bchunked\r\n" + LENGTH,
    b"Transfer-Encoding: chunked, identity\r\n" + LENGTH,
    b"Transfer-Encoding: identity, chunked\r\n" + LENGTH,
    b"Transfer-Encoding: identity\r\n" + CHUNKED,
    CHUNKED + b"Transfer-Encoding: x\r\n", CHUNKED + CHUNKED,
    b"Transfer-Encoding: \"chunked\"\r\n", b"Transfer-Encoding: \r\n",
    b" Transfer-Encoding: chunked\r\n" + LENGTH,
    b"X: a\r\n\tTransfer-Encoding: chunked\r\n" + LENGTH,
    b"X: a\rTransfer-Encoding: chunked\r\n" + LENGTH,
    b"X: a\nTransfer-Encoding: chunked\r\n" + LENGTH,
    b"Transfer-Encoding\0: chunked\r\n" + LENGTH,
    b"Content-Length: +46\r\n", b"Content-Length: 0x2e\r\n",
    b"Content-Length: 4 6\r\n", b"Content-Length:\r\n",
    b"Content-Length: 46,\r\n", b"Content-Length : 46\r\n",
    b"Content-Length: \xb2\r\n", b"Content-Length: 4_6\r\n",
    b"Content-Length: -0\r\n", b"Content-Length: 46.0\r\n",
)


@pytest.fixture(name="service", scope="module")
def fixture_service(
        tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run one development service for all requests."""
    folder = tmp_path_factory.mktemp("service")
    environ = {"VESTIBULE_PROFILE": "development", "VESTIBULE_WORKERS": "1",
               "VESTIBULE_BCRYPT_COST": "4",
               "VESTIBULE_DATABASE_URL": f"sqlite:///{folder}/vestibule.db"}
    with Service(environ, Path(folder)) as service:
        yield service


def statuses(port: int, sent: bytes, is_all: bool = False) -> List[int]:
    """Send bytes and return the statuses of all answers to them.

    The service ends the connection, unless it is told that this was all:
    then Gunicorn still answers, and granian takes the client for gone.
    """
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        send(connection, sent)
        if is_all:
            connection.shutdown(socket.SHUT_WR)
        return found(received(connection))


def send(connection: socket.socket, sent: bytes) -> None:
    """Send bytes, as many as are taken."""
    try:
        connection.sendall(sent)
    except OSError:
        pass  # It was refused before it was read to the end.


def received(connection: socket.socket) -> bytes:
    """Return what comes until the service ends the connection."""
    whole = b""
    try:
        while True:
            more = connection.recv(65536)
            if not more:
                break
            whole += more
    except ConnectionResetError:
        pass
    return whole


def found(answers: bytes) -> List[int]:
    """Return the statuses in what was received."""
    return [int(line.split()[1]) for line in answers.split(b"\r\n")
            if line.startswith(b"HTTP/1.")]


@pytest.mark.parametrize("raw", REQUESTS, ids=lambda raw: str(raw.name))
def test_the_service_answers_and_goes_on(service: Service, raw: Raw) -> None:
    """R097, R099: one answer, none of it a fault, and then the next one."""
    started = time.monotonic()
    [status] = statuses(service.port, raw.bytes_for(service.port))
    assert status in raw.statuses
    assert time.monotonic() - started < PROMPT_SECONDS
    assert service.request("GET", "/health/live").status == 200
    assert service.faults() == []


@pytest.mark.parametrize("raw", SMUGGLERS, ids=lambda raw: str(raw.name))
def test_a_body_is_never_taken_for_a_request(
        service: Service, raw: Raw) -> None:
    """R099: what was refused unread does not come back as a request."""
    sent = raw.bytes_for(service.port).replace(b"Connection: close\r\n", b"")
    with socket.create_connection(("127.0.0.1", service.port),
                                  SECONDS) as connection:
        send(connection, sent)
        first = connection.recv(65536)
        time.sleep(QUIET_SECONDS)
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The service has ended the connection.
        assert found(first + received(connection)) == list(raw.statuses)
    assert statuses(service.port, HIDDEN) == [200]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("framing", UNCLEAR, ids=ascii)
def test_a_body_of_unclear_length_ends_the_connection(
        service: Service, framing: bytes, version: bytes) -> None:
    """R099: it is refused, and nothing behind it is taken for a request."""
    raw = Raw("unclear", b"POST /users HTTP/" + version, (400, 411, 501),
              JSON + framing, b"2e\r\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN)
    sent = raw.bytes_for(service.port).replace(b"Connection: close", b"A: a")
    [status] = statuses(service.port, sent)
    assert status in raw.statuses
    assert service.faults() == []


@pytest.mark.parametrize("name", [
    b"Transfer_Encoding: chunked", b"Content_Length: 3", b"Host_: evil.org",
    b"Cookie_: a=b", b"X_Forwarded_For: 10.0.0.1"])
def test_a_header_with_an_underscore_is_no_other(
        service: Service, name: bytes) -> None:
    """R099: in an environ it would look like the one with a hyphen."""
    raw = Raw("underscore", POST, (422,), JSON + b"Content-Length: 2\r\n"
              + name + b"\r\n", b"{}")
    assert statuses(service.port, raw.bytes_for(service.port)) == [422]


@pytest.mark.parametrize("framing", [
    CHUNKED, b"Content-Length: 900000000\r\n"])
def test_an_endless_body_is_cut_off(
        service: Service, framing: bytes) -> None:
    """R091: what follows a refusal is not read to its end.

    It would hold one of the threads for as long as the client likes.
    """
    raw = Raw("endless", POST, (411, 413), JSON + framing)
    sent = raw.bytes_for(service.port).replace(b"Connection: close\r\n", b"")
    with socket.create_connection(("127.0.0.1", service.port),
                                  SECONDS) as client:
        client.sendall(sent)
        assert int(client.recv(65536).split()[1]) in raw.statuses
        with pytest.raises(OSError):
            for _ in range(MOST_CHUNKS):
                client.sendall(b"4\r\naaaa\r\n")
                time.sleep(0.01)


@pytest.mark.parametrize("sent", [
    b"", b"\0\0\0\0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1",
    b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_what_is_no_http_does_no_harm(service: Service, sent: bytes) -> None:
    """TLS, HTTP/2, HTTP/0.9, nothing, and half of a request."""
    assert set(statuses(service.port, sent, is_all=True)) <= {400}
    assert service.request("GET", "/health/live").status == 200


def test_a_client_that_goes_away_is_no_fault_of_ours(
        service: Service) -> None:
    """R091: half a body and a reset; nothing is logged as a failure."""
    raw = Raw("half a body", POST, (), JSON + LENGTH, BODY[:9])
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.sendall(raw.bytes_for(service.port))
            time.sleep(0.05)
    assert service.request("GET", "/health/live").status == 200
    assert service.faults() == []


def test_a_body_that_ends_early_is_400(service: Service) -> None:
    """R091: the other half never comes; granian sees nobody to tell."""
    raw = Raw("half a body", POST, (400,), JSON + LENGTH, BODY[:9])
    sent = raw.bytes_for(service.port)
    assert statuses(service.port, sent, is_all=True) in ([400], [])
    assert service.faults() == []
