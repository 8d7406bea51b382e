#!/usr/bin/env python3
"""``Idempotency-Key`` on ``POST /users``, as a client sees it."""

from typing import Any

import pytest

from tests.support.builders import count
from tests.support.client import BOB, Client

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


def sign_up(client: Client, **changes: str) -> Any:
    """Register Bob under the key."""
    return client.post("/users", dict(BOB, **changes), headers=KEY)


def test_a_repeated_registration_gets_the_same_answer(
        client: Client) -> None:
    """R110: and one account, one letter; never a cookie."""
    first = sign_up(client)
    assert "Idempotency-Replayed" not in first.headers
    again = sign_up(client)
    assert again.status_code == first.status_code == 200
    assert again.data == first.data
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Set-Cookie" not in again.headers
    db = client.services.db
    assert count(db, "users") == count(db, "letters") == 1


def test_where_addresses_are_verified_it_is_the_same(
        production: Client) -> None:
    """R004, R110: for a taken address as for a new one."""
    production.sign_up()
    for _ in range(2):
        answer = sign_up(production)
        assert answer.status_code == 200
    assert answer.headers["Idempotency-Replayed"] == "true"


def test_without_a_key_a_repetition_is_another_request(
        client: Client) -> None:
    """Task 7: the second registration finds the address taken."""
    sign_up(client)
    assert client.sign_up().status_code == 400
    other = {"Idempotency-Key": "another"}
    assert client.post("/users", BOB, headers=other).status_code == 400
    assert client.post("/users", BOB, headers=other).status_code == 400


def test_another_request_under_the_key_is_refused(client: Client) -> None:
    """R110: with 422, and nothing is done."""
    sign_up(client)
    other = sign_up(client, email="eve@example.com")
    assert other.status_code == 422
    assert list(other.get_json()["errors"]) == ["Idempotency-Key"]
    assert count(client.services.db, "users") == 1


def test_a_refused_registration_may_be_mended(client: Client) -> None:
    """A 422 is not remembered."""
    assert sign_up(client, email="no address").status_code == 422
    assert sign_up(client).status_code == 200


@pytest.mark.parametrize("header", [
    '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e", "x" * 255])
def test_a_key_is_a_word(client: Client, header: str) -> None:
    """With the quotes of a structured field, or without."""
    answer = client.post("/users", BOB, headers={"Idempotency-Key": header})
    assert answer.status_code == 200


@pytest.mark.parametrize("header", [
    "", '""', "two words", "a,b", "x" * 256, "\u00e9"])
def test_what_is_no_key_is_refused(client: Client, header: str) -> None:
    """To do without it is no way out: the client relies on it."""
    answer = client.post("/users", BOB, headers={"Idempotency-Key": header})
    assert answer.status_code == 400
    assert count(client.services.db, "users") == 0
