#!/usr/bin/env python3
"""Who may have which address: kept ones are taken for everybody else."""

from datetime import timedelta
from typing import Any, Dict

import pytest

from tests.support.builders import (
    EMAIL, PASSWORD, everything, make_user, run_sql)
from tests.support.clock import SetClock
from tests.support.recovery import (
    KEY, change_token, delivered, fresh, make_verified, move)
from vestibule.base.errors import IdentifierTaken, InvalidToken
from vestibule.base.origin import LIBRARY
from vestibule.kernel.address_change import AddressChange
from vestibule.kernel.addresses import Addresses
from vestibule.kernel.auth import Auth
from vestibule.kernel.registration import Registration
from vestibule.kernel.undo import Undo
from vestibule.kernel.users import Users
from vestibule.store.db import User
from vestibule.store.reservation import Reservation, ReservationStore

LEFT, NEW = EMAIL, "new@example.com"
WEEK = timedelta(days=7)


@pytest.fixture
def addresses(auth: Auth) -> Addresses:
    """Return who has which address."""
    return auth.addresses


@pytest.fixture
def bob(auth: Auth) -> User:
    """Return Bob, who left an address that he had proved."""
    user = make_verified(auth, LEFT)
    move(auth, user, NEW)
    return fresh(auth.db, user)


@pytest.fixture
def eve(auth: Auth) -> User:
    """Return Eve, who would like to have that address."""
    return make_verified(auth, "eve@example.com")


TAKING: Dict[str, Any] = {
    "register": lambda auth, eve: auth.register_user(LEFT, PASSWORD),
    "register in another spelling": lambda auth, eve: auth.register_user(
        f" {LEFT.upper()}", PASSWORD),
    "register where that is told": lambda auth, eve: Registration(
        auth.db, auth, KEY, tells_taken=True).register(
            LEFT, PASSWORD, LIBRARY),
    "create": lambda auth, eve: Users(auth.db, auth).create(LEFT, PASSWORD),
    "invite": lambda auth, eve: Users(auth.db, auth).invite(LEFT),
    "set-email": lambda auth, eve: Users(auth.db, auth).set_email(eve, LEFT),
    "give": lambda auth, eve: _give(auth, eve),
}


def _give(auth: Auth, user: User) -> None:
    """Give somebody the address in a transaction."""
    with auth.db.transaction():
        auth.addresses.give(user, LEFT)


@pytest.mark.parametrize("way", sorted(TAKING))
def test_nobody_else_gets_an_address_that_is_kept(
        auth: Auth, bob: User, eve: User, way: str) -> None:
    """R002: in no way, and nothing is left of the attempt."""
    before = everything(auth.db)
    with pytest.raises(IdentifierTaken):
        TAKING[way](auth, eve)
    assert everything(auth.db) == before


@pytest.mark.parametrize("way", sorted(TAKING))
def test_after_seven_days_anybody_may_have_it(
        auth: Auth, bob: User, eve: User, way: str,
        clock: SetClock) -> None:
    """R002: in every way, though no housekeeping went by."""
    clock.advance(days=7)
    TAKING[way](auth, eve)
    assert auth.db.find_user_by(email=LEFT).id != bob.id


def test_a_request_for_a_kept_address_leads_nowhere(
        auth: Auth, bob: User, eve: User) -> None:
    """R085: it is answered like any other, and no letter goes out."""
    change = AddressChange(auth.db, auth)
    assert change.request(eve.id, LEFT, LIBRARY) == LEFT
    assert delivered(auth) == []


def test_its_user_may_come_back_to_it(auth: Auth, bob: User) -> None:
    """R067: by a proof as for any address; then it is not kept any more."""
    token = change_token(auth, bob, LEFT)
    assert token
    move(auth, bob, LEFT)
    assert fresh(auth.db, bob).email == LEFT
    store = ReservationStore(auth.db)
    assert store.holder(LEFT, auth.db.clock.now()) is None
    assert store.holder(NEW, auth.db.clock.now()) == bob.id


