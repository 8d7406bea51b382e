#!/usr/bin/env python3
"""No letter and no password travels without verified encryption."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Tuple

import pytest

from tests.mail.samples import SAMPLE, SENDER
from tests.support.smtp_sink import (
    CLEAR, IMPLICIT, STARTTLS, Certificate, SmtpSink, make_certificate)
from vestibule.mail.message import MailUnavailable
from vestibule.mail.smtp import SmtpMailer
from vestibule.mail.smtp_address import parse_smtp_url

LOGIN: Tuple[str, str] = ("jo@example.org", "p@ss/w0rd?#%")
BOTH = pytest.mark.parametrize("security", [STARTTLS, IMPLICIT])


def mailer_to(url: str) -> SmtpMailer:
    """Return a mailer to this server."""
    return SmtpMailer(
        parse_smtp_url(url), SENDER, timeout=timedelta(seconds=5))


@BOTH
def test_a_letter_travels_encrypted_and_after_logging_in(
        certificate: Certificate, security: str) -> None:
    """User and password survive the URL, whatever they are made of."""
    with SmtpSink(security, certificate, login=LOGIN) as sink:
        mailer_to(sink.url).send(SAMPLE)
        [letter] = sink.letters
        assert letter.encrypted
        assert letter.user == LOGIN[0]
        assert letter.text == SAMPLE.text


@BOTH
def test_a_server_without_login_is_used_without_one(
        certificate: Certificate, security: str) -> None:
    """A relay that knows us by our network needs no user."""
    with SmtpSink(security, certificate) as sink:
        mailer_to(sink.url).send(SAMPLE)
        assert sink.letters[0].encrypted
        assert sink.logins == []


def test_a_server_on_this_machine_may_be_logged_in_to_in_clear_text() -> None:
    """Nobody listens in on loopback."""
    with SmtpSink(CLEAR, login=LOGIN) as sink:
        mailer_to(sink.url).send(SAMPLE)
        assert sink.letters[0].user == LOGIN[0]


def test_a_server_without_starttls_gets_no_letter_and_no_password() -> None:
    """R151: whoever strips STARTTLS learns nothing; the letter waits."""
    with SmtpSink(CLEAR, login=LOGIN) as sink:
        stripped = sink.url.replace("smtp://", "smtp+starttls://")
        with pytest.raises(MailUnavailable, match="STARTTLS"):
            mailer_to(stripped).send(SAMPLE)
        assert sink.verbs == ["EHLO"]
        assert sink.logins == []
        assert sink.letters == []


def test_a_server_without_tls_gets_no_letter_and_no_password() -> None:
    """R151 for the port that is encrypted from the first byte."""
    with SmtpSink(CLEAR, login=LOGIN) as sink:
        with pytest.raises(MailUnavailable):
            mailer_to(sink.url.replace("smtp://", "smtps://")).send(SAMPLE)
        assert sink.verbs == []
        assert sink.letters == []


@BOTH
def test_a_certificate_that_nobody_vouches_for_is_refused(
        certificate: Certificate, security: str) -> None:
    """The system trusts no certificate of ours, so no password is sent."""
    with SmtpSink(security, certificate, login=LOGIN) as sink:
        with pytest.raises(MailUnavailable, match="(?i)certificate"):
            mailer_to(sink.url.split("?")[0]).send(SAMPLE)
        assert sink.logins == []
        assert sink.letters == []


@BOTH
def test_a_certificate_of_another_host_is_refused(
        tmp_path: Path, security: str) -> None:
    """Trusted or not: it was made for somebody else."""
    other = make_certificate(tmp_path, "DNS:mail.example.org")
    with SmtpSink(security, other, login=LOGIN) as sink:
        with pytest.raises(MailUnavailable, match="(?i)certificate"):
            mailer_to(sink.url).send(SAMPLE)
        assert sink.logins == []
        assert sink.letters == []


def test_a_wrong_password_is_tried_again_later_and_not_told(
        certificate: Certificate) -> None:
    """The operator will mend it: the letters wait."""
    with SmtpSink(STARTTLS, certificate, login=LOGIN) as sink:
        url = sink.url.replace("p%40ss", "wrong-one")
        with pytest.raises(MailUnavailable, match="the login was not taken "
                           r"\(535 5.7.8\)") as caught:
            mailer_to(url).send(SAMPLE)
        assert sink.logins
        assert sink.letters == []
    assert "wrong-one" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_server_that_wants_a_login_and_gets_none_is_tried_again_later(
        certificate: Certificate) -> None:
    """Its 530 concerns our settings, not this letter."""
    with SmtpSink(STARTTLS, certificate, login=LOGIN) as sink:
        scheme, rest = sink.url.split("://")
        url = f"{scheme}://{rest.split('@')[-1]}"
        with pytest.raises(MailUnavailable, match="530 5.7.0"):
            mailer_to(url).send(SAMPLE)


def test_a_server_that_offers_no_login_is_tried_again_later() -> None:
    """A password that cannot be given is not forgotten about."""
    with SmtpSink(CLEAR, login=LOGIN) as sink:
        sink.answer("EHLO", "250 sink.example")
        with pytest.raises(MailUnavailable, match="AUTH"):
            mailer_to(sink.url).send(SAMPLE)
        assert "MAIL" not in sink.verbs


def test_a_server_that_tells_the_password_back_does_not_put_it_on_record(
) -> None:
    """Its words about a recipient are shown, but for that."""
    with SmtpSink(CLEAR, login=LOGIN) as sink:
        sink.answer("RCPT", f"450 4.7.1 {LOGIN[1]} is no good password")
        with pytest.raises(MailUnavailable, match=r"\*\*\* is no") as caught:
            mailer_to(sink.url).send(SAMPLE)
        assert LOGIN[1] not in str(caught.value)


@pytest.mark.parametrize("contents", [None, "", "no certificate"])
def test_trusted_certificates_that_cannot_be_read_stop_the_start(
        tmp_path: Path, contents: str) -> None:
    """It is found before the first letter, not by it."""
    cafile = tmp_path / "ca.pem"
    if contents is not None:
        cafile.write_text(contents)
    with pytest.raises(ValueError, match="certificates to trust"):
        mailer_to(f"smtps://mail.example.org?cafile={cafile}")


def test_a_connection_that_cannot_be_encrypted_is_closed_at_once() -> None:
    """Not when the error is forgotten about: a log may keep it for long."""
    with SmtpSink(CLEAR) as sink:
        stripped = sink.url.replace("smtp://", "smtp+starttls://")
        with pytest.raises(MailUnavailable) as caught:
            mailer_to(stripped).send(SAMPLE)
        deadline = time.monotonic() + 5
        while sink.connections and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sink.connections == 0
        assert "STARTTLS" in str(caught.value)


def test_a_letter_stalled_inside_tls_leaves_no_connection_behind(
        certificate: Certificate) -> None:
    """Stopping the server does not wait for those it keeps waiting."""
    with SmtpSink(STARTTLS, certificate) as sink:
        sink.stall("MAIL", 60)
        mailer = SmtpMailer(parse_smtp_url(sink.url), SENDER,
                            timeout=timedelta(seconds=0.3))
        with pytest.raises(MailUnavailable, match="timed out"):
            mailer.send(SAMPLE)
