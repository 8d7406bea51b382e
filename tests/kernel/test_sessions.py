#!/usr/bin/env python3
"""Sessions: started, resumed, revoked, and expired by the clock."""

import re
from datetime import timedelta
from typing import Any, Callable, List

import pytest
from sqlalchemy import text

from tests.support.builders import (
    EMAIL, PASSWORD, count, everything, make_deletion, make_user, overheard,
    run_sql)
from tests.support.clock import SetClock
from vestibule.base.digest import digest_of
from vestibule.base.errors import (
    InvalidCredentials, NotFound, ReauthenticationRequired, SessionRequired)
from vestibule.base.origin import Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.last_seen import INTERVAL
from vestibule.kernel.sessions import Lifetimes
from vestibule.kernel.users import Users
from vestibule.store.db import User
from vestibule.store.session import (
    FIND_IN_TRANSACTION, Seen, Session, SessionStore)
from vestibule.store.tables import new_id

TOKEN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    r"\.[A-Za-z0-9_-]{43}")
SECOND = timedelta(seconds=1)
IDLE_LIFETIME, ABSOLUTE_LIFETIME = Lifetimes()
# What is near a token, and is none.
MISSHAPEN: List[Callable[[str], str]] = [
    lambda token: token[:-1], lambda token: token + "A",
    lambda token: token + "\n", lambda token: token + "=",
    lambda token: " " + token, lambda token: token.upper(),
    lambda token: token.replace(".", ""), lambda token: token[:36],
    lambda token: token[37:], lambda token: token[:36] + ".",
    lambda token: f'"{token}"', lambda token: f"{token}.{token}",
    lambda token: token.replace("-", ""), lambda token: "\ud800" + token,
    lambda token: token[:40] + "\0" + token[41:],
    lambda token: token[:40] + "\u0661" + token[41:]]


def refusal_of(auth: Auth, token: Any) -> SessionRequired:
    """Return the refusal that a token gets."""
    with pytest.raises(SessionRequired) as refusal:
        auth.sessions.resume(token)
    return refusal.value


def rows(auth: Auth, user: User) -> List[Session]:
    """Return the user's sessions as they are stored."""
    with auth.db.reading() as work:
        found: List[Session] = (
            work.query(Session).filter_by(user_id=user.id)
            .order_by(Session.created_at).all())
    return found


def test_a_token_is_the_session_id_and_a_secret(
        auth: Auth, bob: User) -> None:
    """R028: a UUID to look it up by, and 256 random bits to open it."""
    tokens = [auth.sessions.start(bob, ("pwd",)) for _ in range(5)]
    assert len(set(tokens)) == len({each[:36] for each in tokens}) == 5
    assert len({each[37:] for each in tokens}) == 5
    for token in tokens:
        assert TOKEN.fullmatch(token)
        assert auth.sessions.resume(token).id == token[:36]


def test_a_session_knows_its_user_and_what_was_proved(
        auth: Auth, bob: User) -> None:
    """R036: and from where it was begun, for its owner to recognise."""
    browser = "Browser/" + "x" * 1000
    token = auth.sessions.start(
        bob, ("pwd", "otp"), Origin("192.0.2.7", browser, "req-1"))
    found = auth.sessions.resume(token)
    assert (found.user_id, found.email) == (bob.id, EMAIL)
    assert found.amr == "pwd otp"
    assert found.ip == "192.0.2.7"
    assert found.user_agent == browser[:512]


def test_nothing_stored_opens_a_session(auth: Auth, bob: User) -> None:
    """R111, R087: only the secret's digest is kept, and it is no secret."""
    token = auth.sessions.start(bob, ("pwd",))
    session_id, secret = token.split(".")
    stored = everything(auth.db)
    assert secret not in stored
    assert digest_of(secret) in stored
    for value in (digest_of(secret), digest_of(secret)[:43],
                  digest_of(token)[:43]):
        refusal_of(auth, f"{session_id}.{value}")


