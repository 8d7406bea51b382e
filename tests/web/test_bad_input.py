#!/usr/bin/env python3
"""A body that cannot be right is refused by name, at once, without effect.

On every kind of database; ``test_every_field.py`` tries all other fields,
and ``test_bounded_work.py`` what is hard to read.
"""

import json
import time
from typing import Any, Dict, List, NamedTuple, Tuple

import pytest

from tests.support.client import BOB, Client
from vestibule.store.models import METADATA

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
GOOD = {"email": "eve@example.com", "password": "a good password",
        "reset_token": "a token", "new_password": "a good password"}
TABLES = ("users", "sessions", "one_time_tokens", "letters")
PROMPT_SECONDS = 1.0


class Call(NamedTuple):
    """A request with a body, by its fields."""

    method: str
    path: str
    fields: Tuple[str, ...]

    @property
    def good(self) -> Dict[str, str]:
        """All fields, with values that will do."""
        return {name: GOOD[name] for name in self.fields}


CALLS = (
    Call("POST", "/users", ("email", "password")),
    Call("POST", "/sessions", ("email", "password")),
    Call("POST", "/reset_password", ("email",)),
    Call("PUT", "/reset_password", ("reset_token", "new_password", "email")))


class Attempts:
    """Sends bad bodies, and sees that none has an effect or takes long."""

    def __init__(self, client: Client, call: Call) -> None:
        """Register Bob, so that there is something to have an effect on."""
        client.sign_up()
        self.call = call
        self.client = client
        self._before = rows(client)

    def send(self, body: Any, kind: str = JSON, **options: Any) -> Any:
        """Send a body and return the answer."""
        started = time.monotonic()
        answer = self.client.request(
            self.call.method, self.call.path, data=body, content_type=kind,
            **options)
        assert time.monotonic() - started < PROMPT_SECONDS
        assert rows(self.client) == self._before
        assert "Set-Cookie" not in answer.headers
        return answer

    def send_with(self, field: str, value: Any) -> Any:
        """Send good fields as JSON, but for one of them."""
        return self.send(json.dumps(dict(self.call.good, **{field: value})))


@pytest.fixture(name="attempts", params=CALLS,
                ids=lambda call: f"{call.method} {call.path}")
def fixture_attempts(request: Any, client: Client) -> Attempts:
    """Return the means to send one of the calls."""
    return Attempts(client, request.param)


def rows(client: Client) -> List[Any]:
    """Return all rows that a refusal must leave as they are."""
    with client.services.db.reading() as work:
        return [sorted(map(str, work.query(METADATA.tables[name])))
                for name in TABLES]


def test_a_missing_field_is_named(attempts: Attempts) -> None:
    """R088: all of them at once, whether there is a body or none."""
    required = [name for name in attempts.call.fields
                if (attempts.call.method, name) != ("PUT", "email")]
    for body, kind in (("{}", JSON), ("", JSON), ("", FORM), ("a=b", FORM)):
        answer = attempts.send(body, kind)
        assert answer.status_code == 422
        assert answer.get_json()["errors"] == {
            name: ["required"] for name in required}


def test_a_long_value_is_refused(attempts: Attempts) -> None:
    """R094: alike on a database that keeps to lengths and one that does not.

    A login with a long address, and a long token, are merely wrong.
    """
    for field in attempts.call.fields:
        for length in (5000, 60000):
            answer = attempts.send_with(field, "x" * length)
            if (field == "reset_token" or field == "email"
                    and attempts.call.path == "/sessions"):
                assert answer.status_code in (401, 403)
            else:
                assert answer.status_code == 422
                assert answer.get_json()["errors"] == {field: ["too_long"]}


def test_a_body_that_is_no_json_object_is_refused(attempts: Attempts) -> None:
    """R088, R090: other values, broken JSON, a BOM, other encodings."""
    good = '{"email": "a@example.com"}'
    for body in (
            b"[]", b'"a"', b"1", b"null", b"true", b" ", b"{", b"{}}",
            b"{'a': 1}", b"{} {}", b"{/**/}", b'{"email": "a\nb"}',
            b"\0\0\0\0", b'{"email": NaN}', b'{"email": -Infinity}',
            b'{"email": "\xff"}', b'{"email": "\xc0\xaf"}',
            b'{"email": "\xed\xa0\x80"}', b"\xef\xbb\xbf" + good.encode(),
            good.encode("utf-16"), good.encode("utf-16-le"),
            good.encode("utf-32")):
        answer = attempts.send(body)
        assert (body, answer.status_code) == (body, 400)
        assert set(answer.get_json()) == {"message"}


