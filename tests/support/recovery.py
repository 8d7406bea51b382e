#!/usr/bin/env python3
"""What tests of mailed tokens begin with: letters that were delivered."""

import re
from typing import List

import pytest

from tests.support.builders import (
    PASSWORD, Postbox, make_delivery, make_user, token_in)
from vestibule.base.errors import InvalidToken
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.address_change import AddressChange
from vestibule.kernel.auth import Auth
from vestibule.kernel.one_time_tokens import (
    CHANGE_EMAIL, Mailed, Presented, TypedCode)
from vestibule.kernel.verification import Claim, Verification
from vestibule.mail.message import Message
from vestibule.store.db import DB, User
from vestibule.store.event import Event, EventStore

KEY = "a key for tests, 0123456789abcdef"
DESK = Origin("192.0.2.7", "Browser", "req-7")
CODE = re.compile(r"^(\d{4}) ?(\d{4})$", re.MULTILINE)


def delivered(auth: Auth) -> List[Message]:
    """Send what is due now; return what the mail server took."""
    postbox = Postbox()
    while make_delivery(auth, postbox).send_due():
        pass
    return postbox.taken


def mailed_in(message: Message) -> Mailed:
    """Return the two keys that stand in a letter."""
    code = CODE.search(message.text)
    assert code is not None
    return Mailed(token_in(message), code.group(1) + code.group(2))


def typed(email: str, code: str) -> TypedCode:
    """Return a code as somebody typed it."""
    return TypedCode(email, code, DESK)


def wrong(code: str) -> str:
    """Return another code of the same length."""
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


def make_verified(auth: Auth, email: str, password: str = PASSWORD) -> User:
    """Register somebody whose address is proved."""
    user = make_user(auth, email, password)
    auth.db.update_user(user.id, email_verified_at=auth.db.clock.now())
    return fresh(auth.db, user)


def make_verification(auth: Auth) -> Verification:
    """Return the verification of this API's users."""
    return Verification(auth.db, auth, KEY, AddressChange(auth.db, auth))


def change_token(auth: Auth, user: User, email: str) -> str:
    """Ask for another address; return the token that was mailed there."""
    AddressChange(auth.db, auth).request(user.id, email, LIBRARY)
    message = delivered(auth)[-1]
    assert message.to == email
    return token_in(message)


def change_address(auth: Auth, user: User, email: str) -> List[Message]:
    """Move a user to another address; return the letters about it."""
    token = change_token(auth, user, email)
    make_verification(auth).confirm(token, Claim(), LIBRARY)
    return delivered(auth)


def move(auth: Auth, user: User, email: str) -> str:
    """Move a user to another address; return the undo token for it."""
    message, = change_address(auth, user, email)
    return token_in(message)


def change_password(auth: Auth, user: User, password: str) -> str:
    """Set another password; return the undo token for it."""
    auth.update_password(
        auth.get_reset_password_token(fresh(auth.db, user).email), password)
    message, = delivered(auth)
    return token_in(message)


def fresh(db: DB, user: User) -> User:
    """Return a user as it is stored now."""
    return db.find_user_by(id=user.id)


def events_of(db: DB, user: User) -> List[Event]:
    """Return what was written down about a user, in order."""
    return EventStore(db).of_user(user.id)


def what_happened(db: DB, user: User) -> List[str]:
    """Return the names of what was written down about a user, in order."""
    return [each.what for each in events_of(db, user)]


def refuse_spending(auth: Auth, presented: Presented,
                    *purposes: str) -> None:
    """See that a token or a code is refused for each purpose by itself."""
    for purpose in purposes or (CHANGE_EMAIL,):
        with pytest.raises(InvalidToken) as refusal:
            auth.tokens.look_at(presented, purpose)
        assert refusal.value.code == "invalid_token"
        assert refusal.value.message == InvalidToken.default_message
