#!/usr/bin/env python3
"""People get everything that is held about them, and nothing more."""

import json
from typing import Any, Dict, List

import pytest
from sqlalchemy import text

from tests.support.builders import (
    EMAIL, PASSWORD, Postbox, count, everything, make_delivery,
    make_newcomer, make_user, overheard, token_in)
from tests.support.clock import SetClock
from tests.support.recovery import change_token
from vestibule.base.errors import SessionRequired, Throttled
from vestibule.base.origin import Origin
from vestibule.kernel import export as module
from vestibule.kernel.address_change import AddressChange
from vestibule.kernel.auth import Auth
from vestibule.kernel.export import Export
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.store.event import EventStore

_SECRETS = text("""
    SELECT digest FROM one_time_tokens
    UNION SELECT code_digest FROM one_time_tokens
    WHERE code_digest IS NOT NULL
    UNION SELECT secret_digest FROM sessions
    UNION SELECT hashed_password FROM users
""")
WEB = Origin("192.0.2.7", "Browser/1.0", "req-12345")


def exported(auth: Auth, user_id: str) -> Dict[str, Any]:
    """Return a whole export."""
    document: Dict[str, Any] = {}
    for name, value in Export(auth.db, auth).begin(user_id, WEB):
        if not isinstance(value, (str, dict)):
            document[name] = [each for batch in value for each in batch]
        else:
            document[name] = value
    return document


def test_everything_held_is_in_it(auth: Auth, clock: SetClock) -> None:
    """Each table gives what it has, in words that people can read."""
    user = make_newcomer(auth, EMAIL, WEB)
    Users(auth.db, auth).verify(user)
    auth.db.update_user(user.id, name="Bob", app_metadata={"a": [1]})
    signed_in = SignIn(auth.db, auth).with_password(EMAIL, PASSWORD, WEB)
    change = AddressChange(auth.db, auth)
    change.request(user.id, "new@example.com", WEB)
    postbox = Postbox()
    make_delivery(auth, postbox).send_due()
    [letter] = [each for each in postbox.taken
                if each.to == "new@example.com"]
    change.confirm(
        auth.tokens.look_at(token_in(letter), "change_email"), WEB)
    auth.get_reset_password_token("new@example.com")
    found = exported(auth, user.id)
    assert found["format"] == "vestibule-export-1"
    assert found["profile"]["id"] == user.id
    assert found["profile"]["name"] == "Bob"
    assert found["profile"]["metadata"] == {"a": [1]}
    assert found["profile"]["has_password"] is True
    assert [(each["email"], each["use"]) for each in found["addresses"]] == [
        ("new@example.com", "current"), (EMAIL, "kept")]
    [session] = found["sessions"]
    assert session["id"] == signed_in.session_token[:36]
    assert (session["ip"], session["proved"]) == ("192.0.2.7", ["pwd"])
    assert [each["purpose"] for each in found["one_time_tokens"]] == ["reset"]
    assert [each["kind"] for each in found["letters"]] == [
        "verify", "change_email", "email_changed"]
    assert [each["what"] for each in found["events"]] == [
        each.what for each in EventStore(auth.db).of_user(user.id)]
    assert found["events"][-1]["what"] == "profile.exported"
    assert found["events"][-1]["at"] == found["exported_at"]


def test_no_secret_and_nothing_made_of_one_is_in_it(auth: Auth) -> None:
    """R111, R117: no hash, no digest, no mask, no token, no code."""
    user = make_user(auth)
    token = str(auth.create_session(EMAIL))
    reset = auth.get_reset_password_token(EMAIL)
    auth.request_reset(EMAIL)
    make_delivery(auth, Postbox()).send_due()
    assert not auth.valid_login(EMAIL, "wrong")
    written = json.dumps(exported(auth, user.id))
    stored = everything(auth.db)
    with auth.db.reading() as work:
        columns = [row[0] for row in work.execute(_SECRETS)]
    assert len(columns) >= 4 and all(each in stored for each in columns)
    for secret in (*columns, token.partition(".")[2], reset,
                   auth.audit.masked(EMAIL), "$2b$", PASSWORD):
        assert secret not in written


def test_an_address_asked_for_is_no_key_of_theirs(auth: Auth) -> None:
    """A token that was mailed to another box says nothing of this person:
    it may be somebody else's address, and is theirs once it is proved.
    """
    user = make_user(auth)
    change_token(auth, user, "new@example.com")
    auth.get_reset_password_token(EMAIL)
    assert count(auth.db, "one_time_tokens") == 2
    found = exported(auth, user.id)["one_time_tokens"]
    assert [each["purpose"] for each in found] == ["reset"]


