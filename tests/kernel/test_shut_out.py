#!/usr/bin/env python3
"""Whoever is shut out has nothing left that still takes effect."""

from typing import Any, Callable, Dict

import pytest

from tests.support.builders import EMAIL, PASSWORD, make_user
from tests.support.recovery import change_token, refuse_spending
from vestibule.base.errors import SessionRequired
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.address_change import AddressChange
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import CHANGE_EMAIL, TypedCode
from vestibule.kernel.profiles import Profiles
from vestibule.kernel.users import Users
from vestibule.store.db import User
from vestibule.store.event import EventStore
from vestibule.store.session import FoundSession

THIEF = "thief@example.com"


def signed_in(auth: Auth) -> FoundSession:
    """Return a new session of Bob's."""
    return auth.sessions.resume(auth.create_session(EMAIL))


def within(found: FoundSession) -> Origin:
    """Return where a request in a session comes from."""
    return LIBRARY._replace(session_id=found.id)


WAYS: Dict[str, Callable[[Auth, FoundSession, FoundSession], Any]] = {
    "others": lambda auth, own, stolen: auth.sessions.revoke_others(own),
    "by id": lambda auth, own, stolen: auth.sessions.revoke(
        stolen.id, own.user_id, within(own)),
    "all": lambda auth, own, stolen: auth.destroy_session(own.user_id),
    "operator": lambda auth, own, stolen: Users(
        auth.db, auth).revoke_sessions(auth.db.find_user_by(email=EMAIL))}


@pytest.mark.parametrize("way", WAYS)
def test_a_change_of_address_ends_with_the_session_that_asked(
        auth: Auth, bob: User, way: str) -> None:
    """R067: an owner who ends the thief's session is rid of the thief."""
    own, stolen = signed_in(auth), signed_in(auth)
    token = change_token(auth, bob, THIEF)
    WAYS[way](auth, own, stolen)
    refuse_spending(auth, token, CHANGE_EMAIL)


def test_signing_out_leaves_a_change_of_address_good(
        auth: Auth, bob: User) -> None:
    """The letter may be opened anywhere, also by who is signed out."""
    own = signed_in(auth)
    token = change_token(auth, bob, "new@example.com")
    auth.sessions.revoke(own.id, bob.id, within(own))
    assert auth.tokens.look_at(token, CHANGE_EMAIL)


def change(auth: Auth, user: User, origin: Origin) -> Any:
    """Ask for another address."""
    return AddressChange(auth.db, auth).request(user.id, THIEF, origin)


def rename(auth: Auth, user: User, origin: Origin) -> Any:
    """Change the profile."""
    return Profiles(auth.db, auth.audit).change(
        user.id, {"name": "Thief"}, None, origin)


@pytest.mark.parametrize("act", [change, rename])
def test_a_request_that_outlives_its_session_does_nothing(
        auth: Auth, bob: User,
        act: Callable[[Auth, User, Origin], Any]) -> None:
    """R015: its body may come long after its cookie was checked."""
    stolen = signed_in(auth)
    auth.update_password(
        auth.get_reset_password_token(EMAIL), "another password")
    with pytest.raises(SessionRequired):
        act(auth, bob, within(stolen))
    user = auth.db.find_user_by(id=bob.id)
    assert (user.email, user.name) == (EMAIL, None)
    act(auth, bob, within(signed_in(auth)))


def test_nobody_is_told_where_another_one_types(
        auth: Auth, bob: User) -> None:
    """R070: two users want one address, and only one of them types."""
    mallory = make_user(auth, "mallory@example.com", PASSWORD)
    mailed = auth.tokens.issue_with_code(bob.id, CHANGE_EMAIL, THIEF)
    auth.tokens.issue_with_code(mallory.id, CHANGE_EMAIL, THIEF)
    from_bob = LIBRARY._replace(ip="192.0.2.7")
    assert auth.tokens.look_at(
        TypedCode(THIEF, mailed.code, from_bob), CHANGE_EMAIL)
    seen = EventStore(auth.db).of_user(mallory.id)
    assert "code.tried" not in [each.what for each in seen]
