#!/usr/bin/env python3
"""No text makes the service work more than in proportion to its length.

Work is counted as ``tests/support/effort.py`` says: against other work in
the same run, and never against the clock on the wall.
"""

from pathlib import Path
from typing import Any, Callable, Dict

import pytest

import vestibule
from tests.support.contract import FORM, JSON
from tests.support.effort import (
    LONGEST, Used, expressions, heaviest, least, more_than, scale)
from tests.support.fields import CONTRACT, Sender
from vestibule.base.errors import InvalidInput
from vestibule.base.identifiers import canonical_email
from vestibule.base.setting_values import BaseURL
from vestibule.base.texts import is_clean, is_one_line
from vestibule.kernel.password_policy import PasswordPolicy
from vestibule.kernel.passwords import normal_form
from vestibule.mail.headers import is_address, one_line
from vestibule.web.client_address import client_address
from vestibule.web.cookies import presented_registration
from vestibule.web.device import device_of

EXPRESSIONS = expressions(Path(vestibule.__file__).parent)
# So much more than the plainest expression takes for as many characters. A
# quadratic one takes ten thousands of times as much.
TIMES = 300
# Reading in Python takes longer than an expression, in proportion too.
TIMES_READING = 3000
# A harmless body takes less than a hundredth of a second.
TIMES_USUAL = 60
LOCAL = BaseURL("http", "127.0.0.1:5000", "")
AGENT_LENGTH = 512
READERS: Dict[str, Callable[[str], Any]] = {
    "an address": canonical_email,
    "a local address": lambda text: canonical_email(text, True),
    "a password": normal_form,
    "a new password": PasswordPolicy().check_alone,
    "a text": is_clean, "a line": is_one_line, "a mail's line": one_line,
    "a recipient": is_address,
    "a Cookie": lambda text: presented_registration(text, LOCAL),
    "X-Forwarded-For": lambda text: client_address("::1", text, ()),
    "a User-Agent": lambda text: device_of(text[:AGENT_LENGTH])}
HARD = ("a", "@", "a@", "a.", ".", "-", " ", "\u3002", "\u0345", "\u0130",
        "xn--", "a@xn--a.", ";", "session_id=;", "=", ",", "1.1.1.1,", "::",
        "\0", "\ufb03", "\U0001f600", "\u0390", "Mozilla/5.0 (", "(;", "1.",
        "=?utf-8?q?", "\"", "\\", "<", "a\u0308", "\u1100\u1161\u11a8")


def test_the_expressions_are_found() -> None:
    """R101: compiled ones, with the methods they are used by, and others."""
    found = {(used.file, used.method) for used in EXPRESSIONS}
    assert {("context.py", "fullmatch"), ("passwords.py", "fullmatch"),
            ("headers.py", "sub"), ("setting_values.py", "search")} <= found
    assert len(EXPRESSIONS) > 25


@pytest.mark.parametrize("source, method", [
    ("(a+)+b", "match"), ("(a|a)*b", "fullmatch"), ("a*a*b", "match"),
    ("a*b", "search"), (r"\s+$", "search"), ("(?:.*,){9}x", "match")])
def test_a_heavy_expression_would_be_seen(source: str, method: str) -> None:
    """R101: exponential or quadratic, and by the method it is used with."""
    limit = TIMES * scale()
    assert heaviest(Used(source, method, ""), limit)[0] > limit


@pytest.mark.parametrize(
    "used", EXPRESSIONS, ids=lambda used: f"{used.file} {used.source!r}")
def test_every_expression_takes_linear_time(used: Used) -> None:
    """R101: for what it is made of, repeated up to 64 KiB."""
    limit = TIMES * scale()
    taken, text = heaviest(used, limit)
    assert taken <= limit, text