def test_a_field_sent_twice_is_refused(attempts: Attempts) -> None:
    """R093: in JSON, deep inside JSON, and in a form."""
    for field in attempts.call.fields:
        escaped = f"%{ord(field[0]):x}{field[1:]}"
        for kind, body in (
                (JSON, f'{{"{field}": "a", "{field}": "b"}}'),
                (JSON, f'{{"a": {{"{field}": 1, "{field}": 2}}}}'),
                (FORM, f"{field}=a&{field}=b"),
                (FORM, f"{field}=a&{escaped}=b")):
            answer = attempts.send(body, kind)
            assert (body, answer.status_code) == (body, 400)
            assert "more than once" in answer.get_json()["message"]


def test_a_form_that_is_not_utf_8_is_refused(attempts: Attempts) -> None:
    """R090: escaped or raw, in values and in names."""
    for body in (b"email=%ff", b"email=%ed%a0%80", b"email=\xff\xfe",
                 b"%c0%af=a"):
        answer = attempts.send(body, FORM)
        assert (body, answer.status_code) == (body, 400)


def test_an_odd_form_is_a_form_with_odd_fields(attempts: Attempts) -> None:
    """Nothing is guessed: fields are missing, unfit, or merely wrong."""
    for body in (b"email=%&password=%a&reset_token=%zz&new_password=%",
                 b"=&a", b"&&&", b"email[]=a", b"email=a;password=b",
                 b"email"):
        answer = attempts.send(body, FORM)
        assert answer.status_code in (401, 403, 422)


def test_a_body_of_another_type_is_refused(attempts: Attempts) -> None:
    """R098: JSON and forms, in UTF-8, and nothing like them."""
    for kind in (
            "text/plain", "text/json", "application/merge-patch+json",
            "application/vnd.api+json", "multipart/form-data; boundary=x",
            "application/json, text/plain", "application/json; charset=",
            "application/json; charset=latin-1", "*/*", "json", ";", "\xff",
            "application/json;charset=utf-16",
            "application/x-www-form-urlencoded; charset=iso-8859-1"):
        answer = attempts.send(json.dumps(attempts.call.good), kind)
        assert (kind, answer.status_code) == (kind, 415)


def test_json_may_be_called_so_in_many_ways(client: Client) -> None:
    """R098: what means JSON in UTF-8 is taken."""
    client.sign_up()
    for kind in ("application/JSON", "application/json;",
                 "application/json; charset=utf-8",
                 'application/json;charset="UTF-8"',
                 "application/json ; Charset=utf8",
                 "application/json; profile=x"):
        answer = client.request("POST", "/sessions", data=json.dumps(BOB),
                                content_type=kind)
        assert (kind, answer.status_code) == (kind, 200)


def test_fields_in_the_query_are_not_read(attempts: Attempts) -> None:
    """Addresses and passwords do not belong where logs show them."""
    query = dict(attempts.call.good, **BOB)
    answer = attempts.send(b"", query_string=query)
    assert answer.status_code == 422
    assert {"required"} == {
        reason for reasons in answer.get_json()["errors"].values()
        for reason in reasons}


def test_the_largest_body_is_read_and_a_larger_one_is_not(
        attempts: Attempts) -> None:
    """R091: 64 KiB; what is larger need not even be JSON."""
    largest = "{}" + " " * 65534
    assert attempts.send(largest).status_code == 422
    assert attempts.send(largest + " ").status_code == 413
    assert attempts.send("x" * 65537, "text/plain").status_code == 413


def test_no_text_means_anything_to_the_database_or_the_mail(
        attempts: Attempts) -> None:
    """R095, R096: SQL, wildcards, templates, further recipients."""
    for text in (
            "' OR '1'='1", "'; DROP TABLE users; --", "%", "bob%", "bob@%",
            "bob@example.com' --", "\\", "*", "{{7*7}}", "${7*7}", "../..",
            "bob@example.com,eve@example.com", "<bob@example.com>",
            "bob@example.com\r\nBcc: eve@example.com", '"bob"@example.com',
            "Bob <bob@example.com>", "bob@[127.0.0.1]", "b ob@example.com"):
        answer = attempts.send(json.dumps(
            {name: text for name in attempts.call.fields}))
        assert answer.status_code in (401, 403, 422)


def test_a_wildcard_in_an_address_is_a_letter(client: Client) -> None:
    """R095: ``_`` may stand in an address, and is no other than itself."""
    client.sign_up()
    other = "_ob@example.com"
    assert client.sign_in(email=other).status_code == 401
    assert client.sign_up(email=other, password="other").status_code == 200
    assert client.sign_in(email=other).status_code == 401
    assert client.sign_in().status_code == 200
