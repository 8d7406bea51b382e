#!/usr/bin/env python3
"""Sends messages through an SMTP server, over verified TLS or not at all."""

import re
import smtplib
import ssl
from datetime import timedelta
from typing import NoReturn, Optional

from vestibule.mail.headers import one_line, parse_sender
from vestibule.mail.message import (
    Mailer, MailRefused, MailUnavailable, Message)
from vestibule.mail.smtp_address import Security, SmtpAddress
from vestibule.mail.wire import serialise

_ENHANCED_CODE = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")
_REASON_LENGTH = 200
# Answers that say "log in first" or "not in this order": they concern the
# settings, not the letter.
_ABOUT_LOGIN = (503, 530, 534, 535, 538)
# A server may scan a letter before it answers for it. Whoever hangs up too
# early sends it a second time, so the answer to the body is worth a wait.
_FINAL_ANSWER_FACTOR = 6


class SmtpMailer(Mailer):
    """Hands each message to one SMTP server, on a connection of its own.

    May be used by several threads at once. The time-out holds for every
    single answer of the server, the last one may take six times as long.
    """

    def __init__(self, address: SmtpAddress, sender: str,
                 timeout: timedelta = timedelta(seconds=10)) -> None:
        """Send from ``sender``, as in ``Example <mail@example.org>``.

        Raises ``ValueError`` when the sender is not usable, or the file of
        trusted certificates is not.
        """
        self._address = address
        self._sender = parse_sender(sender)
        self._timeout = timeout.total_seconds()
        self._tls = _tls_context(address.cafile)

    def send(self, message: Message) -> None:
        """Hand the message over; when this returns, the server has it.

        Whatever the server does after it took the letter is no failure, or
        the letter would be sent twice.
        """
        raw = serialise(message, self._sender)
        try:
            smtp = self._connect()
            try:
                self._log_in(smtp)
                self._hand_over(smtp, message.to, raw)
                _wait_at_most(smtp, self._timeout)
                _say_goodbye(smtp)
            finally:
                smtp.close()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            # "from None": the cause quotes the server, which may quote the
            # letter and its link, and a log would print it.
            raise MailUnavailable(self._line(_reason(error))) from None

    def _connect(self) -> smtplib.SMTP:
        """Connect, and protect the connection before anything is said.

        The name given in EHLO is the sender's domain: asking the system for
        its own can take many seconds of DNS, and often finds nothing.
        """
        host, port, domain = (
            self._address.host, self._address.port, self._sender.domain)
        if self._address.security is Security.TLS:
            return smtplib.SMTP_SSL(
                host, port, local_hostname=domain, timeout=self._timeout,
                context=self._tls)
        smtp = smtplib.SMTP(
            host, port, local_hostname=domain, timeout=self._timeout)
        if self._address.security is Security.STARTTLS:
            try:
                smtp.starttls(context=self._tls)
            except BaseException:
                smtp.close()
                raise
        return smtp

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        """Greet the server, and log in if there is a user."""
        smtp.ehlo_or_helo_if_needed()
        if self._address.user is not None:
            smtp.login(self._address.user, self._address.password or "")

    def _hand_over(self, smtp: smtplib.SMTP, to: str, raw: bytes) -> None:
        """Give sender, recipient and letter; return when it was accepted."""
        code, reply = smtp.mail(self._sender.address)
        if code != 250:
            self._put_off("the sender", code, reply)
        code, reply = smtp.rcpt(to)
        if code not in (250, 251):
            self._judge("the recipient", code, reply)
        _wait_at_most(smtp, self._timeout * _FINAL_ANSWER_FACTOR)
        try:
            code, reply = smtp.data(raw)
        except smtplib.SMTPDataError as error:
            code, reply = error.smtp_code, _said(error)
        if code != 250:
            # Only the number: the words may quote the letter and its link.
            self._judge("the letter", code, _enhanced_code(reply))

    def _judge(self, what: str, code: int, reply: bytes) -> NoReturn:
        """Refuse for good on a 5xx that concerns this letter, else put off."""
        if 500 <= code <= 599 and code not in _ABOUT_LOGIN:
            raise MailRefused(self._line(_not_taken(what, code, reply)))
        self._put_off(what, code, reply)

    def _put_off(self, what: str, code: int, reply: bytes) -> NoReturn:
        """Say that the server did not take it now."""
        raise MailUnavailable(self._line(_not_taken(what, code, reply)))

    def _line(self, reason: str) -> str:
        """Return a reason as one short line that starts with the server."""
        if self._address.password:
            reason = reason.replace(self._address.password, "***")
        return one_line(f"{self._address.place}: {reason}")[:_REASON_LENGTH]


def _tls_context(cafile: Optional[str]) -> ssl.SSLContext:
    """Return what verifies the server's certificate and its host name."""
    try:
        return ssl.create_default_context(cafile=cafile)
    except (OSError, ValueError) as error:
        raise ValueError("the file of certificates to trust cannot be used: "
                         f"{error}") from None


def _wait_at_most(smtp: smtplib.SMTP, seconds: float) -> None:
    """Give the server this long for each of its further answers."""
    if smtp.sock is not None:
        smtp.sock.settimeout(seconds)


def _say_goodbye(smtp: smtplib.SMTP) -> None:
    """End the session politely; the letter is out, so nothing can fail."""
    try:
        smtp.quit()
    except (smtplib.SMTPException, OSError, ValueError):
        pass


def _not_taken(what: str, code: int, reply: bytes) -> str:
    """Say what the server did not take, and what it answered."""
    answer = f"{code} {reply.decode('ascii', 'replace')}".strip()
    return f"{what} was not taken ({answer})"


def _said(error: smtplib.SMTPResponseException) -> bytes:
    """Return the words of an answer, which smtplib has as bytes or text."""
    words = error.smtp_error
    return words if isinstance(words, bytes) else words.encode()


def _enhanced_code(reply: bytes) -> bytes:
    """Return the status code of RFC 3463 that a reply starts with, if any."""
    found = _ENHANCED_CODE.match(reply)
    return found.group() if found else b""


def _reason(error: Exception) -> str:
    """Return what an operator may read of an error.

    Of an answer only the numbers, since its words may quote what was said
    to the server; of an error in a value nothing, since it quotes the value.
    """
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _not_taken("the login", error.smtp_code,
                          _enhanced_code(_said(error)))
    if isinstance(error, smtplib.SMTPResponseException):
        return _not_taken("the greeting", error.smtp_code,
                          _enhanced_code(_said(error)))
    if isinstance(error, OSError):
        return str(error) or type(error).__name__
    return f"the conversation failed ({type(error).__name__})"
