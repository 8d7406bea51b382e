#!/usr/bin/env python3
"""A life in which the kernel sends every statement that it knows."""

from datetime import timedelta

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, Postbox, make_deletion, make_delivery, make_user,
    token_in)
from tests.support.clock import SetClock
from vestibule.base.errors import InvalidInput
from vestibule.base.limits import DEFAULTS
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.export import Export
from vestibule.kernel.idempotency import Idempotency
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.peppers import Peppers
from vestibule.kernel.refusals import Asked, Refusals
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.throttle import Throttle
from vestibule.kernel.throttle_desk import ThrottleDesk, Whose
from vestibule.kernel.users import Users
from vestibule.store.db import DB
from vestibule.store.event import EventStore
from vestibule.store.idempotency import IdempotentRequest
from vestibule.store.letter import DEAD, LetterStore
from vestibule.store.one_time_token import OneTimeTokenStore
from vestibule.store.pepper_canary import PepperCanaryStore
from vestibule.store.session import SessionStore


def live_through_everything(auth: Auth, clock: SetClock) -> None:
    """Have the kernel send every statement that it knows."""
    db = auth.db
    users, sign_in = Users(db, auth), SignIn(db, auth)
    user = make_user(auth)
    token = sign_in.with_password(
        EMAIL, PASSWORD, LIBRARY,
        presented=auth.create_session(EMAIL)).session_token
    clock.advance(minutes=2)
    auth.sessions.resume(token)
    assert not auth.valid_login(EMAIL, "wrong")
    auth.request_reset(EMAIL)
    postbox = Postbox()
    make_delivery(auth, postbox).send_due()
    auth.update_password(token_in(postbox.taken[0]), "another")
    make_delivery(auth, Postbox()).send_due()
    costlier = Auth(db, Passwords(5))
    assert costlier.valid_login(EMAIL, "another")
    users.set_email(users.find(user.id), "new@example.com")
    users.reset_link(users.find("new@example.com"))
    users.revoke_sessions(user)
    users.disable(user)
    users.enable(user)
    users.invite("eve@example.com")
    assert len(users.page(9)) == 2 and users.sessions_of(user) == []
    clock.advance(days=40)
    OneTimeTokenStore(db).purge(clock.now(), 9)
    SessionStore(db).purge(clock.now(), 9)
    make_deletion(auth).by_operator(user)
    clock.advance(days=20)
    for _, part in Export(db, auth).begin(user.id):
        list(part)
    Erasure(db, auth).erase_due()
    Erasure(db, auth).purge_farewells()
    refuse_and_explain(db, clock)
    ask_the_desk(db, clock)


def refuse_and_explain(db: DB, clock: SetClock) -> None:
    """Have refusals written, read and removed, and their events read."""
    refusals = Refusals(db)
    refusals.note(Asked("request-1", "GET", "/"), 404, "not_found")
    assert refusals.of_request("request-1", 9) and not refusals.purge(9)
    assert EventStore(db).of_request("request-1", 9) == []
    clock.advance(days=8)
    assert refusals.purge(9) == 1


def ask_the_desk(db: DB, clock: SetClock) -> None:
    """Have an operator look at what is counted and written, and change it.
    """
    auth = Auth(db, Passwords(4))
    user = make_user(auth, "ada@example.com")
    auth.addresses.keep("left@example.com", user.id,
                        clock.now() + timedelta(days=1))
    desk = ThrottleDesk(db, Throttle(db, "a key", DEFAULTS), auth.audit)
    for whose in (Whose("192.0.2.7"), Whose(), Whose(
            identifier=user.email, user_id=user.id)):
        desk.uses(whose)
        desk.lift(whose, timedelta(hours=1))
        desk.forget(whose)
    letters = LetterStore(db)
    assert letters.newest(9) and not letters.newest(9, DEAD)
    assert not letters.requeue(user.id, clock.now())
    assert letters.next_due_at() is not None
    EventStore(db).of_user(user.id)
    canaries = PepperCanaryStore(db)
    canaries.add("a pepper", "0" * 64)
    assert Peppers(canaries=canaries).examine() == []
    retry(Idempotency(db, "a key"), clock)


def retry(requests: Idempotency, clock: SetClock) -> None:
    """Have a request under a key begin, be given up, and be forgotten.

    Another one comes under the same key meanwhile.
    """
    begun = requests.begin("a key", {})
    assert isinstance(begun, IdempotentRequest)
    requests.give_up(begun)
    requests.begin("a key", {})
    with pytest.raises(InvalidInput):
        requests.begin("a key", {"email": EMAIL})
    clock.advance(days=2)
    requests.begin("a key", {})