@pytest.mark.parametrize("reader", sorted(READERS))
def test_what_reads_a_text_takes_linear_time(reader: str) -> None:
    """R101: the check of an address too, with all libraries below it."""
    limit, read = TIMES_READING * scale(), READERS[reader]
    for piece in HARD:
        text = (piece * LONGEST)[:LONGEST]
        for length in (250, 4000, LONGEST):
            def attempt() -> None:
                """Read it, whatever comes of it."""
                try:
                    read(text[:length])
                except InvalidInput:
                    pass
            assert not more_than(limit, attempt), (piece, length)


def _full(begin: str, piece: str, end: str = "") -> bytes:
    """Return a body that is as large as one may be."""
    many = (65536 - len(begin) - len(end)) // len(piece)
    return (begin + piece * many + end).encode()


NAMES = "&".join(f"k{number}=" for number in range(9000))
BOMBS = {
    "deep lists": (JSON, _full("", "[")),
    "deep and closed": (JSON, b"[" * 32000 + b"]" * 32000),
    "deep objects": (JSON, _full("", '{"a":')),
    "deep within": (JSON, _full('{"email":', "[", "")),
    "a long number": (JSON, _full('{"email":', "9", "}")),
    "a long fraction": (JSON, _full('{"email":0.', "9", "}")),
    "a long exponent": (JSON, _full('{"email":1e', "9", "}")),
    "beyond all numbers": (JSON, b'{"email":1e999}'),
    "no number": (JSON, b'{"email":NaN}'),
    "many numbers": (JSON, _full('{"email":[1e9', ",1e9", "]}")),
    "many names": (JSON, ("{" + ",".join(
        f'"{number}":1' for number in range(7000)) + "}").encode()),
    "names that collide elsewhere": (JSON, ("{" + ",".join(
        f'"{number:013b}":1'.replace("0", "Aa").replace("1", "BB")
        for number in range(1600)) + "}").encode()[:65000]),
    "escapes": (JSON, _full('{"email":"', "\\u0041", '"}')),
    "half pairs": (JSON, _full('{"email":"', "\\ud800", '"}')),
    "backslashes": (JSON, _full('{"email":"', "\\\\", '"}')),
    "blanks": (JSON, _full("", " ", "{")),
    "an open text": (JSON, _full('{"email":"', "a")),
    "many fields": (FORM, NAMES[:65000].encode()),
    "no fields": (FORM, _full("", "&")),
    "signs": (FORM, _full("", "=")), "escapes in a form": (
        FORM, _full("email=", "%41")), "percents": (FORM, _full("", "%")),
    "blanks in a form": (FORM, _full("email=", "+")),
    "an address": (JSON, _full('{"password":"a","email":"a@', "a.", '"}')),
    "a password": (JSON, _full(
        '{"email":"a@example.com","password":"', "\u0390", '"}')[:65000]),
}
TOO_LARGE = {
    "lists": b"[" * 100000, "digits": b'{"email":' + b"9" * 10 ** 6 + b"}",
    "names": ("{" + ",".join(f'"{number}":1' for number in range(10 ** 5))
              + "}").encode()}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_of_a_body_is_little_work(sender: Sender, name: str) -> None:
    """R092: hardly more than a harmless body of the same size."""
    kind, data = BOMBS[name]
    operation = CONTRACT.operations["log_in"]
    harmless = b'{"email": [' + b'"abc", ' * 9000 + b'"abc"]}'
    usual = least(lambda: sender.send(operation, harmless, JSON))
    assert not more_than(
        TIMES_USUAL * usual, lambda: sender.send(operation, data, kind))
    answer = sender.send(operation, data, kind)
    assert answer.status_code in (400, 401, 422)


@pytest.mark.parametrize("name", sorted(TOO_LARGE))
def test_a_larger_bomb_is_not_read_at_all(
        sender: Sender, name: str) -> None:
    """R091, R092: a hundred thousand of anything is beyond 64 KiB."""
    for operation in CONTRACT.operations.values():
        if operation.content:
            answer = sender.send(operation, TOO_LARGE[name])
            assert answer.status_code == 413
