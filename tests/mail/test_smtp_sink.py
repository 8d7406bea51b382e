#!/usr/bin/env python3
"""The server that the tests of mail stand on does what it says."""

import smtplib

import pytest

from tests.mail.samples import DATE, SAMPLE
from tests.support.smtp_sink import (
    HOST, STARTTLS, Certificate, SmtpSink)
from vestibule.mail.smtp import SmtpMailer
from vestibule.mail.smtp_address import parse_smtp_url


def test_the_sink_keeps_letters_over_a_stop_and_a_start(
        sink: SmtpSink) -> None:
    """The port stays, the letters stay."""
    mailer = SmtpMailer(parse_smtp_url(sink.url), "mail@example.org")
    url = sink.url
    mailer.send(SAMPLE)
    sink.stop()
    sink.start()
    mailer.send(SAMPLE)
    assert sink.url == url
    first, second = sink.wait_for(2)
    assert first.message["Date"].datetime == DATE
    assert first.text == second.text


def test_the_sink_says_how_many_letters_did_not_come(
        sink: SmtpSink) -> None:
    """Waiting has an end."""
    with pytest.raises(AssertionError, match="0 of 1 letters came"):
        sink.wait_for(1, seconds=0.05)


def test_the_sink_does_as_it_is_told_until_it_may_take_all_again(
        sink: SmtpSink) -> None:
    """Orders concern what comes after them."""
    sink.refuse("jo@example.org")
    sink.answer("MAIL", "451 later")
    with smtplib.SMTP(HOST, sink.port, local_hostname="x") as client:
        client.ehlo()
        assert client.mail("mail@example.org")[0] == 451
        sink.obey()
        sink.refuse("jo@example.org")
        assert client.mail("mail@example.org")[0] == 250
        assert client.rcpt("jo@example.org")[0] == 550
        sink.obey()
        assert client.rcpt("jo@example.org")[0] == 250
    assert sink.verbs == ["EHLO", "MAIL", "MAIL", "RCPT", "RCPT", "QUIT"]


def test_the_sink_takes_nothing_before_starttls(
        certificate: Certificate) -> None:
    """So a test that gets a letter through it knows that it was encrypted."""
    with SmtpSink(STARTTLS, certificate) as sink:
        with smtplib.SMTP(HOST, sink.port, local_hostname="x") as client:
            client.ehlo()
            assert client.mail("mail@example.org")[0] == 530
            assert not client.has_extn("auth")


def test_the_sink_stops_while_a_client_says_nothing() -> None:
    """A connection that is left open does not keep it from stopping."""
    with SmtpSink() as sink:
        client = smtplib.SMTP(HOST, sink.port, local_hostname="x")
    client.close()