def test_it_holds_nothing_of_anybody_else(auth: Auth) -> None:
    """R070: not even letters to an address that was somebody else's."""
    eve = make_user(auth, "eve@example.com")
    auth.request_reset("eve@example.com")
    auth.create_session("eve@example.com")
    Users(auth.db, auth).set_email(eve, "eve@example.org")
    bob = make_user(auth)
    Users(auth.db, auth).set_email(bob, "eve@example.com")
    auth.request_reset("eve@example.com")
    found = exported(auth, bob.id)
    assert eve.id not in json.dumps(found)
    assert len(found["letters"]) == 1 and found["sessions"] == []
    assert exported(auth, eve.id)["letters"] == []


def test_once_a_day_and_the_wait_is_true(
        auth: Auth, clock: SetClock) -> None:
    """The second is told when, and at that very second it works."""
    user = make_user(auth)
    export = Export(auth.db, auth)
    export.begin(user.id)
    clock.advance(hours=23)
    with pytest.raises(Throttled) as refusal:
        export.begin(user.id)
    assert refusal.value.retry_after == 3600
    clock.advance(seconds=3599)
    with pytest.raises(Throttled) as refusal:
        export.begin(user.id)
    assert refusal.value.retry_after == 1
    clock.advance(seconds=1)
    export.begin(user.id)
    with pytest.raises(Throttled) as refusal:
        export.begin(user.id)
    assert refusal.value.retry_after == 86400


def test_a_clock_that_was_set_back_locks_nobody_out_for_long(
        auth: Auth, clock: SetClock) -> None:
    """R138: no wait is longer than a day."""
    user = make_user(auth)
    Export(auth.db, auth).begin(user.id)
    clock.advance(days=-30)
    with pytest.raises(Throttled) as refusal:
        Export(auth.db, auth).begin(user.id)
    assert refusal.value.retry_after == 86400


def test_who_is_gone_gets_none(auth: Auth) -> None:
    """R034: the session was looked up just before."""
    with pytest.raises(SessionRequired):
        Export(auth.db, auth).begin("nobody")


def test_who_was_signed_out_meanwhile_gets_none(auth: Auth) -> None:
    """R031: the cookie was checked, and then somebody ended the session."""
    user = make_user(auth)
    ended, live = [
        auth.sessions.resume(auth.create_session(EMAIL)).id
        for _ in range(2)]
    auth.sessions.revoke(ended, user.id)
    before = everything(auth.db)
    with pytest.raises(SessionRequired) as refusal:
        Export(auth.db, auth).begin(user.id, WEB._replace(session_id=ended))
    assert refusal.value.ended and everything(auth.db) == before
    Export(auth.db, auth).begin(user.id, WEB._replace(session_id=live))


def test_it_is_read_in_batches_with_nothing_held_between(
        auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """R126: never more rows at once than a batch, no connection in use."""
    monkeypatch.setattr(module, "BATCH", 10)
    user = make_user(auth)
    for number in range(95):
        auth.audit.record("test.done", user.id, count=number)
        auth.outbox.write("verify", EMAIL, user.id)
    sizes: Dict[str, List[int]] = {}
    pool: Any = auth.db.engine.pool
    with overheard(auth.db.engine) as statements:
        for name, value in Export(auth.db, auth).begin(user.id):
            assert pool.checkedout() == 0
            if isinstance(value, (str, dict)):
                continue
            for batch in value:
                assert pool.checkedout() == 0
                sizes.setdefault(name, []).append(len(batch))
    assert sizes["events"] == [10] * 9 + [7]
    assert sizes["letters"] == [10] * 9 + [5]
    assert len([each for each in statements if "FROM events" in each]) > 9


def test_what_happens_meanwhile_makes_it_no_longer(auth: Auth) -> None:
    """Events after the beginning are not in it, so that it has an end."""
    user = make_user(auth)
    parts = Export(auth.db, auth).begin(user.id)
    for _ in range(3):
        auth.audit.record("test.done", user.id)
    found: Dict[str, Any] = {name: list(value) for name, value in parts}
    assert [each["what"] for each in found["events"][0]] == [
        "user.registered", "profile.exported"]
