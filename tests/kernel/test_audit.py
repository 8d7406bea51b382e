#!/usr/bin/env python3
"""Events: in the transaction of what happened, and without secrets."""

import json
import re
from typing import Any, List

import pytest
from sqlalchemy import text

from tests.support.builders import (
    EMAIL, PASSWORD, count, everything, make_deletion, make_user, refusing,
    store_hash)
from vestibule.base.errors import IdentifierTaken, InvalidCredentials
from vestibule.base.origin import Origin
from vestibule.kernel.audit import Audit
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.store.db import DB
from vestibule.store.event import Event, EventStore

ORIGIN = Origin("2001:db8::7", "Browser/1.0", "req-12345", "session-1")
KEY = "0123456789abcdefghijklmnopqrstuv"


def all_events(db: DB) -> List[Event]:
    """Return every event in the order in which they were written."""
    with db.reading() as work:
        found: List[Event] = work.query(Event).order_by(Event.id).all()
    return found


def test_an_event_says_what_whom_where_and_when(auth: Auth) -> None:
    """R118: with the request's id, and in order."""
    before = auth.db.clock.now()
    auth.audit.record("test.done", "u", "t", ORIGIN, count=3, why="\u00e9")
    event, = EventStore(auth.db).of_user("u")
    assert (event.what, event.user_id, event.target) == (
        "test.done", "u", "t")
    assert Origin(event.ip, event.user_agent, event.request_id,
                  event.session_id) == ORIGIN
    assert event.detail == {"count": 3, "why": "\u00e9"}
    assert before < event.at < auth.db.clock.now()


def test_a_call_from_python_has_no_origin(auth: Auth) -> None:
    """R118: the command line and libraries have no request."""
    auth.audit.record("test.done")
    event, = all_events(auth.db)
    for value in (event.ip, event.user_agent, event.request_id,
                  event.user_id, event.target, event.detail):
        assert value is None


def test_each_thing_that_happens_is_one_event(auth: Auth) -> None:
    """R118: success and refusal, change and revocation, once each."""
    db = auth.db
    users, sign_in = Users(db, auth), SignIn(db, auth)
    user = auth.register_user(EMAIL, PASSWORD, ORIGIN)
    first = sign_in.with_password(EMAIL, PASSWORD, ORIGIN)
    with pytest.raises(InvalidCredentials):
        sign_in.with_password(EMAIL, "wrong", ORIGIN)
    sign_in.with_password(EMAIL, PASSWORD, ORIGIN, first.session_token)
    auth.recover(users.reset_link(user, ORIGIN), "another", origin=ORIGIN)
    users.disable(user, ORIGIN)
    users.enable(user, ORIGIN)
    make_deletion(auth).by_operator(user, ORIGIN)
    found = all_events(db)
    assert [each.what for each in found] == [
        "user.registered", "session.started", "login.refused",
        "session.revoked", "session.started", "reset.issued",
        "session.all_revoked", "password.reset", "user.disabled",
        "user.enabled", "user.deletion_announced"]
    for each in found:
        assert (each.user_id, each.ip) == (user.id, "2001:db8::7")
        assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", each.what)


@pytest.mark.parametrize("stored, disabled, reason", [
    ("as it is", False, "wrong_password"), ("as it is", True, "disabled"),
    ("$2b$04$short", False, "unusable_hash"), (None, False, "unusable_hash")])
def test_a_refusal_says_why_to_the_operator_alone(
        auth: Auth, stored: str, disabled: bool, reason: str) -> None:
    """R017, R118: one event, whose reason no answer shows."""
    user = make_user(auth)
    if stored != "as it is":
        store_hash(auth.db, user, stored)
    if disabled:
        auth.db.update_user(user.id, disabled_at=auth.db.clock.now())
    with pytest.raises(InvalidCredentials) as refusal:
        auth.authenticate(EMAIL, "wrong", ORIGIN)
    event = all_events(auth.db)[-1]
    assert count(auth.db, "events") == 2
    assert (event.what, event.user_id) == ("login.refused", user.id)
    assert event.detail == {"reason": reason}
    assert reason not in f"{refusal.value} {refusal.value.code}"


def test_a_password_typed_for_an_address_is_not_kept(db: DB) -> None:
    """R123: masked under the key; equal texts still look equal."""
    auth = Auth(db, Passwords(4), KEY)
    for typed in (PASSWORD, PASSWORD, "another one"):
        with pytest.raises(InvalidCredentials):
            auth.authenticate(typed, "x")
    masks = [event.target for event in all_events(db)]
    assert masks[0] == masks[1] != masks[2]
    assert all(re.fullmatch(r"[0-9a-f]{32}", str(each)) for each in masks)
    assert PASSWORD not in everything(db)
    assert all_events(db)[0].detail == {"reason": "unknown_email"}
    assert Audit(db, "another key").masked(PASSWORD) != masks[0]


def test_what_happened_leaves_no_secret_behind(auth: Auth) -> None:
    """R117, R113: no password and no token in any row of any table."""
    make_user(auth)
    token = SignIn(auth.db, auth).with_password(
        EMAIL, PASSWORD, ORIGIN).session_token
    reset = auth.get_reset_password_token(EMAIL)
    assert not auth.valid_login(EMAIL, "a wrong guess")
    auth.update_password(reset, "another password")
    rows = everything(auth.db)
    for secret in (PASSWORD, "another password", "a wrong guess", reset,
                   token, token.split(".")[1]):
        assert secret not in rows


def test_a_refused_change_writes_no_event(auth: Auth) -> None:
    """R120: what did not happen was not written down."""
    make_user(auth)
    before = everything(auth.db)
    with pytest.raises(IdentifierTaken):
        make_user(auth)
    assert everything(auth.db) == before


def test_an_event_that_cannot_be_written_undoes_the_change(
        auth: Auth) -> None:
    """R120: a committed change always has its event beside it."""
    with refusing(auth.db, "INSERT", "events"):
        with pytest.raises(Exception, match="refused by a test"):
            make_user(auth)
    assert everything(auth.db) == ""
    user = make_user(auth)
    session = auth.create_session(EMAIL)
    before = everything(auth.db)
    with refusing(auth.db, "INSERT", "events"):
        verbs: List[Any] = [
            lambda: auth.create_session(EMAIL),
            lambda: auth.destroy_session(user.id),
            lambda: auth.sessions.revoke(str(session)[:36], user.id)]
        for verb in verbs:
            with pytest.raises(Exception, match="refused by a test"):
                verb()
    assert everything(auth.db) == before


def test_long_and_hostile_values_are_one_event(auth: Auth) -> None:
    """R119: cut to a length, and stored as data whatever they hold."""
    hostile = "x\r\nlevel=info\x1b[31m\u2028'; DROP TABLE events; --"
    auth.audit.record("test.done", "u", None, Origin(
        "192.0.2.7", hostile + "y" * 5000, "req-1"), note=hostile)
    event, = EventStore(auth.db).of_user("u")
    assert event.user_agent is not None and len(event.user_agent) == 512
    assert event.user_agent.startswith(hostile)
    with auth.db.reading() as work:
        stored = work.execute(text("SELECT detail FROM events")).scalar()
    assert "\n" not in stored and "\u2028" not in stored
    assert json.loads(stored) == {"note": hostile}
