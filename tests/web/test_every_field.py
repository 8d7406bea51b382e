#!/usr/bin/env python3
"""No field of any operation takes what it must not, whoever sends it.

The fields come from `openapi.json`, so that a new one is covered by itself.
"""

import json
from typing import Any, Dict, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.contract import FORM, JSON, Operation
from tests.support.examples import examples
from tests.support.fields import (
    CONTRACT, GOOD, Place, Sender, assert_documented, bodies, form,
    operations, places, properties)

PLACES = tuple(places())
OPERATIONS = tuple(operations())
OF_ANY_TYPE: Tuple[Any, ...] = (
    0, 1, -1.5, 1e308, -0.0, 10 ** 999, True, False, None, [], ["a"], [[]],
    {}, {"a": "b"}, {"email": "a@example.com"}, "garbage")
UNUSABLE = ("\0", "a\0", "\ud800", "a\udfffb", "\udfff\ud800")
# What SQL, LIKE, shells, templates, headers and paths make something of.
META = (
    "' OR '1'='1", "'; DROP TABLE users; --", '") OR 1=1 --', "%", "_",
    "bob@example.com' --", "\\", "$1 :email ? %(email)s %s {0}",
    "{{7*7}} ${7*7} `id` $(id) <script>", "../../etc/passwd",
    "' UNION SELECT id, hashed_password FROM users --",
    "bob@example.com\r\nBcc: eve@example.com")
SECRETS = frozenset(["password", "current_password", "new_password", "token",
                     "reset_token", "code"])
by_place = pytest.mark.parametrize("place", PLACES, ids=str)
by_operation = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda each: str(each.id))


def test_every_operation_and_every_field_is_there() -> None:
    """A document that lost its fields would make all of this an empty talk.
    """
    assert {each.operation.id for each in PLACES} >= {
        "register_user", "log_in", "restore_profile", "update_password",
        "verify_email", "change_profile", "undo_change", "label_session"}
    assert {each.field for each in PLACES} == set(GOOD)


@by_place
def test_a_value_of_another_type_is_refused_by_name(
        sender: Sender, place: Place) -> None:
    """R088: in JSON, where there are types; nothing is written."""
    before = sender.rows()
    for value in OF_ANY_TYPE:
        if place.is_text and isinstance(value, str) or place.takes(value):
            continue
        answer = sender.send_json(
            place.operation, {**place.others, place.field: value})
        assert answer.status_code == 422, (value, answer.data)
        assert set(answer.get_json()["errors"]) == {place.field}, value
        assert_documented(place.operation, answer)
    assert sender.rows() == before


@by_place
def test_a_text_for_what_is_none_is_refused_in_a_form(
        sender: Sender, place: Place) -> None:
    """R088: a form has texts alone."""
    if place.is_text:
        return
    answer = sender.send_form(
        place.operation, {**place.others, place.field: "garbage"})
    assert answer.status_code == 422
    assert set(answer.get_json()["errors"]) >= {place.field}


@by_place
def test_a_text_that_cannot_be_stored_is_refused_by_name(
        sender: Sender, place: Place) -> None:
    """R089, R090: NUL and lone surrogates, in JSON and in a form."""
    before = sender.rows()
    for text in UNUSABLE:
        value = text if place.is_text else {text: "a"}
        answer = sender.send_json(
            place.operation, {**place.others, place.field: value})
        assert answer.status_code == 422, text
        assert set(answer.get_json()["errors"]) == {place.field}
    texts = {name: value for name, value in place.others.items()
             if isinstance(value, str)}
    data = f"{form(texts)}&{place.field}=a%00b"
    answer = sender.send(place.operation, data, FORM)
    assert answer.status_code == 422
    assert set(answer.get_json()["errors"]) == {place.field}
    for raw in (b"%ff", b"%ed%a0%80", b"%c0%80", b"\xff", b"\xf5\x80\x80\x80"):
        begun = f"{form(texts)}&{place.field}=".encode()
        answer = sender.send(place.operation, begun + raw, FORM)
        assert answer.status_code == 400, raw
    assert sender.rows() == before


