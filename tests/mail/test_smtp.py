#!/usr/bin/env python3
"""Handing letters to a mail server: what arrives, and what is an error."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import List, Type

import pytest

from tests.mail.samples import HOSTILE_NAMES, LINK, SAMPLE, SENDER, TOKEN
from tests.mail.script import LETTER_TAKEN, scripted
from tests.support.smtp_sink import SmtpSink
from vestibule.mail.message import MailRefused, MailUnavailable
from vestibule.mail.smtp import SmtpMailer
from vestibule.mail.smtp_address import parse_smtp_url


def mailer_to(url: str, seconds: float = 5.0) -> SmtpMailer:
    """Return a mailer to this server, with little patience."""
    return SmtpMailer(
        parse_smtp_url(url), SENDER, timeout=timedelta(seconds=seconds))


def test_a_letter_arrives_as_it_was_written(sink: SmtpSink) -> None:
    """One recipient, the sender's address, both parts, the Message-ID."""
    mailer_to(sink.url).send(SAMPLE)
    [letter] = sink.letters
    assert letter.sender == "accounts@example.org"
    assert letter.recipients == ("jo@example.org",)
    assert letter.message["Message-ID"] == SAMPLE.message_id
    assert letter.text == SAMPLE.text
    assert letter.html == SAMPLE.html


def test_a_link_in_the_text_arrives_unbroken(sink: SmtpSink) -> None:
    """However long it is."""
    link = f"{LINK}&next={'x' * 2000}"
    mailer_to(sink.url).send(SAMPLE._replace(text=f"Open:\n{link}\n"))
    assert link in sink.letters[0].text.splitlines()


@pytest.mark.parametrize("address", [
    "jo+tag@example.org", "o'neil/x=y|z{}`~@example.org", "-jo@example.org",
    "jo@localhost", "a" * 64 + "@" + ".".join(["b" * 60] * 3)])
def test_an_odd_address_is_the_only_recipient(
        sink: SmtpSink, address: str) -> None:
    """It reaches the envelope and the header letter for letter."""
    mailer_to(sink.url).send(SAMPLE._replace(to=address))
    [letter] = sink.letters
    assert letter.recipients == (address,)
    assert letter.message["To"] == address


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_service_name_reaches_nobody_else(
        sink: SmtpSink, name: str) -> None:
    """Through a real server there is one recipient and no other header."""
    mailer = SmtpMailer(
        parse_smtp_url(sink.url), f"{name} <accounts@example.org>")
    mailer.send(SAMPLE._replace(subject=f"Password for {name}"))
    [letter] = sink.letters
    assert letter.recipients == ("jo@example.org",)
    assert letter.sender == "accounts@example.org"
    assert letter.message.keys() == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
        "MIME-Version", "Content-Type"]
    assert letter.text == SAMPLE.text


def test_a_letter_to_two_addresses_is_refused_before_connecting(
        sink: SmtpSink) -> None:
    """The server hears nothing at all."""
    with pytest.raises(MailRefused):
        mailer_to(sink.url).send(
            SAMPLE._replace(to="jo@example.org,eve@example.org"))
    assert sink.verbs == []


def test_lines_with_a_lone_dot_do_not_end_the_letter(sink: SmtpSink) -> None:
    """Nor do they lose their dot."""
    text = "one\n.\n..\n.two\nMAIL FROM:<eve@example.org>\n"
    mailer_to(sink.url).send(SAMPLE._replace(text=text))
    assert sink.letters[0].text == text


def test_one_mailer_serves_several_threads(sink: SmtpSink) -> None:
    """Each letter arrives once, at its own recipient."""
    mailer = mailer_to(sink.url)
    people = [f"p{number}@example.org" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(
            lambda to: mailer.send(SAMPLE._replace(to=to)), people))
    assert sorted(letter.recipients[0] for letter in sink.letters) == sorted(
        people)


@pytest.mark.parametrize("verb, reply, error", [
    ("RCPT", "550 5.1.1 No such user", MailRefused),
    ("RCPT", "553 5.1.3 Malformed", MailRefused),
    ("RCPT", "450 4.2.1 Try later", MailUnavailable),
    ("RCPT", "421 4.3.2 Going down", MailUnavailable),
    ("RCPT", "530 5.7.0 Log in first", MailUnavailable),
    ("RCPT", "503 5.5.1 Log in first", MailUnavailable),
    ("DATA", "554 5.7.1 Rejected", MailRefused),
    ("DATA", "452 4.3.1 Disk full", MailUnavailable),
    ("MAIL", "550 5.7.1 Not you", MailUnavailable),
    ("MAIL", "451 4.3.0 Try later", MailUnavailable),
])
def test_only_a_5xx_about_the_letter_is_final(
        sink: SmtpSink, verb: str, reply: str,
        error: Type[Exception]) -> None:
    """What concerns the settings or the hour is tried again later."""
    sink.answer(verb, reply)
    with pytest.raises((MailRefused, MailUnavailable)) as caught:
        mailer_to(sink.url).send(SAMPLE)
    assert caught.type is error
    assert reply[:9] in str(caught.value)
    assert str(caught.value).startswith(f"127.0.0.1:{sink.port}: ")
    assert sink.letters == []


