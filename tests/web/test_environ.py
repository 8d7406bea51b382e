#!/usr/bin/env python3
"""What a request is to the application is the same on every server."""

import json
import socket
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from tests.support.service import Service

# The service's own server, with an application that says what it is given.
MIRROR = """
import json, os
from vestibule import server
from vestibule.base.config import load
make = server.create_app
def create_app(settings):
    app = make(settings)
    inner = app.wsgi_app
    def mirror(environ, start_response):
        if environ["PATH_INFO"].startswith("/health/"):
            return inner(environ, start_response)
        seen = {name: value for name, value in environ.items()
                if isinstance(value, (str, bool))}
        read = environ["wsgi.input"]
        seen["read"] = [part.decode("latin-1") for part in (
            read.read(2), read.readline(), read.readline(), read.read())]
        answer = json.dumps(seen).encode()
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer]
    app.wsgi_app = mirror
    return app
server.create_app = create_app
server.serve(load(os.environ).settings)
"""
SECONDS = 10.0
Seen = Dict[str, Any]


@pytest.fixture(name="service", scope="module")
def fixture_service(
        tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run one service for all requests."""
    folder = tmp_path_factory.mktemp("service")
    environ = {"VESTIBULE_PROFILE": "development", "VESTIBULE_WORKERS": "1",
               "VESTIBULE_DATABASE_URL": f"sqlite:///{folder}/vestibule.db"}
    with Service(environ, Path(folder),
                 (sys.executable, "-c", MIRROR)) as service:
        yield service


class Line:
    """A connection, and what is read from it."""

    def __init__(self, port: int) -> None:
        """Connect to the service on this port."""
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._file = self.socket.makefile("rb")

    def answer(self) -> Tuple[bytes, List[bytes]]:
        """Read the head of the next answer: its first line, and the rest."""
        lines: List[bytes] = []
        while True:
            line = self._file.readline().rstrip(b"\r\n")
            if not line:
                return lines[0], lines[1:]
            lines.append(line)

    def seen(self) -> Seen:
        """Read the next answer, and return what the application saw."""
        first, fields = self.answer()
        assert first.partition(b" ")[2] == b"200 OK"
        named = dict(field.lower().split(b": ", 1) for field in fields)
        seen: Seen = json.loads(self._file.read(
            int(named[b"content-length"])))
        return seen


def seen(service: Service, *lines: bytes, body: bytes = b"",
         line: bytes = b"GET / HTTP/1.1") -> Seen:
    """Send a request with these header lines; return what was seen of it.
    """
    connection = Line(service.port)
    connection.socket.sendall(b"\r\n".join(
        [line, b"Host: 127.0.0.1", *lines, b"", body]))
    try:
        return connection.seen()
    finally:
        connection.socket.close()


@pytest.mark.parametrize("target, path, query", [
    (b"/a%20b%2Fc%00%ff%zz", "/a b/c\0\xff%zz", ""),
    (b"/m%C3%BCnchen?q=%C3%BC&b", "/m\xc3\xbcnchen", "q=%C3%BC&b"),
    (b"//evil.org/x", "//evil.org/x", ""),
    (b"/a//b/../c;d=e", "/a//b/../c;d=e", ""),
    (b"http://127.0.0.1/a?b", "/a", "b"), (b"/?", "/", ""),
    (b"/a+b?c+d", "/a+b", "c+d"), (b"/a?b=/c?d", "/a", "b=/c?d"),
])
def test_a_target_is_a_path_and_a_query(
        service: Service, target: bytes, path: str, query: str) -> None:
    """R097: percent signs are decoded once, and in the path alone."""
    saw = seen(service, line=b"GET " + target + b" HTTP/1.1")
    assert (saw["PATH_INFO"], saw["QUERY_STRING"]) == (path, query)
    assert saw["SCRIPT_NAME"] == ""


def test_bytes_beyond_ascii_come_as_latin_1(service: Service) -> None:
    """R052, R100: a foreign cookie of that kind hides no cookie of ours."""
    saw = seen(service, b"User-Agent: \xc3\xa9\xff",
               b"Cookie: name=J\xc3\xbcrgen; session_id=abc",
               b"Content-Type: text/\xe9")
    assert saw["HTTP_USER_AGENT"] == "\xc3\xa9\xff"
    assert saw["HTTP_COOKIE"] == "name=J\xc3\xbcrgen; session_id=abc"
    assert saw["CONTENT_TYPE"] == "text/\xe9"


def test_headers_of_one_name_are_joined(service: Service) -> None:
    """R093: none of them is dropped, so that who reads them can refuse.

    But of two types of content the old Gunicorn hands on the last.
    """
    saw = seen(service, b"X-Request-Id: a", b"Cookie: a=b",
               b"X-Forwarded-For: 192.0.2.1", b"X-Request-Id: b",
               b"Cookie: c=d", b"x-forwarded-for: 192.0.2.2",
               b"Content-Type: a/b", b"Content-Type: c/d")
    assert saw["HTTP_X_REQUEST_ID"].replace(" ", "") == "a,b"
    assert saw["HTTP_X_FORWARDED_FOR"].replace(" ", "") == (
        "192.0.2.1,192.0.2.2")
    assert saw["HTTP_COOKIE"].replace(";", ",").replace(" ", "") == "a=b,c=d"
    assert saw["CONTENT_TYPE"].replace(" ", "") in ("a/b,c/d", "c/d")


@pytest.mark.parametrize("lines", [
    (b"X_Forwarded_For: 192.0.2.66", b"X-Forwarded-For: 192.0.2.1"),
    (b"X-Forwarded-For: 192.0.2.1", b"X_Forwarded_For: 192.0.2.66"),
    (b"X-Forwarded-For: 192.0.2.1", b"X-Forwarded_For: 192.0.2.66",
     b"Content_Type: x", b"Script_Name: /x", b"Remote_Addr: 192.0.2.66")])
def test_an_underscore_is_no_hyphen(
        service: Service, lines: Tuple[bytes, ...]) -> None:
    """R075, R099: nobody writes over what a proxy has written."""
    saw = seen(service, *lines)
    assert saw["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
    assert "192.0.2.66" not in saw.values()
    assert "HTTP_CONTENT_TYPE" not in saw and saw["SCRIPT_NAME"] == ""


def test_nobody_is_believed_about_where_a_request_came_from(
        service: Service) -> None:
    """R075: but the socket."""
    saw = seen(service, b"X-Forwarded-For: 192.0.2.66",
               b"X-Forwarded-Proto: https", b"X-Forwarded-Prefix: /x",
               b"X-Forwarded-Host: evil.org", b"X-Script-Name: /x",
               b"Forwarded: for=192.0.2.66;proto=https")
    assert saw["REMOTE_ADDR"] == "127.0.0.1"
    assert saw["wsgi.url_scheme"] == "http"
    assert saw["SCRIPT_NAME"] == "" and saw["HTTP_HOST"] == "127.0.0.1"


def test_a_body_is_read_as_wsgi_has_it(service: Service) -> None:
    """To its end and not beyond, in whatever way."""
    body = b"abcd\n\xff\n\nlast"
    saw = seen(service, b"Content-Length: %d" % len(body), body=body,
               line=b"POST / HTTP/1.1")
    assert saw["read"] == ["ab", "cd\n", "\xff\n", "\nlast"]
    assert saw["CONTENT_LENGTH"] == str(len(body))
    assert saw["wsgi.multithread"] is True


def test_the_version_is_that_of_the_request(service: Service) -> None:
    """Some clients and probes still speak 1.0, and need no Host for it."""
    assert seen(service)["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert seen(service, line=b"GET / HTTP/1.0")[
        "SERVER_PROTOCOL"] == "HTTP/1.0"


def test_a_connection_takes_one_request_after_the_other(
        service: Service) -> None:
    """With bodies, without, and where only the head is asked for."""
    line = Line(service.port)
    for number in range(3):
        line.socket.sendall(
            b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            % number)
        assert line.seen()["PATH_INFO"] == f"/{number}"
        line.socket.sendall(b"HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n")
        assert line.answer()[0] == b"HTTP/1.1 200 OK"
    line.socket.close()


def test_a_client_is_told_to_continue(service: Service) -> None:
    """Programs like curl wait for it before they send a body of some size.
    """
    line = Line(service.port)
    line.socket.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                        b"Expect: 100-continue\r\n\r\n")
    assert line.answer()[0] == b"HTTP/1.1 100 Continue"
    line.socket.sendall(b"abcd")
    assert "".join(line.seen()["read"]) == "abcd"
    line.socket.close()


def test_a_body_may_come_in_small_pieces(service: Service) -> None:
    """Each in a packet of its own."""
    line = Line(service.port)
    line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.socket.sendall(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n")
    for _ in range(2000):
        line.socket.sendall(b"a")
    assert "".join(line.seen()["read"]) == "a" * 2000
    line.socket.close()


def test_a_server_does_not_say_its_version(service: Service) -> None:
    """R049: not even to a request that it refuses itself."""
    for line in (b"GET / HTTP/1.1", b"GET / HTTP/1.1 x", b"GET /\0 HTTP/1.1"):
        connection = Line(service.port)
        connection.socket.sendall(line + b"\r\nHost: a\r\n\r\n")
        _, fields = connection.answer()
        for field in fields:
            name, _, value = field.partition(b":")
            if name.lower() == b"server":
                assert value.strip().isalpha()
        connection.socket.close()