@by_place
def test_what_is_no_character_is_refused_where_it_would_be_shown(
        sender: Sender, place: Place) -> None:
    """R090: code points that Unicode keeps free of characters for ever.

    A password may hold them, which nobody is shown, and so may a token,
    which is merely wrong then.
    """
    if place.field in SECRETS:
        return
    before = sender.rows()
    for point in (0xfdd0, 0xfdef, 0xfffe, 0xffff, 0x1fffe, 0x10ffff):
        for text in (chr(point), f"a{chr(point)}b", f"{chr(point)}@b.com"):
            value = text if place.is_text else {text: "a"}
            answer = sender.send_json(
                place.operation, {**place.others, place.field: value})
            if place.operation.id in ("log_in", "restore_profile"):
                assert answer.status_code in (401, 422), text
                continue
            assert answer.status_code == 422, text
            assert set(answer.get_json()["errors"]) == {place.field}
    if place.operation.id not in ("log_in", "restore_profile"):
        assert sender.rows() == before


@by_place
def test_a_field_sent_twice_is_refused(
        sender: Sender, place: Place) -> None:
    """R093: in JSON, escaped, and in a form; the same value too."""
    before, field = sender.rows(), place.field
    escaped = f"\\u{ord(field[0]):04x}{field[1:]}"
    rest = json.dumps(place.others)[1:]
    for data, kind in (
            (f'{{"{field}": "a", "{field}": "a"}}', JSON),
            (f'{{"{field}": "a", "{escaped}": "b", {rest}', JSON),
            (f"{field}=a&{field}=a", FORM),
            (f"{field}=a&%{ord(field[0]):x}{field[1:]}=b", FORM)):
        answer = sender.send(place.operation, data.replace(", }", "}"), kind)
        assert answer.status_code == 400, data
        assert "more than once" in answer.get_json()["message"]
    assert sender.rows() == before


@by_place
def test_no_text_means_anything_to_the_database(
        sender: Sender, place: Place) -> None:
    """R095: what is stored is stored as it is, and nobody else's changes."""
    before = set(sender.rows().splitlines())
    for text in META:
        value = text if place.is_text else {text: text}
        answer = sender.send_json(
            place.operation, {**place.others, place.field: value})
        assert_documented(place.operation, answer)
    gone = before - set(sender.rows().splitlines())
    # Bob's own row and session, and Eve's once, may say something new.
    assert len(gone) <= 2, gone
    again = sender.client.another().sign_in()
    assert again.status_code == 200


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats()
    | st.text(st.characters(), max_size=40) | st.sampled_from(META),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6)


@st.composite
def requests(draw: Any) -> Tuple[Operation, Dict[str, Any]]:
    """Draw an operation and a body that is good but for some fields."""
    operation = draw(st.sampled_from(OPERATIONS))
    body = dict(draw(st.sampled_from(bodies(operation))))
    names = st.sampled_from(sorted(properties(operation))) | st.text(
        max_size=5)
    body.update(draw(st.dictionaries(names, JSON_VALUES, max_size=3)))
    return operation, body


@given(requests(), st.booleans())
@examples(50)
def test_whatever_the_fields_hold_the_answer_is_documented(
        sender: Sender, request: Tuple[Operation, Dict[str, Any]],
        as_form: bool) -> None:
    """R088, R102: never a fault of ours, nor an answer nobody foresaw."""
    operation, body = request
    if as_form:
        texts = {name.encode("utf-8", "replace").decode(): str(value).encode(
            "utf-8", "replace").decode() for name, value in body.items()}
        answer = sender.send_form(operation, texts)
    else:
        answer = sender.send_json(operation, body)
    assert_documented(operation, answer)


@given(st.sampled_from(OPERATIONS), st.binary(max_size=200),
       st.sampled_from([JSON, FORM]))
@examples(40)
def test_whatever_the_bytes_the_answer_is_documented(
        sender: Sender, operation: Operation, data: bytes,
        kind: str) -> None:
    """R088, R090: bytes that may be no text, and texts that are no JSON."""
    assert_documented(operation, sender.send(operation, data, kind))


@by_operation
def test_a_body_in_another_encoding_is_refused(
        sender: Sender, operation: Operation) -> None:
    """R090: with a mark of byte order, in UTF-16 and UTF-32, in Latin-1."""
    text = json.dumps(dict(bodies(operation)[0], extra="ü"),
                      ensure_ascii=False)
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be",
                     "utf-32", "utf-32-be", "latin-1"):
        answer = sender.send(operation, text.encode(encoding))
        assert answer.status_code == 400, encoding
