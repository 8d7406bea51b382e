#!/usr/bin/env python3
"""What tests of recovery, verification and undo begin with.

Letters are really delivered here, into a postbox: a token is had from a
letter, as a person has it.
"""

import random
import re
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, NamedTuple, Sequence

from tests.support.builders import Postbox, make_delivery, make_user, token_in
from tests.support.processes import AuthAction, Outcome, Processes, racers
from vestibule.base.origin import LIBRARY
from vestibule.kernel.address_change import AddressChange
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import Presented, TypedCode
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.registration import Registration
from vestibule.kernel.undo import Undo
from vestibule.kernel.users import Users
from vestibule.kernel.verification import Claim, Verification
from vestibule.mail.message import Message
from vestibule.store.db import DB, User

CHEAPEST = 4
KEY = "a key for proofs"
LONGEST_HESITATION = 0.01
CODE_IN_LETTER = re.compile(r"\b([0-9]{4}) ([0-9]{4})\b")


class Course(NamedTuple):
    """Processes that race, and an API on their database to look with."""

    people: Processes
    auth: Auth


@contextmanager
def course(database_url: str, actions: Sequence[AuthAction]
           ) -> Iterator[Course]:
    """Yield processes that act on an ``Auth`` each, and one more of ours."""
    with racers(database_url, actions) as people:
        db = DB(database_url)
        try:
            yield Course(people, Auth(db, Passwords(CHEAPEST)))
        finally:
            db.close()


def hesitate() -> None:
    """Wait for a moment by chance, so that everybody is first at times."""
    time.sleep(random.random() * LONGEST_HESITATION)


def until(is_so: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until something is so, or fail."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "that does not come about"
        time.sleep(0.01)


def winners(outcomes: Sequence[Outcome]) -> List[int]:
    """Return the numbers of those that were refused nothing."""
    return [number for number, each in enumerate(outcomes) if not each.error]


def deliver(auth: Auth) -> List[Message]:
    """Send what is due, up to a batch; return it as it was taken."""
    postbox = Postbox()
    make_delivery(auth, postbox).send_due()
    return postbox.taken


def code_in(message: Message) -> str:
    """Return the code to type that a letter holds, without the blank."""
    found = CODE_IN_LETTER.search(message.text)
    assert found is not None
    return "".join(found.groups())


def typed(message: Message) -> TypedCode:
    """Return the code of a letter as its reader types it."""
    return TypedCode(message.to, code_in(message))


def link_and_code(message: Message, number: int) -> Presented:
    """Return what the letter's link holds, or for odd numbers its code."""
    return typed(message) if number % 2 else token_in(message)


def proved_user(auth: Auth, email: str) -> User:
    """Register somebody whose address is proved."""
    user = make_user(auth, email)
    Users(auth.db, auth).verify(user)
    return auth.db.find_user_by(id=user.id)


def address_change(auth: Auth) -> AddressChange:
    """Return how users of this API change addresses."""
    return AddressChange(auth.db, auth)


def registration(auth: Auth) -> Registration:
    """Return a registration that keeps quiet about taken addresses."""
    return Registration(auth.db, auth, KEY, tells_taken=False)


def confirm(auth: Auth, presented: Presented,
            claim: Claim = Claim()) -> User:
    """Confirm an address, a first or a changed one."""
    return Verification(auth.db, auth, KEY, address_change(auth)).confirm(
        presented, claim, LIBRARY)


def undo(auth: Auth, token: str) -> User:
    """Undo a change by the token of the letter about it."""
    return Undo(auth.db, auth).by_token(token, LIBRARY)


def ask_for_change(auth: Auth, user: User, email: str) -> Message:
    """Have a user ask for another address; return the letter to it."""
    address_change(auth).request(user.id, email, LIBRARY)
    letter, = [each for each in deliver(auth) if each.to == email]
    return letter


def move(auth: Auth, user: User, email: str) -> str:
    """Move a user to another address; return the token that undoes it."""
    old = auth.db.find_user_by(id=user.id).email
    confirm(auth, token_in(ask_for_change(auth, user, email)))
    notice, = [each for each in deliver(auth) if each.to == old]
    return token_in(notice)


def ask_for_reset(auth: Auth, email: str) -> Message:
    """Have somebody ask for a reset; return the letter."""
    auth.request_reset(email)
    letter, = [each for each in deliver(auth) if each.to == email]
    return letter
