#!/usr/bin/env python3
"""A request that granian has read, with a granian that tests can steer."""

import weakref
from typing import Any, Callable, Dict, Iterable, List, Optional

import pytest

from vestibule import granian_request
from vestibule.granian_request import (
    LONGEST_FIELD, LONGEST_TARGET, MOST_FIELDS, Requests)
from vestibule.web.departure import HAS_LEFT

Fields = List[Any]
GONE: Dict[str, Any] = {"type": "http.disconnect"}


class Promise:
    """What granian gives for something that is not there yet."""

    def __init__(self) -> None:
        """Be neither kept nor broken."""
        self.callback: Optional[Callable[[Any], None]] = None
        self.is_cancelled = False
        self.message: Dict[str, Any] = {}

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call this when it is there."""
        self.callback = callback

    def cancel(self) -> None:
        """Call at once, as granian does."""
        self.is_cancelled = True
        self.keep({})

    def cancelled(self) -> bool:
        """Say whether nobody waits for it any more."""
        return self.is_cancelled

    def result(self) -> Dict[str, Any]:
        """Return what came."""
        return self.message

    def keep(self, message: Dict[str, Any]) -> None:
        """Let it be there."""
        self.message = message
        assert self.callback is not None
        self.callback(self)


class Watcher:
    """One request, as granian hands it over, and what is answered to it."""

    def __init__(self, headers: Fields, **scope: Any) -> None:
        """Be a request with these headers; ``scope`` is what is odd in it.
        """
        self.scope = dict({
            "method": "POST", "raw_path": b"/", "query_string": b"",
            "http_version": "1.1", "server": ("127.0.0.1", "80"),
            "client": ("192.0.2.1", "999"), "headers": headers}, **scope)
        self.proto = self
        self.promised: List[Promise] = []
        self.sent: List[Dict[str, Any]] = []
        self.rooms: List[Promise] = []
        self.is_full = self.is_done = False

    def receive(self) -> Promise:
        """Promise more of the body."""
        self.promised.append(Promise())
        return self.promised[-1]

    def send(self, message: Dict[str, Any]) -> Any:
        """Note what is sent; promise room where there is none."""
        self.sent.append(message)
        if self.is_full and message.get("more_body"):
            self.rooms.append(Promise())
            return self.rooms[-1]
        return None

    def done(self) -> None:
        """Be told that nothing follows."""
        self.is_done = True

    @property
    def status(self) -> int:
        """The status of the answer."""
        status: int = self.sent[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        """What has been sent of the answer's body."""
        return b"".join(each["body"] for each in self.sent[1:])


