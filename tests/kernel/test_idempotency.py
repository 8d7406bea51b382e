#!/usr/bin/env python3
"""A request that is repeated under one key is done once."""

import os
import signal
from typing import Any, Dict

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, count, everything, letters)
from tests.support.clock import SetClock
from tests.support.processes import racers
from vestibule.base.errors import Conflict, InvalidInput
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.idempotency import Idempotency, StoredAnswer
from vestibule.kernel.registration import Registration
from vestibule.store.db import DB
from vestibule.store.idempotency import IdempotencyStore, IdempotentRequest

KEY = "a key for tests, 0123456789abcdef"
REQUEST = {"email": EMAIL, "password": PASSWORD}
MANY = 16
ROUNDS = 20


@pytest.fixture
def idempotency(db: DB) -> Idempotency:
    """Return the memory of requests."""
    return Idempotency(db, KEY)


def begin(idempotency: Idempotency, key: str = "key",
          request: Dict[str, str] = REQUEST) -> IdempotentRequest:
    """Claim a key that nobody has."""
    begun = idempotency.begin(key, request)
    assert isinstance(begun, IdempotentRequest)
    return begun


def test_an_answer_is_given_again(idempotency: Idempotency) -> None:
    """R110: to the same request under the same key."""
    idempotency.finish(begin(idempotency), 200, "{}")
    assert idempotency.begin("key", REQUEST) == StoredAnswer(200, "{}")
    assert idempotency.begin("key", REQUEST) == StoredAnswer(200, "{}")


def test_another_request_under_the_key_is_refused(
        idempotency: Idempotency) -> None:
    """R110: be it answered or running, it never gets another's answer."""
    other = dict(REQUEST, password="another")
    begun = begin(idempotency)
    with pytest.raises(InvalidInput) as refusal:
        idempotency.begin("key", other)
    assert refusal.value.errors == {
        "Idempotency-Key": ["used_for_another_request"]}
    idempotency.finish(begun, 200, "{}")
    with pytest.raises(InvalidInput):
        idempotency.begin("key", other)
    begin(idempotency, "another key", other)


def test_a_key_lets_nobody_try_passwords(idempotency: Idempotency) -> None:
    """R110: after five other requests under it not even the right one gets
    an answer, for it would tell that the password is right.
    """
    idempotency.finish(begin(idempotency), 200, "{}")
    for number in range(5):
        assert idempotency.begin("key", REQUEST) == StoredAnswer(200, "{}")
        with pytest.raises(InvalidInput):
            idempotency.begin("key", dict(REQUEST, password=f"{number}"))
    with pytest.raises(InvalidInput):
        idempotency.begin("key", REQUEST)


def test_a_running_request_is_not_run_again(
        idempotency: Idempotency, clock: SetClock) -> None:
    """R110: until it must have been killed; then its work is void."""
    begun = begin(idempotency)
    clock.advance(minutes=1, seconds=59)
    with pytest.raises(Conflict) as refusal:
        idempotency.begin("key", REQUEST)
    assert refusal.value.code == "request_running"
    clock.advance(seconds=2)
    successor = begin(idempotency)
    with pytest.raises(Conflict):
        idempotency.finish(begun, 200, "too late")
    idempotency.give_up(begun)
    idempotency.finish(successor, 200, "{}")
    assert idempotency.begin("key", REQUEST) == StoredAnswer(200, "{}")


def test_a_refused_request_frees_its_key(idempotency: Idempotency) -> None:
    """A mistake is mended and sent again, under the same key."""
    idempotency.give_up(begin(idempotency))
    begin(idempotency, request=dict(REQUEST, password="mended"))


def test_an_answer_is_never_given_up(idempotency: Idempotency) -> None:
    """R110: a fault after the commit does not make the work be done anew.
    """
    begun = begin(idempotency)
    idempotency.finish(begun, 200, "{}")
    idempotency.give_up(begun)
    assert idempotency.begin("key", REQUEST) == StoredAnswer(200, "{}")


def test_an_answer_is_kept_for_a_day(
        db: DB, idempotency: Idempotency, clock: SetClock) -> None:
    """To the second; what is over is no more in the way, or is purged."""
    idempotency.finish(begin(idempotency), 200, "{}")
    clock.advance(hours=23, minutes=59, seconds=59)
    assert isinstance(idempotency.begin("key", REQUEST), StoredAnswer)
    assert IdempotencyStore(db).purge(clock.now(), 9) == 0
    clock.advance(seconds=2)
    begin(idempotency, request=dict(REQUEST, password="another"))
    clock.advance(days=2)
    assert IdempotencyStore(db).purge(clock.now(), 9) == 1


def test_neither_key_nor_request_is_stored(
        db: DB, idempotency: Idempotency) -> None:
    """R111, R113: the password least of all, nor a plain digest of it."""
    begin(idempotency, "0f9a7c2e")
    stored = everything(db)
    assert "0f9a7c2e" not in stored and PASSWORD not in stored
    other = Idempotency(db, "another secret key, 0123456789abc")
    begin(other, "0f9a7c2e")
    assert count(db, "idempotency") == 2


def register(auth: Auth, key: str) -> Any:
    """Register Bob under a key, as a request does; return what came of it.
    """
    idempotency = Idempotency(auth.db, KEY)
    registration = Registration(auth.db, auth, KEY, tells_taken=True)
    begun = idempotency.begin(key, REQUEST)
    if isinstance(begun, StoredAnswer):
        return begun.body
    ticket = begun
    registration.register(
        EMAIL, PASSWORD, LIBRARY,
        lambda email: idempotency.finish(ticket, 200, email))
    return EMAIL


def test_of_many_repetitions_at_once_one_is_done(database_url: str) -> None:
    """R103, R110: the others get its answer, or are told that it runs."""
    with racers(database_url, [register] * MANY) as people:
        db = DB(database_url)
        for number in range(ROUNDS):
            with db.transaction():
                for user in db.list_users(9):
                    db.delete_user(user.id)
            outcomes = people.run(f"key {number}")
            assert {each.error for each in outcomes} <= {"", "Conflict"}
            assert {each.value for each in outcomes
                    if not each.error} == {EMAIL}
            assert count(db, "users") == 1
            assert len(letters(db)) == number + 1
        db.close()


def die_in_the_midst(auth: Auth, key: str) -> None:
    """Be killed when the work is done, and not committed."""
    idempotency = Idempotency(auth.db, KEY)
    begun = idempotency.begin(key, REQUEST)
    assert isinstance(begun, IdempotentRequest)

    def die(email: str) -> None:
        """End at once, as by a loss of power."""
        os.kill(os.getpid(), signal.SIGKILL)

    Registration(auth.db, auth, KEY, tells_taken=True).register(
        EMAIL, PASSWORD, LIBRARY, die)


def test_a_request_that_was_killed_can_be_sent_again(
        database_url: str, clock: SetClock) -> None:
    """R110: nothing of it is left, and the key is free in two minutes."""
    with racers(database_url, [die_in_the_midst], clock) as victim:
        with pytest.raises((EOFError, ConnectionError)):
            victim.run("key")
    db = DB(database_url, clock)
    assert count(db, "users") == 0
    auth = Auth(db)
    with pytest.raises(Conflict):
        register(auth, "key")
    clock.advance(minutes=3)
    assert register(auth, "key") == EMAIL
    assert register(auth, "key") == EMAIL
    assert count(db, "users") == 1
    db.close()
