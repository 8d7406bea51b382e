#!/usr/bin/env python3
"""No request tells which database is behind the service.

The same sequences go to a service on SQLite and to one on PostgreSQL; ids
and secrets are masked, dates are the same.
"""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.contract import FORM, JSON, Operation
from tests.support.databases import POSTGRESQL, SQLITE
from tests.support.examples import examples
from tests.support.fields import CONTRACT, GOOD, next_address, properties
from tests.support.twins import REMEMBERED, Step, Twin, difference

Twins = Tuple[Twin, Twin]

EMAILS = st.sampled_from([
    "bob@example.com", " BOB@Example.com", "eve@example.com", "_ob@b.de",
    "bob+tag@example.com", "a@münchen.example", "b" * 65 + "@example.com",
    "bob@example.com'--", "x" * 5000, "bob@example.com\0", ""])
PASSWORDS = st.sampled_from(
    ["pass word 1", "pass word 2", "ä" * 80, "x" * 256, "x" * 257, "\0"])
# What databases store, compare, sort, measure and refuse in ways of their
# own.
TEXTS = st.sampled_from([
    "a", "A", "ä", "a\u0308", "ß", "İ", "\U0001f600" * 100, "x" * 100,
    "x" * 101, "x" * 200, "x" * 201, "x" * 5000, "\u00e9" * 5000, "\0", "a\0b",
    "\ud800", "\uffff", "\ufeff", "\u202e", "'", "\\", "%", "_", " ", "\t",
    "1e999", "null", "\x7f", "\x85"]) | st.text(max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2 ** 70, 2 ** 70)
    | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8)
BY_NAME: Dict[str, Any] = {
    "email": EMAILS, "password": PASSWORDS, "current_password": PASSWORDS,
    "new_password": PASSWORDS, "metadata": st.dictionaries(
        TEXTS, VALUES, max_size=3)}
GIVEN_AWAY = st.sampled_from([f"<{name}>" for name in REMEMBERED])
# As a server hands on what came as bytes.
AGENTS = st.text(st.characters(max_codepoint=255), max_size=20) | st.just(
    "ÿ" * 9000)
KEYS = st.sampled_from(["", "", "a", "b", '"c"', "x" * 255, "x" * 256, "\0"])
OPERATIONS = tuple(CONTRACT.operations.values())
MOST_STEPS = 12


def field_values(name: str) -> Any:
    """Return what to draw a field's value from: sense and nonsense."""
    by_name = BY_NAME.get(name, TEXTS)
    secret = st.just(f"<{name}>") | GIVEN_AWAY
    if name in ("token", "reset_token", "code"):
        return secret | secret | by_name
    return by_name | by_name | st.just(GOOD[name]) | VALUES


@st.composite
def steps(draw: Any) -> Step:
    """Draw a request of any operation, or a delivery."""
    if draw(st.integers(0, 5)) == 0:
        return Step("")
    operation: Operation = draw(st.sampled_from(OPERATIONS))
    fields = None
    if operation.content:
        names = properties(operation)
        wanted = draw(st.sets(st.sampled_from(sorted(names)), min_size=1))
        fields = {name: draw(field_values(name)) for name in sorted(wanted)}
    query = ""
    if operation.id == "list_activity":
        query = draw(st.sampled_from(
            ["", "limit=1", "limit=1&cursor=<cursor>", "cursor=0.a",
             "limit=2&cursor=<cursor>", "cursor=%00", "cursor='--"]))
    path = operation.path.replace(
        "{session_id}", draw(st.sampled_from(
            ["<session>", "%00", "'", "x" * 5000])))
    return Step(operation.method, path, fields,
                draw(st.sampled_from([JSON, JSON, FORM])),
                draw(st.integers(0, 1)), next_address(), query,
                draw(AGENTS), draw(KEYS))


def plausible() -> Any:
    """Return what to draw sequences from: people first come in."""
    bob = {"email": "bob@example.com", "password": "pass word 1"}
    eve = dict(bob, email="eve@example.com")
    begin = [Step("POST", "/users", bob), Step("POST", "/users", eve),
             Step("POST", "/sessions", bob),
             Step("POST", "/sessions", eve, browser=1),
             Step("POST", "/reset_password", {"email": bob["email"]}),
             Step("")]
    return st.lists(steps(), max_size=MOST_STEPS).map(
        lambda drawn: [*begin, *drawn])


@pytest.fixture(name="twins", scope="module")
def fixture_twins(tmp_path_factory: pytest.TempPathFactory,
                  pytestconfig: Any) -> Iterator[Twins]:
    """Return a service on SQLite, and the like on PostgreSQL."""
    reason = pytestconfig.database_kinds[POSTGRESQL]
    if reason:
        pytest.skip(f"this compares it with PostgreSQL, but {reason}")
    folder: Path = tmp_path_factory.mktemp("twins")
    one, other = [Twin(pytestconfig.databases.empty(kind, folder))
                  for kind in (SQLITE, POSTGRESQL)]
    yield one, other
    one.close()
    other.close()


@given(plausible())
@examples(8)
def test_every_database_answers_alike(
        twins: Twins, sequence: List[Step]) -> None:
    """R089, R094, R095: status, headers, cookies, bodies, letters, rows."""
    for twin in twins:
        twin.begin()
    for step in sequence:
        assert difference(twins, step) is None
    assert twins[0].rows() == twins[1].rows()


@pytest.mark.parametrize("name", sorted(GOOD))
def test_long_values_are_measured_alike(twins: Twins, name: str) -> None:
    """R094: SQLite does not keep to the lengths of columns; we do."""
    for twin in twins:
        twin.begin()
    bob = {"email": "bob@example.com", "password": "pass word 1"}
    for step in (Step("POST", "/users", bob),
                 Step("POST", "/sessions", bob)):
        assert difference(twins, step) is None
    for operation in OPERATIONS:
        if not operation.content or name not in properties(operation):
            continue
        for value in ("x" * 5000, "\U0001f600" * 5000, "x" * 255, "x" * 300):
            fields = dict(
                {field: GOOD[field] for field in properties(operation)},
                **{name: value})
            path = operation.path.replace("{session_id}", "<session>")
            step = Step(operation.method, path, fields,
                        address=next_address())
            assert difference(twins, step) is None