def test_an_id_that_was_never_issued_is_not_adopted(
        auth: Auth, bob: User) -> None:
    """R029: well-formed as it is, nothing is stored for it."""
    presented = f"{new_id()}.{'A' * 43}"
    assert refusal_of(auth, presented).ended
    assert count(auth.db, "sessions") == 0
    assert auth.sessions.start(bob, ("pwd",)) != presented
    assert presented[:36] not in everything(auth.db)


@pytest.mark.parametrize("change", [
    lambda token: token[:36] + "." + "A" * 43,
    lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
    lambda token: token[:37] + token[37:].swapcase()])
def test_a_wrong_secret_is_refused_and_ends_nothing(
        auth: Auth, bob: User, change: Any) -> None:
    """R044: it may be a late tab's; the cookie and the session stay."""
    token = auth.sessions.start(bob, ("pwd",))
    assert not refusal_of(auth, change(token)).ended
    assert auth.sessions.resume(token).user_id == bob.id


def test_a_misshapen_token_is_of_no_more_use(
        auth: Auth, bob: User) -> None:
    """R100, R052: it opens nothing, and its cookie may be cleared."""
    token = auth.sessions.start(bob, ("pwd",))
    for change in MISSHAPEN:
        assert refusal_of(auth, change(token)).ended, change(token)
    assert auth.sessions.resume(token).user_id == bob.id


@pytest.mark.parametrize("token", [None, ""])
def test_no_token_is_no_session_that_ended(auth: Auth, token: Any) -> None:
    """R044: a request without a cookie has none to be cleared."""
    assert not refusal_of(auth, token).ended


def test_anonymous_requests_store_nothing(auth: Auth) -> None:
    """R040: neither rows nor events, whatever they present."""
    for token in (None, "", "x", f"{new_id()}.{'A' * 43}"):
        refusal_of(auth, token)
    assert everything(auth.db) == ""