def test_a_refused_recipient_is_reported_in_the_words_of_the_server(
        sink: SmtpSink) -> None:
    """An operator reads why; another recipient gets the letter."""
    sink.refuse("jo@example.org", "550 5.1.1 Mailbox closed in 1998")
    with pytest.raises(MailRefused, match="Mailbox closed in 1998"):
        mailer_to(sink.url).send(SAMPLE)
    mailer_to(sink.url).send(SAMPLE._replace(to="max@example.org"))
    assert sink.letters[0].recipients == ("max@example.org",)


def test_a_reason_is_one_short_line_without_anything_of_the_letter(
        sink: SmtpSink) -> None:
    """A filter that quotes the link back does not put it into our table."""
    sink.answer("DATA", f"554 5.7.1 Blocked: {LINK} {'x' * 300}")
    with pytest.raises(MailRefused) as caught:
        mailer_to(sink.url).send(SAMPLE)
    assert str(caught.value).endswith("(554 5.7.1)")
    assert TOKEN not in repr(caught.value.__cause__)
    assert caught.value.__suppress_context__ or not caught.value.__context__
    sink.obey()
    sink.answer("RCPT", f"550 5.1.1 \x1b[31m\x07{'x' * 300}")
    with pytest.raises(MailRefused) as caught:
        mailer_to(sink.url).send(SAMPLE)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 200


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT"])
def test_a_server_that_stalls_is_left_after_the_time_out(
        sink: SmtpSink, verb: str) -> None:
    """The letter is put off, and nothing hangs."""
    sink.stall(verb, 30)
    began = time.monotonic()
    with pytest.raises(MailUnavailable, match="timed out"):
        mailer_to(sink.url, seconds=0.3).send(SAMPLE)
    assert time.monotonic() - began < 5
    assert sink.letters == []


def test_a_server_that_ponders_over_a_letter_is_waited_for(
        sink: SmtpSink) -> None:
    """Hanging up while it scans the letter would send it twice."""
    sink.stall("DATA", 1)
    mailer_to(sink.url, seconds=0.5).send(SAMPLE)
    assert len(sink.letters) == 1


def test_a_server_that_ponders_for_ever_is_left(sink: SmtpSink) -> None:
    """The patience with the last answer has an end, too."""
    sink.stall("DATA", 30)
    began = time.monotonic()
    with pytest.raises(MailUnavailable, match="timed out"):
        mailer_to(sink.url, seconds=0.1).send(SAMPLE)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("reply", ["421 4.4.2 Gone", "500 What?", "221"])
def test_what_the_server_says_to_quit_is_no_failure(
        sink: SmtpSink, reply: str) -> None:
    """It has the letter: an error now would send it twice."""
    sink.answer("QUIT", reply)
    mailer_to(sink.url).send(SAMPLE)
    assert len(sink.letters) == 1


def test_a_server_that_stalls_at_quit_has_the_letter(sink: SmtpSink) -> None:
    """Its silence is no failure, and not waited for any longer."""
    sink.stall("QUIT", 30)
    began = time.monotonic()
    mailer_to(sink.url, seconds=0.5).send(SAMPLE)
    assert time.monotonic() - began < 2
    assert len(sink.letters) == 1


def test_a_server_that_hangs_up_after_the_letter_has_it() -> None:
    """The connection is cut before QUIT is answered."""
    with scripted(LETTER_TAKEN) as url:
        mailer_to(url).send(SAMPLE)


@pytest.mark.parametrize("answers", [
    ["554 No service here"], ["220 hello"], ["220 hello", "421 bye"],
    ["HTTP/1.1 400 Bad Request"], ["220 " + "x" * 9000], [],
    LETTER_TAKEN[:3], LETTER_TAKEN[:5]])
def test_a_server_that_breaks_off_gets_the_letter_later(
        answers: List[str]) -> None:
    """Whatever it said before, and were it no mail server at all."""
    with scripted(answers) as url:
        with pytest.raises(MailUnavailable):
            mailer_to(url).send(SAMPLE)


def test_a_server_that_is_back_gets_the_letter_with_the_same_id(
        sink: SmtpSink) -> None:
    """Down, then up again on the same port."""
    mailer = mailer_to(sink.url)
    mailer.send(SAMPLE)
    sink.stop()
    with pytest.raises(MailUnavailable, match="refused"):
        mailer.send(SAMPLE)
    sink.start()
    mailer.send(SAMPLE)
    assert [letter.message["Message-ID"] for letter in sink.letters] == [
        SAMPLE.message_id] * 2


def test_a_name_that_dns_does_not_know_is_tried_again_later() -> None:
    """A name server on a bad day kills no letter."""
    with pytest.raises(MailUnavailable, match="no-such-host.invalid:587"):
        mailer_to("smtp+starttls://no-such-host.invalid").send(SAMPLE)


def test_an_unusable_sender_stops_the_start(sink: SmtpSink) -> None:
    """It is found before the first letter, not by it."""
    with pytest.raises(ValueError, match="the sender must be one plain"):
        SmtpMailer(parse_smtp_url(sink.url), "Example")
