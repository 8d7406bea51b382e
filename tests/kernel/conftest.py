#!/usr/bin/env python3
"""What most tests of the kernel begin with: an API as a service has it."""

import pytest

from tests.support.builders import make_user
from tests.support.recovery import KEY
from tests.support.warm import warm
from vestibule.kernel.auth import Auth
from vestibule.kernel.passwords import Passwords
from vestibule.store.db import DB, User


@pytest.fixture
def auth(db: DB, is_warm: bool) -> Auth:
    """Return an API with a secret key, hashing at the least cost."""
    made = Auth(db, Passwords(4), KEY)
    if is_warm:
        warm(made.sessions, db)
    return made


@pytest.fixture
def bob(auth: Auth) -> User:
    """Return Bob, who is registered and has proved nothing."""
    return make_user(auth)
