#!/usr/bin/env python3
"""When the date has come nothing personal is left, and that is proved."""

import json
import threading
from datetime import timedelta
from typing import Any, List

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, Postbox, count, everything, letters, make_deletion,
    make_delivery, make_newcomer, make_user, refusing)
from tests.support.clock import SetClock
from vestibule.base.errors import InvalidCredentials, NotFound
from vestibule.base.origin import Origin
from vestibule.kernel import erasure as module
from vestibule.kernel.auth import Auth
from vestibule.kernel.deletion import GRACE
from vestibule.kernel.erasure import MARGIN, Erasure
from vestibule.kernel.housekeeping import Housekeeping
from vestibule.kernel.idempotency import Idempotency, StoredAnswer
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.store.db import DB, User
from vestibule.store.event import Event, EventStore
from vestibule.store.idempotency import IdempotentRequest
from vestibule.store.tables import EPOCH

KEY = "0123456789abcdefghijklmnopqrstuv"
WEB = Origin("192.0.2.7", "Browser/1.0", "req-12345")
DESK = Origin(None, "vestibule command line")


@pytest.fixture
def bob(auth: Auth) -> User:
    """Return Bob, who has one of everything, a kept address included."""
    user = make_newcomer(auth, "old@example.com", WEB)
    users = Users(auth.db, auth)
    users.set_email(user, EMAIL, WEB)
    auth.db.update_user(user.id, name="Bob Marker")
    auth.addresses.keep("old@example.com", user.id,
                        auth.db.clock.now() + timedelta(days=7))
    signed_in = SignIn(auth.db, auth).with_password(EMAIL, PASSWORD, WEB)
    assert signed_in.session_token
    with pytest.raises(InvalidCredentials):
        auth.authenticate(EMAIL, "wrong", WEB)
    auth.tokens.issue(user.id, "undo", "old@example.com")
    auth.request_reset(EMAIL)
    auth.request_reset("old@example.com")
    return auth.db.find_user_by(id=user.id)


def all_events(db: DB) -> List[Event]:
    """Return every event in the order in which they were written."""
    with db.reading() as work:
        found: List[Event] = work.query(Event).order_by(Event.id).all()
    return found


def erase(auth: Auth) -> int:
    """Do all steps that are due; return how many there were."""
    erasure = Erasure(auth.db, auth)
    steps = count_now = erasure.erase_due()
    while count_now:
        count_now = erasure.erase_due()
        steps += count_now
    return steps