def echo(environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answer with the body of the request."""
    start_response("201 CREATED", [("X-Was", "here")])
    return [environ["wsgi.input"].read()]


def long(length: int) -> Fields:
    """Return the header of a body of this length."""
    return [(b"content-length", b"%d" % length)]


def piece(data: bytes, more: bool = True) -> Dict[str, Any]:
    """Return what granian says of a piece of a body."""
    return {"type": "http.request", "body": data, "more_body": more}


def test_a_request_is_answered_when_its_body_is_there() -> None:
    """R127: and what handed it over goes on meanwhile."""
    watcher = Watcher(long(6))
    Requests(echo).take(watcher)
    watcher.promised[0].keep(piece(b"abc"))
    assert watcher.sent == []
    watcher.promised[1].keep(piece(b"def"))
    assert (watcher.status, watcher.body) == (201, b"abcdef")
    assert watcher.sent[0]["headers"] == [(b"X-Was", b"here")]


@pytest.mark.parametrize("last", [GONE, piece(b"", False)])
def test_a_body_that_ends_early_is_handed_on(last: Dict[str, Any]) -> None:
    """R091: the application knows what to say to that."""
    watcher = Watcher(long(6))
    Requests(echo).take(watcher)
    watcher.promised[0].keep(piece(b"abc"))
    watcher.promised[1].keep(last)
    assert watcher.body == b"abc"


@pytest.mark.parametrize("headers", [
    long(65537), long(10 ** 40), long(6) + long(6),
    [(b"transfer-encoding", b"chunked")], [(b"content-length", b"\xb2")]])
def test_a_body_that_will_be_refused_is_not_awaited(headers: Fields) -> None:
    """R091, R099: and its connection ends with the answer."""
    watcher = Watcher(headers)
    Requests(echo).take(watcher)
    assert watcher.promised == []
    assert (watcher.status, watcher.body) == (201, b"")
    assert (b"connection", b"close") in watcher.sent[0]["headers"]


def test_whoever_asks_hears_that_a_client_has_left() -> None:
    """R125: from granian, which is bothered for nobody else."""
    questions: List[Callable[[], bool]] = []

    def curious(environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer, and go on asking."""
        questions.append(environ[HAS_LEFT])
        return echo(environ, start_response)

    watcher = Watcher(long(3))
    Requests(curious).take(watcher)
    watcher.promised[0].keep(piece(b"abc"))
    assert len(watcher.promised) == 1
    [has_left] = questions
    assert not has_left() and not has_left()
    assert len(watcher.promised) == 2
    watcher.promised[1].keep(piece(b"", False))
    assert not has_left()
    watcher.promised[2].keep(GONE)
    assert has_left() and len(watcher.promised) == 3


@pytest.mark.parametrize("odd", [
    {"raw_path": b"/" + b"a" * LONGEST_TARGET},
    {"query_string": b"a" * LONGEST_TARGET},
    {"headers": [(b"a", b"")] * (MOST_FIELDS + 1)},
    {"headers": [(b"a", b"b" * LONGEST_FIELD)]}])
def test_a_head_out_of_all_measure_is_refused(odd: Dict[str, Any]) -> None:
    """R091: before anybody looks at it."""
    watcher = Watcher(**dict({"headers": []}, **odd))
    Requests(echo).take(watcher)
    assert watcher.status == 431


def test_a_late_body_is_refused_once(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R127: whoever comes after that, its last piece or the deadline."""
    monkeypatch.setattr(granian_request, "BODY_SECONDS", -1.0)
    requests = Requests(echo)
    late, just = Watcher(long(3)), Watcher(long(3))
    for watcher in (late, just):
        requests.take(watcher)
    just.promised[0].keep(piece(b"abc"))
    requests.expire()
    assert just.status == 201
    assert late.status == 408 and late.promised[0].is_cancelled
    late.promised[0].is_cancelled = False
    late.promised[0].keep(piece(b"ab"))
    late.promised[0].keep(piece(b"abc"))
    requests.expire()
    assert len(late.sent) == 2 and len(late.promised) == 1


def test_nothing_is_kept_of_a_request_that_is_over(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R130: granian's promise knows us, and we must not know it."""
    monkeypatch.setattr(granian_request, "BODY_SECONDS", -1.0)
    requests = Requests(echo)
    answered, late = Watcher(long(3)), Watcher(long(3))
    requests.take(answered)
    answered.promised[0].keep(piece(b"abc"))
    requests.take(late)
    requests.expire()
    for watcher in (answered, late):
        callback: Any = watcher.promised[0].callback
        body = callback.__self__
        assert watcher.promised[0] not in vars(body).values()
        seen = weakref.ref(body)
        del callback, body
        watcher.promised.clear()
        assert seen() is None


class Parts:
    """An answer in pieces, which says when it is closed."""

    def __init__(self, *pieces: Any) -> None:
        """Consist of these pieces; an exception among them is raised."""
        self._pieces = list(pieces)
        self.is_closed = False

    def __iter__(self) -> "Parts":
        """Return the parts themselves."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece."""
        if not self._pieces:
            raise StopIteration
        made: Any = self._pieces.pop(0)
        if isinstance(made, BaseException):
            raise made
        assert isinstance(made, bytes)
        return made

    def close(self) -> None:
        """Note that nobody reads on."""
        self.is_closed = True


def answered(parts: Parts, is_full: bool, *fields: Any) -> Watcher:
    """Take a request that is answered with these parts."""
    def application(environ: Any, start_response: Any) -> Parts:
        """Answer with the parts."""
        start_response("200 OK", list(fields))
        return parts

    watcher = Watcher([])
    watcher.is_full = is_full
    Requests(application).take(watcher)
    return watcher


def test_pieces_are_made_as_the_client_takes_them() -> None:
    """R127: by whichever thread says that there is room."""
    parts = Parts(b"a", b"", b"b", b"c")
    watcher = answered(parts, True)
    for number, expected in enumerate((b"a", b"ab", b"abc")):
        assert watcher.body == expected and not parts.is_closed
        watcher.rooms[number].keep({})
    assert watcher.sent[-1]["more_body"] is False and parts.is_closed


def test_an_answer_of_a_known_length_is_sent_whole() -> None:
    """It takes one thread for a moment."""
    parts = Parts(b"a", b"b")
    watcher = answered(parts, True, ("Content-Length", "2"))
    assert len(watcher.sent) == 2 and watcher.body == b"ab"
    assert parts.is_closed


@pytest.mark.parametrize("error", [ValueError("a secret"), SystemExit()])
def test_an_answer_that_fails_is_broken_off(
        error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """R122: so that nobody takes half of it for all."""
    parts = Parts(b"a", error)
    watcher = answered(parts, False)
    assert watcher.is_done and parts.is_closed
    assert watcher.sent[-1]["more_body"] is True
    assert [record.message for record in caplog.records] == [
        "A request was lost."]


def test_nothing_is_raised_into_granian(
        caplog: pytest.LogCaptureFixture) -> None:
    """R122: it would be lost there, and the client would wait."""
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        """Fail by what is no exception of a program."""
        raise KeyboardInterrupt

    watcher = Watcher(long(1))
    Requests(application).take(watcher)
    watcher.promised[0].keep(piece(b"a"))
    assert watcher.is_done
    assert len(caplog.records) == 1
