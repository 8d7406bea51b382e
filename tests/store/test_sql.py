#!/usr/bin/env python3
"""The SQL that really runs keeps to SQLite 3.22 and PostgreSQL 10.

The rules for the source see what we wrote; this sees what SQLAlchemy and
Alembic made of it.
"""

from typing import List, Sequence

from sqlalchemy.engine import Engine

from tests.support.builders import (
    EMAIL, PASSWORD, Postbox, make_deletion, make_delivery, make_user,
    overheard, token_in)
from tests.support.clock import SetClock
from tests.support.source_sql import TOO_NEW
from vestibule.base.origin import LIBRARY
from vestibule.kernel.auth import Auth
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.export import Export
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.refusals import Asked, Refusals
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.store.db import DB
from vestibule.store.engine import open_engine
from vestibule.store.event import EventStore
from vestibule.store.one_time_token import OneTimeTokenStore
from vestibule.store.schema import EMPTY, downgrade, upgrade
from vestibule.store.session import SessionStore


def pretend_to_be_old(engine: Engine) -> None:
    """Have SQLAlchemy 2 take the SQLite at hand for one without RETURNING.

    It looks at the version by itself and says RETURNING from 3.35 on; 1.3
    never does.
    """
    if engine.dialect.name == "sqlite":
        engine.dialect.insert_returning = False
        engine.dialect.update_returning = False
        engine.dialect.delete_returning = False


def faults(engine: Engine, statements: List[str]) -> List[str]:
    """Return the statements that are too new, with what is new in them.

    PostgreSQL has had RETURNING and DROP COLUMN for ever.
    """
    allowed: Sequence[str] = ()
    if engine.dialect.name == "postgresql":
        allowed = ("RETURNING", "DROP COLUMN")
    return [f"{name}: {statement}" for statement in statements
            for pattern, name in TOO_NEW
            if name not in allowed and pattern.search(statement)]


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


def refuse_and_explain(db: DB, clock: SetClock) -> None:
    """Have refusals written, read and removed, and their events read."""
    refusals = Refusals(db)
    refusals.note(Asked("request-1", "GET", "/"), 404, "not_found")
    assert refusals.of_request("request-1", 9) and not refusals.purge(9)
    assert EventStore(db).of_request("request-1", 9) == []
    clock.advance(days=8)
    assert refusals.purge(9) == 1


def test_the_service_says_nothing_that_old_databases_refuse(
        db: DB, clock: SetClock) -> None:
    """DESIGN section 1: Ubuntu 18.04 has SQLite 3.22 and PostgreSQL 10."""
    pretend_to_be_old(db.engine)
    with overheard(db.engine) as statements:
        live_through_everything(Auth(db, Passwords(4)), clock)
    assert len(statements) > 60
    assert faults(db.engine, statements) == []


def test_migrations_say_nothing_that_old_databases_refuse(
        bare_url: str) -> None:
    """DESIGN section 1: up and down, statement by statement."""
    engine = open_engine(bare_url)
    pretend_to_be_old(engine)
    with overheard(engine) as statements:
        upgrade(engine)
        downgrade(engine, EMPTY)
    engine.dispose()
    assert len([each for each in statements if "TABLE" in each]) >= 10
    assert faults(engine, statements) == []