def test_a_session_unused_for_a_week_is_over(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R032: good a second before the limit, ended a second after it."""
    token = auth.sessions.start(bob, ("pwd",))
    clock.advance(seconds=(IDLE_LIFETIME - SECOND).total_seconds())
    assert auth.sessions.resume(token).user_id == bob.id
    clock.advance(seconds=(IDLE_LIFETIME + SECOND).total_seconds())
    assert refusal_of(auth, token).ended
    assert auth.get_user_from_session_id(token) is None


def test_a_session_in_use_is_over_after_thirty_days(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R033: however busy it is, the absolute lifetime is not extended."""
    token = auth.sessions.start(bob, ("pwd",))
    for _ in range(29):
        clock.advance(days=1)
        assert auth.sessions.resume(token).user_id == bob.id
    clock.advance(hours=23, minutes=59, seconds=58)
    assert auth.sessions.resume(token).user_id == bob.id
    clock.advance(seconds=2)
    assert refusal_of(auth, token).ended
    assert ABSOLUTE_LIFETIME == timedelta(days=30)


def test_a_clock_that_steps_back_brings_nothing_back_for_good(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R138: a step of an hour does not end a session, nor a touch harm it.
    """
    token = auth.sessions.start(bob, ("pwd",))
    clock.advance(hours=-1)
    assert auth.sessions.resume(token).user_id == bob.id
    clock.advance(hours=2)
    assert auth.sessions.resume(token).user_id == bob.id
    row, = rows(auth, bob)
    assert row.created_at <= row.last_seen_at


def test_a_session_is_touched_at_most_once_a_minute(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R039: a check is a read; the write comes once a minute, not always.
    """
    token = auth.sessions.start(bob, ("pwd",))
    first, = rows(auth, bob)
    for _ in range(50):
        clock.advance(seconds=1)
        auth.sessions.resume(token)
    unchanged, = rows(auth, bob)
    assert unchanged.last_seen_at == first.last_seen_at
    clock.advance(seconds=10)
    auth.sessions.resume(token)
    touched, = rows(auth, bob)
    assert touched.last_seen_at > first.last_seen_at + INTERVAL
    assert touched.idle_expires_at == touched.last_seen_at + IDLE_LIFETIME
    assert touched.expires_at == first.expires_at
    clock.advance(seconds=59)
    auth.sessions.resume(token)
    again, = rows(auth, bob)
    assert again.last_seen_at == touched.last_seen_at


def test_touching_a_deleted_session_does_not_revive_it(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R039: an UPDATE finds no row, and makes none."""
    token = auth.sessions.start(bob, ("pwd",))
    found = auth.sessions.resume(token)
    auth.sessions.revoke(found.id, bob.id)
    now = clock.now()
    seen = Seen(found.id, now, now + IDLE_LIFETIME)
    assert not SessionStore(auth.db).note_seen(seen, now)
    assert count(auth.db, "sessions") == 0
    assert refusal_of(auth, token).ended


def test_of_two_touches_that_read_the_same_the_first_counts(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R039: the second finds the instant of the first, on every worker."""
    token = auth.sessions.start(bob, ("pwd",))
    found = auth.sessions.resume(token)
    store = SessionStore(auth.db)
    clock.advance(minutes=2)
    early, late = clock.now(), clock.now()
    for now, counts in ((early, True), (late, False)):
        seen = Seen(found.id, now, now + IDLE_LIFETIME)
        assert store.note_seen(seen, now - INTERVAL) is counts
    row, = rows(auth, bob)
    assert row.last_seen_at == early


def change_password(auth: Auth, user: User) -> None:
    """Set another password by a reset token."""
    auth.update_password(
        auth.get_reset_password_token(user.email), "another password")


def disable(auth: Auth, user: User) -> None:
    """Disable the user as an operator does."""
    Users(auth.db, auth).disable(user)


def announce(auth: Auth, user: User) -> None:
    """Announce the user's deletion."""
    make_deletion(auth).by_operator(user)


def delete(auth: Auth, user: User) -> None:
    """Delete the user at once, as an operator does."""
    Erasure(auth.db, auth).erase_now(user)


@pytest.mark.parametrize(
    "meanwhile", [change_password, disable, announce, delete])
def test_a_proof_from_before_a_change_starts_no_session(
        auth: Auth, bob: User, meanwhile: Any) -> None:
    """R015, R105: disabled, deleted or another password since the proof."""
    proved = auth.authenticate(EMAIL, PASSWORD)
    meanwhile(auth, bob)
    with pytest.raises(InvalidCredentials):
        auth.sessions.start(proved, ("pwd",))
    assert count(auth.db, "sessions") == 0


def test_other_changes_leave_a_proof_good(auth: Auth, bob: User) -> None:
    """R105: only what was proved counts, not that the row was touched."""
    proved = auth.authenticate(EMAIL, PASSWORD)
    auth.db.update_user(bob.id, name="Bob", email="new@example.com")
    assert auth.sessions.start(proved, ("pwd",))


@pytest.mark.parametrize("meanwhile", [change_password, disable, delete])
def test_a_change_ends_every_session_at_once(
        auth: Auth, bob: User, meanwhile: Any) -> None:
    """R034, R035: of this user, and of nobody else."""
    tokens = [auth.sessions.start(bob, ("pwd",)) for _ in range(3)]
    eve = make_user(auth, "eve@example.com")
    of_eve = auth.sessions.start(eve, ("pwd",))
    meanwhile(auth, bob)
    assert all(refusal_of(auth, token).ended for token in tokens)
    assert auth.sessions.resume(of_eve).user_id == eve.id


def test_a_user_disabled_behind_our_back_is_out_at_once(
        auth: Auth, bob: User) -> None:
    """R034, R041: the row is read each time, so nothing is remembered."""
    token = auth.sessions.start(bob, ("pwd",))
    auth.sessions.resume(token)
    run_sql(auth.db, "UPDATE users SET disabled_at = 1")
    assert refusal_of(auth, token).ended


def test_a_session_deleted_behind_our_back_is_out_at_once(
        auth: Auth, bob: User) -> None:
    """R041: a revocation in the database is a revocation."""
    token = auth.sessions.start(bob, ("pwd",))
    auth.sessions.resume(token)
    run_sql(auth.db, "DELETE FROM sessions")
    assert refusal_of(auth, token).ended


def test_revoking_ends_one_session(auth: Auth, bob: User) -> None:
    """R031: at once, the others stay, and a second time changes nothing."""
    ended, stays = [auth.sessions.start(bob, ("pwd",)) for _ in range(2)]
    auth.sessions.revoke(ended[:36], bob.id)
    eve = make_user(auth, "eve@example.com")
    for session_id, user_id in ((ended[:36], bob.id), (new_id(), bob.id),
                                (stays[:36], eve.id)):
        with pytest.raises(NotFound):
            auth.sessions.revoke(session_id, user_id)
    assert refusal_of(auth, ended).ended
    assert auth.sessions.resume(stays).user_id == bob.id
    assert auth.sessions.revoke_all(bob.id) == 1
    assert auth.sessions.revoke_all(bob.id) == 0


def test_only_who_has_the_secret_ends_a_session(
        auth: Auth, bob: User) -> None:
    """R010: its id stands in lists and logs, and is not enough."""
    token = auth.sessions.start(bob, ("pwd",))
    for presented in (None, "", token[:36], f"{token[:36]}.{'A' * 43}"):
        auth.sessions.revoke_presented(presented)
    assert auth.sessions.resume(token).user_id == bob.id
    auth.sessions.revoke_presented(token)
    assert refusal_of(auth, token).ended


def test_sessions_past_their_end_are_swept_out(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R042: a few at a time, and never one that is live."""
    for _ in range(5):
        auth.sessions.start(bob, ("pwd",))
    clock.advance(days=25)
    live = auth.sessions.start(bob, ("pwd",))
    clock.advance(days=5, seconds=1)
    store = SessionStore(auth.db)
    assert [store.purge(clock.now(), 2) for _ in range(4)] == [2, 2, 1, 0]
    assert auth.sessions.resume(live).user_id == bob.id


@pytest.mark.uncached
def test_a_session_check_is_one_statement(auth: Auth, bob: User) -> None:
    """R039, R087: one SELECT by the keys of both tables, nothing written."""
    token = auth.sessions.start(bob, ("pwd",))
    before = everything(auth.db)
    with overheard(auth.db.engine) as statements:
        auth.sessions.resume(token)
    assert len(statements) == 1
    assert statements[0].split()[0] == "SELECT"
    assert everything(auth.db) == before
    if auth.db.is_sqlite:
        with auth.db.reading() as work:
            plan = work.execute(
                text(f"EXPLAIN QUERY PLAN {FIND_IN_TRANSACTION}"),
                {"id": token[:36]}).fetchall()
        assert "SCAN" not in str(plan) and "SEARCH" in str(plan)


def test_a_proof_is_recent_for_five_minutes(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R067: after signing in, however much the session is used since."""
    token = auth.sessions.start(bob, ("pwd",))
    clock.advance(minutes=5, seconds=-1)
    auth.sessions.require_recent_proof(auth.sessions.resume(token))
    clock.advance(seconds=2)
    with pytest.raises(ReauthenticationRequired) as refusal:
        auth.sessions.require_recent_proof(auth.sessions.resume(token))
    assert refusal.value.code == "reauthentication_required"


def test_a_renewed_session_has_a_recent_proof(
        auth: Auth, bob: User, clock: SetClock) -> None:
    """R067: by the password, and for five minutes again."""
    token = auth.sessions.start(bob, ("pwd",))
    clock.advance(minutes=9)
    renewed = auth.sessions.renew(auth.sessions.resume(token), bob)
    clock.advance(minutes=5, seconds=-1)
    auth.sessions.require_recent_proof(auth.sessions.resume(renewed))
    clock.advance(seconds=2)
    with pytest.raises(ReauthenticationRequired):
        auth.sessions.require_recent_proof(auth.sessions.resume(renewed))
