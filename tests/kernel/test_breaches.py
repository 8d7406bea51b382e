#!/usr/bin/env python3
"""Asking a service which passwords are known from breaches."""

import logging
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from tests.support.range_service import (
    PADDING, RangeService, line_of, prefix_of)
from tests.support.smtp_sink import make_certificate, openssl_is_missing
from vestibule.base.errors import InvalidInput, Unavailable
from vestibule.kernel import breaches as breaches_module
from vestibule.kernel.breaches import Breaches
from vestibule.kernel.password_policy import PasswordPolicy, Person

PASSWORD = "correct horse battery"
# What a service may do besides answering, and what is logged then.
FAULTS: Dict[str, Any] = {
    "answered 302": {
        "status": 302, "headers": {"Location": "/range/ABCDE"}},
    "answered 301": {
        "status": 301, "headers": {"Location": "file:///etc/passwd"}},
    "answered 429": {"status": 429},
    "answered 404": {"status": 404},
    "answered 500": {"status": 500},
    "answered 204": {"status": 204, "body": ""},
    "answered with too much": {"body": f"{PADDING}\r\n" * 14000},
    "answered with something else": {"body": "<html>Welcome!</html>"},
    "stopped in the middle of its answer": {
        "headers": {"Content-Length": "9999"}},
    "cannot be asked: IncompleteRead": {
        "headers": {"Transfer-Encoding": "chunked"}, "body": "FF\r\nshort"},
    "cannot be asked: BadStatusLine": {"status": -1},
}


@pytest.fixture(name="service")
def fixture_service() -> Iterator[RangeService]:
    """Run a service that knows nothing."""
    with RangeService() as service:
        yield service


def test_a_known_password_is_known(service: RangeService) -> None:
    """R020: by the rest of its digest, in any case of digits."""
    breaches = Breaches(service.url)
    assert not breaches.hold(PASSWORD)
    service.know(PASSWORD)
    assert breaches.hold(PASSWORD)
    assert not breaches.hold(PASSWORD + " staple")
    service.body = line_of(PASSWORD, 1).lower()
    assert breaches.hold(PASSWORD)


def test_only_five_digits_leave_the_house(service: RangeService) -> None:
    """R020: k-anonymity, and padding so that no length tells either."""
    Breaches(service.url).hold(PASSWORD)
    assert service.paths == [f"/range/{prefix_of(PASSWORD)}"]
    [headers] = service.asked_with
    assert headers["Add-Padding"] == "true"
    assert headers["User-Agent"] == "Vestibule"
    assert line_of(PASSWORD, 1)[:35] not in str(headers)


def test_padding_says_nothing(service: RangeService) -> None:
    """R020: such lines are seen 0 times, whatever they hold."""
    service.know(PASSWORD, count=0)
    assert not Breaches(service.url).hold(PASSWORD)
    service.body = ""
    assert not Breaches(service.url).hold(PASSWORD)


@pytest.mark.parametrize("said", FAULTS)
def test_what_is_no_answer_is_a_failure(
        said: str, service: RangeService,
        caplog: pytest.LogCaptureFixture) -> None:
    """Open, it knows nothing; closed, no password is taken; it is logged.
    """
    for name, value in FAULTS[said].items():
        setattr(service, name, value)
    with caplog.at_level(logging.WARNING):
        assert not Breaches(service.url).hold(PASSWORD)
    assert caplog.messages == [
        f"The service of VESTIBULE_BREACH_URL {said}."]
    with pytest.raises(Unavailable) as refusal:
        Breaches(service.url, closed=True).hold(PASSWORD)
    assert refusal.value.retry_after >= 1
    assert len(service.paths) == 2


def test_a_redirect_is_not_followed(service: RangeService) -> None:
    """It could lead anywhere, and to what is reachable for us alone."""
    with RangeService() as other:
        service.status = 307
        service.headers = {"Location": other.url + "ABCDE"}
        service.know(PASSWORD)
        assert not Breaches(service.url).hold(PASSWORD)
        assert other.paths == []


@pytest.mark.parametrize("slow", [
    {"pause": 5.0}, {"pause": 0.2, "piece": 1},
    {"pause": 0.2, "piece": 1, "drip_headers": True}])
