#!/usr/bin/env python3
"""What tests of the store and the kernel begin with, and look at after."""

import re
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional
from unittest import mock

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from sqlalchemy.engine import Engine

from tests.support.warm import forget
from vestibule.base.origin import LIBRARY, Origin
from vestibule.kernel.auth import Auth
from vestibule.kernel.deletion import Deletion
from vestibule.kernel.delivery import Delivery
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.letter_writer import Letterhead, LetterWriter
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.outbox import VERIFY_LETTER
from vestibule.mail.message import Mailer, Message
from vestibule.store.db import DB, User
from vestibule.store.letter import Letter, LetterStore
from vestibule.store.models import METADATA
from vestibule.store.thread_connections import (
    Statement, ThreadConnections)

EMAIL, PASSWORD = "bob@example.com", "correct horse battery"
HASH = "$2b$04$abcdefghijklmnopqrstuuUWMJ1JJFKUHBn0FRm9TUbTJD3hQ5oTO"
BASE_URL = "https://example.com/auth"
TOKEN_IN_LINK = re.compile(r"token=([A-Za-z0-9_-]+)")

# How each database is told to refuse a statement.
REFUSE = {
    "sqlite": ["""
        CREATE TRIGGER refuse BEFORE {event} ON {table}
        BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"""],
    "postgresql": ["""
        CREATE FUNCTION refuse() RETURNS trigger AS $$
        BEGIN RAISE EXCEPTION 'refused by a test'; END $$
        LANGUAGE plpgsql""", """
        CREATE TRIGGER refuse BEFORE {event} ON {table}
        FOR EACH ROW EXECUTE PROCEDURE refuse()"""],
}
ALLOW = {
    "sqlite": ["DROP TRIGGER refuse"],
    "postgresql": ["DROP FUNCTION refuse() CASCADE"],
}


class Postbox(Mailer):
    """Takes letters as a mail server does: it keeps them, or refuses."""

    def __init__(self, *refusals: Exception) -> None:
        """Raise these, one at each letter, and take those that follow."""
        self.taken: List[Message] = []
        self.refusals = list(refusals)

    def send(self, message: Message) -> None:
        """Take the letter, unless there is a refusal left."""
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken.append(message)


def make_user(auth: Auth, email: str = EMAIL,
              password: str = PASSWORD) -> User:
    """Register Bob, or somebody else."""
    return auth.register_user(email, password)


def make_newcomer(auth: Auth, email: str = EMAIL,
                  origin: Origin = LIBRARY) -> User:
    """Register somebody, whose first letter waits to be sent."""
    return auth.register_user(
        email, PASSWORD, origin,
        lambda user: auth.outbox.write(VERIFY_LETTER, user.email, user.id))


def erase(auth: Auth, user: User) -> None:
    """Erase a user at once, as an operator."""
    Erasure(auth.db, auth).erase_now(user)


def make_delivery(auth: Auth, mailer: Mailer) -> Delivery:
    """Return a delivery of this API's letters."""
    letterhead = Letterhead("Example", BASE_URL, "help@example.com")
    return Delivery(
        auth.db, LetterWriter(auth.db, auth.tokens, letterhead), mailer)


def make_deletion(auth: Auth) -> Deletion:
    """Return what deletes users of this API, and restores them."""
    return Deletion(auth.db, auth, SignIn(auth.db, auth))


def letters(db: DB) -> List[Letter]:
    """Return all letters, the newest first."""
    return LetterStore(db).newest(100)


def token_in(message: Message) -> str:
    """Return the reset token of the link in a letter."""
    found = TOKEN_IN_LINK.search(message.text)
    assert found is not None
    return found.group(1)


def store_hash(db: DB, user: User, stored: Optional[str]) -> None:
    """Put a hash in the table as it is."""
    run_sql(db, "UPDATE users SET hashed_password = :stored WHERE id = :id",
            stored=stored, id=user.id)


def run_sql(db: DB, statement: str, **values: Any) -> None:
    """Run one statement in a transaction of its own."""
    with db.engine.begin() as connection:
        connection.execute(text(statement), values)
    forget(db)


def count(db: DB, table: str) -> int:
    """Return how many rows a table holds."""
    with db.reading() as work:
        found: int = work.execute(
            text(f"SELECT count(*) FROM {table}")).scalar()
    return found


def everything(db: DB) -> str:
    """Return each row of each table as text, to be searched or compared."""
    lines = []
    with db.reading() as work:
        for table in METADATA.sorted_tables:
            rows = work.execute(text(f"SELECT * FROM {table.name}"))
            lines += [f"{table.name} {tuple(row)}" for row in rows]
    return "\n".join(sorted(lines))


def all_but_tries(db: DB) -> str:
    """Return each row of each table but of those that count tries."""
    return "\n".join(
        line for line in everything(db).split("\n")
        if not line.startswith(("attempts ", "failures ")))


@contextmanager
def refusing(db: DB, event: str, table: str) -> Iterator[None]:
    """Have the database itself refuse ``INSERT``, say, for a while."""
    kind = db.engine.dialect.name
    for statement in REFUSE[kind]:
        run_sql(db, statement.format(event=event, table=table))
    try:
        yield
    finally:
        for statement in ALLOW[kind]:
            run_sql(db, statement)


@contextmanager
def overheard(engine: Engine) -> Iterator[List[str]]:
    """Yield what is sent to the database meanwhile."""
    statements: List[str] = []

    def listen(connection: Any, cursor: Any, statement: str,
               *rest: Any) -> None:
        """Write down a statement that is about to run."""
        statements.append(statement)

    def read(connections: ThreadConnections, statement: Statement,
             *values: str) -> List[Any]:
        """Write down a statement that goes past SQLAlchemy."""
        if connections.engine is engine:
            statements.append(statement.sql)
        return silently(connections, statement, *values)

    silently = ThreadConnections.read
    sqlalchemy_event.listen(engine, "before_cursor_execute", listen)
    try:
        with mock.patch.object(ThreadConnections, "read", read):
            yield statements
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", listen)