def test_the_owner_of_an_old_letter_gets_it_by_an_operator(
        auth: Auth, bob: User) -> None:
    """R149: set-email back to it is no taking from somebody else."""
    Users(auth.db, auth).set_email(bob, LEFT)
    assert fresh(auth.db, bob).email == LEFT
    make_user(auth, NEW)


def test_an_address_is_free_for_who_has_it_or_for_whom_it_is_kept(
        addresses: Addresses, auth: Auth, bob: User, eve: User) -> None:
    """R067: for them alone; one of nobody is free for everybody."""
    for email in (LEFT, NEW):
        assert addresses.is_free(email, bob.id)
        assert not addresses.is_free(email, eve.id)
    assert not addresses.is_free(eve.email, bob.id)
    for user in (bob, eve):
        assert addresses.is_free("free@example.com", user.id)
    assert addresses.is_kept(LEFT, bob.id)
    assert not addresses.is_kept(LEFT, eve.id)
    assert not addresses.is_kept(NEW, bob.id)


def test_an_address_is_not_free_when_one_has_it_and_it_is_anothers(
        addresses: Addresses, auth: Auth, bob: User, eve: User) -> None:
    """R002: were it so behind our back, neither of the two is passed over.
    """
    run_sql(auth.db, "UPDATE users SET email = :email WHERE id = :id",
            email=LEFT, id=eve.id)
    assert not addresses.is_free(LEFT, bob.id)
    assert not addresses.is_free(LEFT, eve.id)


def test_a_refused_newcomer_leaves_the_transaction_usable(
        addresses: Addresses, auth: Auth, bob: User) -> None:
    """R002: taken or kept, what else is in it can be committed."""
    with auth.db.transaction():
        for email in (LEFT, NEW):
            with pytest.raises(IdentifierTaken):
                addresses.add_user(email, None)
        added = addresses.add_user("free@example.com", None)
    assert auth.db.find_user_by(email="free@example.com").id == added.id
    assert len(auth.db.list_users(9)) == 2


def test_an_address_is_kept_for_the_last_who_left_it(
        addresses: Addresses, auth: Auth, bob: User, eve: User,
        clock: SetClock) -> None:
    """R067: anew each time, and an expired row is in nobody's way."""
    clock.advance(days=7)
    addresses.keep(LEFT, eve.id, clock.now() + WEEK)
    assert addresses.is_kept(LEFT, eve.id)
    clock.advance(days=6)
    addresses.keep(LEFT, eve.id, clock.now() + WEEK)
    clock.advance(days=6)
    assert addresses.is_kept(LEFT, eve.id)


def test_letting_go_frees_what_was_kept_for_one_user(
        addresses: Addresses, auth: Auth, bob: User, eve: User) -> None:
    """R149: and for nobody else."""
    move(auth, eve, "eve2@example.com")
    addresses.let_go(bob.id)
    assert make_user(auth, LEFT)
    assert addresses.is_kept("eve@example.com", eve.id)


def test_an_address_put_back_is_its_users_again(
        auth: Auth, bob: User, eve: User) -> None:
    """Issue 4: the undo takes it from where it was kept."""
    token = move(auth, eve, "eve2@example.com")
    Undo(auth.db, auth).by_token(token, LIBRARY)
    assert not auth.addresses.is_kept("eve@example.com", eve.id)
    make_user(auth, "eve2@example.com")
    with pytest.raises(InvalidToken):
        Undo(auth.db, auth).by_token(token, LIBRARY)


def test_a_kept_address_goes_with_its_user(auth: Auth, bob: User) -> None:
    """R034: nothing is kept for somebody who is not there."""
    auth.db.delete_user(bob.id)
    assert "reservations" not in everything(auth.db)
    assert make_user(auth, LEFT)


def test_given_addresses_count_as_proved(
        addresses: Addresses, auth: Auth, eve: User) -> None:
    """R067: since now, in the user as it comes back."""
    run_sql(auth.db, "UPDATE users SET email_verified_at = NULL")
    with auth.db.transaction():
        user = addresses.give(eve, NEW)
    assert (user.id, user.email) == (eve.id, NEW)
    assert user.email_verified_at is not None
    assert Reservation.__tablename__ not in everything(auth.db)