def test_a_slow_service_is_given_up(
        slow: Dict[str, Any], service: RangeService,
        caplog: pytest.LogCaptureFixture) -> None:
    """Two seconds in all, also where an answer comes in drops."""
    for name, value in slow.items():
        setattr(service, name, value)
    breaches = Breaches(service.url)
    started = time.monotonic()
    assert not breaches.hold(PASSWORD)
    assert 1.5 < time.monotonic() - started < 3
    assert caplog.messages[0].endswith("took longer than 2 seconds.")
    _wait_until_free(breaches)


def test_whoever_notices_it_first_says_the_same(
        service: RangeService) -> None:
    """The socket's own patience ends at the same time as ours."""
    service.pause = 5.0
    call = breaches_module._Call(f"{service.url}ABCDE", None)
    call.make()
    assert call.problem == "took longer than 2 seconds"


def test_a_service_that_hangs_does_not_collect_threads(
        service: RangeService, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    """Whoever comes when all places are taken waits for nothing."""
    monkeypatch.setattr(breaches_module, "MOST_AT_ONCE", 1)
    breaches = Breaches(service.url)
    assert breaches._places.acquire(blocking=False)
    assert not breaches.hold(PASSWORD)
    assert service.paths == []
    assert caplog.messages[0].endswith("hangs too often.")
    breaches._places.release()
    service.know(PASSWORD)
    assert breaches.hold(PASSWORD)
    _wait_until_free(breaches)


def test_a_service_that_is_not_there_is_a_failure(
        service: RangeService, caplog: pytest.LogCaptureFixture) -> None:
    """Refused connections and names of nobody, at once."""
    with RangeService() as gone:
        pass
    for url in (gone.url, "http://nobody.invalid/range/"):
        assert not Breaches(url).hold(PASSWORD)
        with pytest.raises(Unavailable):
            Breaches(url, closed=True).hold(PASSWORD)
    assert "cannot be asked: ConnectionRefusedError" in caplog.messages[0]
    assert prefix_of(PASSWORD) not in caplog.text


def test_certificates_are_verified(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    """Whoever stands between could tell us anything."""
    if openssl_is_missing():
        pytest.skip("openssl is not installed: TLS to the range service is "
                    "not tested")
    certificate = make_certificate(tmp_path)
    with RangeService(certificate) as service:
        service.know(PASSWORD)
        assert not Breaches(service.url).hold(PASSWORD)
        assert service.paths == []
        assert "SSLCertVerificationError" in caplog.messages[0]
        monkeypatch.setenv("SSL_CERT_FILE", certificate.cert)
        assert Breaches(service.url).hold(PASSWORD)
        service.pause, service.piece = 0.2, 1
        breaches = Breaches(service.url)
        assert not breaches.hold(PASSWORD)
        _wait_until_free(breaches)


def test_proxies_of_the_environment_are_not_used(
        service: RangeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only settings say where requests go."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    service.know(PASSWORD)
    assert Breaches(service.url).hold(PASSWORD)


def test_the_service_is_asked_last(service: RangeService) -> None:
    """R020: nothing is sent of what is refused anyway."""
    policy = PasswordPolicy(15, breaches=Breaches(service.url))
    with pytest.raises(InvalidInput):
        policy.check("short")
    policy.check_alone(PASSWORD)
    assert service.paths == []
    service.know(PASSWORD)
    with pytest.raises(InvalidInput) as refusal:
        policy.check(PASSWORD, "new_password", Person("bob@example.com"))
    assert refusal.value.errors == {"new_password": ["breached"]}


def test_the_normal_form_is_asked_about(service: RangeService) -> None:
    """R023: one password, one question."""
    service.know("caf\u00e9 " * 5)
    policy = PasswordPolicy(breaches=Breaches(service.url))
    for text in ("caf\u00e9 " * 5, "cafe\u0301 " * 5):
        with pytest.raises(InvalidInput):
            policy.check(text)


def test_a_thread_that_cannot_start_takes_no_place(
        service: RangeService, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    """However often that happens, the next one is asked again."""
    service.know(PASSWORD)
    breaches = Breaches(service.url)

    def refuse(thread: threading.Thread) -> None:
        """Do what Python does where the system gives no more threads."""
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(breaches_module.MOST_AT_ONCE + 1):
            assert not breaches.hold(PASSWORD)
    assert {"too many threads" in each for each in caplog.messages} == {True}
    assert breaches.hold(PASSWORD)


def _wait_until_free(breaches: Breaches) -> None:
    """Wait until no thread of these hangs on a service any more."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if breaches._places._value == breaches_module.MOST_AT_ONCE:
            return
        time.sleep(0.02)
    raise AssertionError("a thread still hangs")