def test_nothing_personal_is_left(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R034, R118: no row, no address, no ip; what happened stays told."""
    make_deletion(auth).by_operator(bob, WEB)
    happened = [each.what for each in all_events(auth.db)]
    clock.advance(days=14, minutes=2)
    assert erase(auth) == 1
    [farewell] = letters(auth.db)
    assert (farewell.kind, farewell.recipient, farewell.user_id) == (
        "account_deleted", EMAIL, None)
    make_delivery(auth, Postbox()).send_due()
    Erasure(auth.db, auth).purge_farewells()
    left = everything(auth.db)
    assert all(line.startswith("events ") for line in left.split("\n"))
    for trace in (bob.id, "example.com", "Marker", "192.0.2.7", "Browser",
                  "req-12345", auth.audit.masked(EMAIL), "wrong_password"):
        assert trace not in left
    found = all_events(auth.db)
    assert [each.what for each in found] == [*happened, "user.erased"]
    pseudonym = auth.audit.pseudonym(bob.id)
    assert {each.user_id for each in found} == {pseudonym}
    assert {each.target for each in found} == {pseudonym, None}


def test_answers_about_each_address_are_deleted(
        auth: Auth, bob: User) -> None:
    """R034: for the address that is kept, too; another's is left alone."""
    idempotency = Idempotency(auth.db, KEY)
    others = "bold@example.com"
    for email in (EMAIL, "old@example.com", others):
        begun = idempotency.begin(email, {"email": email})
        assert isinstance(begun, IdempotentRequest)
        idempotency.finish(
            begun, 200, json.dumps({"email": email, "message": "made"}))
    Erasure(auth.db, auth).erase_now(bob, DESK)
    left = everything(auth.db).replace(others, "")
    assert count(auth.db, "idempotency") == 1
    assert isinstance(
        idempotency.begin(others, {"email": others}), StoredAnswer)
    assert "old@example.com" not in left


def test_the_proof_is_found_by_who_has_the_key_and_the_id(
        auth: Auth, bob: User) -> None:
    """R118: another key, or none, gives another pseudonym."""
    Erasure(auth.db, auth).erase_now(bob, DESK)
    proof = EventStore(auth.db).of_user(auth.audit.pseudonym(bob.id))[-1]
    assert (proof.what, proof.target) == ("user.erased", proof.user_id)
    assert proof.user_agent == "vestibule command line"
    assert Auth(auth.db).audit.pseudonym(bob.id) != proof.user_id


def test_nobody_is_erased_before_the_date(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """And a minute is left for requests that began before it."""
    date = make_deletion(auth).by_operator(bob).delete_after
    before = everything(auth.db)
    clock.advance(days=13, hours=23)
    assert erase(auth) == 0
    clock.advance(hours=1)
    assert erase(auth) == 0
    assert everything(auth.db) == before
    clock.advance(seconds=MARGIN.total_seconds())
    assert date is not None and clock.now() > date + MARGIN
    assert erase(auth) == 1


def test_others_keep_everything(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R070: their rows, their letters and their events stay as they are."""
    eve = make_newcomer(auth, "eve@example.com", WEB)
    auth.create_session(eve.email)
    auth.request_reset(eve.email)
    make_deletion(auth).by_operator(eve)
    make_deletion(auth).restore_by_operator(eve)
    make_deletion(auth).by_operator(bob)
    clock.advance(days=15)
    before = [line for line in everything(auth.db).split("\n")
              if eve.id in line or eve.email in line]
    erase(auth)
    after = everything(auth.db).split("\n")
    assert len(before) > 4 and set(before) <= set(after)


def test_the_address_is_free_and_the_id_is_not(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R038: who registers it anew is somebody else, without a past."""
    make_deletion(auth).by_operator(bob)
    clock.advance(days=15)
    erase(auth)
    new = make_user(auth, EMAIL, "another password")
    assert new.id != bob.id and new.name is None
    assert [each.what for each in EventStore(auth.db).of_user(new.id)] == [
        "user.registered"]
    assert not auth.valid_login(EMAIL, PASSWORD)
    assert auth.register_user("old@example.com", "x").id != bob.id


def test_many_events_are_done_in_steps(
        auth: Auth, bob: User, clock: SetClock,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R042: no step holds a lock for long; the first leaves no way back."""
    monkeypatch.setattr(module, "EVENTS_AT_ONCE", 3)
    make_deletion(auth).by_operator(bob)
    clock.advance(days=15)
    erasure = Erasure(auth.db, auth)
    assert erasure.erase_due() == 1
    halfway = auth.db.find_user_by(id=bob.id)
    assert (halfway.delete_after, halfway.hashed_password) == (EPOCH, None)
    with pytest.raises(NotFound):
        make_deletion(auth).restore_by_operator(bob)
    assert erase(auth) > 1
    assert bob.id not in everything(auth.db)
    assert [each.what for each in all_events(auth.db)].count(
        "user.erased") == 1


def test_operators_erase_at_once(
        auth: Auth, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """R149: announced or not, in steps or not, and once."""
    monkeypatch.setattr(module, "EVENTS_AT_ONCE", 3)
    Erasure(auth.db, auth).erase_now(bob, DESK)
    assert count(auth.db, "users") == count(auth.db, "sessions") == 0
    assert bob.id not in everything(auth.db)
    with pytest.raises(NotFound):
        Erasure(auth.db, auth).erase_now(bob, DESK)


def test_nothing_is_erased_without_its_proof(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R120: the rows, the letter and the event are one transaction."""
    make_deletion(auth).by_operator(bob)
    clock.advance(days=15)
    before = everything(auth.db)
    with refusing(auth.db, "INSERT", "events"):
        with pytest.raises(Exception, match="refused by a test"):
            erase(auth)
    assert everything(auth.db) == before


def test_the_service_erases_by_itself(
        auth: Auth, clock: SetClock) -> None:
    """R042: with all else that is purged, however many there are."""
    deletion = make_deletion(auth)
    for number in range(module.USERS_AT_ONCE + 3):
        user = make_user(auth, f"user{number}@example.com")
        deletion.by_operator(user)
    clock.advance(seconds=(GRACE + 2 * MARGIN).total_seconds())
    keeping = Housekeeping(
        auth.db, auth.sessions.last_seen, Erasure(auth.db, auth))
    keeping.purge(threading.Event())
    assert count(auth.db, "users") == 0
    make_delivery(auth, Postbox()).send_due()
    make_delivery(auth, Postbox()).send_due()
    keeping.purge(threading.Event())
    assert letters(auth.db) == []


def test_only_letters_of_farewell_go_at_once(
        auth: Auth, bob: User) -> None:
    """Those that wait stay, and those of other kinds are for operators."""
    eve = make_user(auth, "eve@example.com")
    auth.request_reset(eve.email)
    Erasure(auth.db, auth).erase_now(bob)
    erasure: Any = Erasure(auth.db, auth)
    assert erasure.purge_farewells() == 0
    make_delivery(auth, Postbox()).send_due()
    assert erasure.purge_farewells() == 1
    assert [letter.kind for letter in letters(auth.db)] == ["reset"]
