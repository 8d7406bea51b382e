#!/usr/bin/env python3
"""DB: the engine, its transactions, and tasks 2 to 4 on users.

Other layers take the names of storage's exceptions from here, so that no
other layer imports SQLAlchemy.
"""

import logging
import threading
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Callable, Iterator, List, Optional, Union

from sqlalchemy import BigInteger, type_coerce
from sqlalchemy.exc import (
    DataError, DBAPIError, IntegrityError, InvalidRequestError,
    OperationalError, ProgrammingError)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import sessionmaker
from sqlalchemy.orm.exc import NoResultFound

from vestibule.base.clock import Clock
from vestibule.store.changes import Changes, SharedGenerations
from vestibule.store.compat import case_when
from vestibule.store.engine import READS_ONLY, is_in_memory, open_engine
from vestibule.store.schema import is_current, upgrade
from vestibule.store.tables import to_microseconds
from vestibule.store.thread_connections import ThreadConnections
from vestibule.store.user import User

__all__ = [
    "DB", "DataError", "DBAPIError", "IntegrityError",
    "InvalidRequestError", "NoResultFound", "OperationalError",
    "PoolTimeout", "ProgrammingError", "User"]

FIXED_ATTRIBUTES = frozenset(["id", "created_at", "updated_at", "version"])
logger = logging.getLogger(__name__)


class DB:
    """A database of users, SQLite or PostgreSQL.

    ``DB(url)`` is all a program needs: a SQLite file is made and brought to
    the schema of this version; elsewhere ``vestibule migrate`` does that.
    Each method joins the thread's open ``transaction()`` or else commits its
    own; the users it returns are usable after it.
    """

    def __init__(self, url: str = "sqlite:///vestibule.db",
                 clock: Optional[Clock] = None,
                 prepares: bool = True) -> None:
        """Open the database; a server is connected at the first use.

        ``prepares`` must be false behind a pooler that shares connections
        out by transactions. Raises ``ValueError`` for an unusable URL,
        ``ModuleNotFoundError`` without its driver, and ``SchemaError`` for a
        SQLite file that a newer Vestibule wrote.
        """
        self.engine = open_engine(url)
        # Whether this is the embedded database.
        self.is_sqlite = bool(self.engine.dialect.name == "sqlite")
        self.clock = clock or Clock()
        self._writers = sessionmaker(
            bind=self.engine, expire_on_commit=False)
        self._readers = sessionmaker(
            bind=self.engine.execution_options(**{READS_ONLY: True}),
            expire_on_commit=False)
        self._open = threading.local()
        self._is_shared = not is_in_memory(self.engine.url)
        self._connections = ThreadConnections(self.engine, prepares)
        self.generations = SharedGenerations(self.engine)
        try:
            if self.is_sqlite and not is_current(self.engine):
                upgrade(self.engine)
        except BaseException:
            self.engine.dispose()
            raise

    @property
    def own_connections(self) -> Optional[ThreadConnections]:
        """What reads past SQLAlchemy, where this thread may do so.

        Not inside of its open transaction, and not where each connection
        has a database of its own, in memory.
        """
        if self._current() is not None or not self._is_shared:
            return None
        return self._connections

    @contextmanager
    def transaction(self) -> Iterator[OrmSession]:
        """Join this thread's open transaction, or open one and commit it.

        Everything inside takes effect at once or, after an exception, not at
        all. On SQLite it holds the one write lock from its beginning.
        """
        joined = self._current()
        if joined is not None:
            yield joined
            return
        session = self._writers()
        self._open.session = session
        afterwards: List[Callable[[], None]] = []
        self._open.afterwards = afterwards
        self._open.changes = changes = Changes(
            self.generations, tells_others=not self.is_sqlite)
        is_known = True
        try:
            yield session
            changes.tell(session)
            is_known = False
            session.commit()
            is_known = True
        except BaseException:
            session.rollback()
            raise
        finally:
            self._open.session = None
            changes.end(is_known)
            session.close()
        for action in afterwards:
            _run_afterwards(action)

    def changing(self, *keys: str) -> None:
        """Say that the open transaction is about to change these rows.

        They are sessions or users, by their ids. Every cache of them, here
        and on other machines, knows of it before anybody is told that it is
        done (decision 44).
        """
        self._open.changes.of(*keys)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run an action once this thread's open transaction is committed.

        That is the outermost one; if it is rolled back, the action never
        runs. Where none is open it runs at once. The action may use the
        database. If it fails, that goes to the log, for what was committed
        has happened (requirement R120). A savepoint that is rolled back
        takes no action with it.
        """
        if self._current() is None:
            _run_afterwards(action)
        else:
            self._open.afterwards.append(action)

    @contextmanager
    def reading(self) -> Iterator[OrmSession]:
        """Join this thread's open transaction, or open a session to read."""
        joined = self._current()
        if joined is not None:
            yield joined
            return
        session = self._readers()
        try:
            yield session
        finally:
            session.close()

    def add_user(self, email: str,
                 hashed_password: Union[str, bytes, None]) -> User:
        """Store a new user under a canonical address and return it (task 2).

        Raises ``IntegrityError`` where the address is taken; an open
        transaction stays usable then.
        """
        now = self.clock.now()
        user = User(email=email, hashed_password=_as_text(hashed_password),
                    password_changed_at=now, created_at=now, updated_at=now)
        with self.transaction() as session:
            with session.begin_nested():
                session.add(user)
                session.flush()
        return user

    def find_user_by(self, **attributes: Any) -> User:
        """Return the oldest user with these values of columns (task 3).

        Raises ``NoResultFound`` for no such user and ``InvalidRequestError``
        for a column that does not exist, or for no column at all.
        """
        if not attributes:
            raise InvalidRequestError("find_user_by() needs an attribute")
        for name in attributes:
            if name not in _columns():
                raise InvalidRequestError(f"A user has no column {name!r}")
        with self.reading() as session:
            user: Optional[User] = (
                session.query(User).populate_existing()
                .filter_by(**attributes)
                .order_by(User.created_at, User.id).first())
        if user is None:
            raise NoResultFound("No user has these attributes")
        return user

    def update_user(self, user_id: str, **attributes: Any) -> None:
        """Set these attributes of a user (task 4).

        Setting ``hashed_password`` sets ``password_changed_at`` as well, to
        the same instant as ``updated_at``. That always grows: of two changes
        the later one has the later instant, whatever the clocks of several
        machines say.
        Raises ``ValueError`` for an attribute that does not exist or is not
        for setting, ``NoResultFound`` for an unknown user, and
        ``IntegrityError`` for an address that is taken; nothing is changed
        then.
        """
        for name in attributes:
            if name in FIXED_ATTRIBUTES or name not in _columns():
                raise ValueError(f"A user has no attribute {name!r} to set")
        instant = _instant_of_change(self.clock.now())
        values = dict(attributes, updated_at=instant)
        if "hashed_password" in values:
            values["hashed_password"] = _as_text(values["hashed_password"])
            values.setdefault("password_changed_at", instant)
        columns = {getattr(User, name): value
                   for name, value in values.items()}
        columns[User.version] = User.version + 1
        with self.transaction() as session, session.begin_nested():
            self.changing(user_id)
            changed = (session.query(User).filter(User.id == user_id)
                       .update(columns, synchronize_session=False))
        if not changed:
            raise NoResultFound("No user has this id")

    def lock_user(self, user_id: str) -> Optional[User]:
        """Return the user as stored now, held until the transaction ends.

        Whoever else wants to lock or change this user waits: on PostgreSQL
        by the row's lock, on SQLite by the transaction's write lock.
        """
        with self.transaction() as session:
            user: Optional[User] = (
                session.query(User).populate_existing()
                .filter(User.id == user_id)
                .with_for_update(key_share=True).first())
        return user

    def list_users(self, limit: int, after: str = "") -> List[User]:
        """Return up to ``limit`` users by address, those after ``after``."""
        with self.reading() as session:
            users: List[User] = (
                session.query(User).filter(User.email > after)
                .order_by(User.email).limit(limit).all())
        return users

    def delete_user(self, user_id: str) -> bool:
        """Delete a user with all that hangs on it; say whether there was one.

        Ids are random and never given again, so nothing that remembers this
        one can ever mean somebody else (Payload CVE-2025-4644).
        """
        with self.transaction() as session:
            self.changing(user_id)
            deleted = (session.query(User).filter(User.id == user_id)
                       .delete(synchronize_session=False))
        return bool(deleted)

    def swap_hash(self, user_id: str, old: str, new: str) -> bool:
        """Replace a stored hash by another of the same password.

        Does so only while it is still ``old``: a password that was changed
        meanwhile is never overwritten (requirement R016).
        """
        with self.transaction() as session:
            swapped = (
                session.query(User)
                .filter_by(id=user_id, hashed_password=old)
                .update({User.hashed_password: new},
                        synchronize_session=False))
        return bool(swapped)

    def close(self) -> None:
        """Give the pooled connections back; the object is done with."""
        self._connections.close()
        self.engine.dispose()
        self.generations.close()

    def _current(self) -> Optional[OrmSession]:
        """Return the session of this thread's open transaction, if any."""
        return getattr(self._open, "session", None)


def _run_afterwards(action: Callable[[], None]) -> None:
    """Run what was to be run after a commit, which nothing undoes."""
    try:
        action()
    except Exception as error:
        logger.error("An action after a commit failed.", exc_info=error)


def _instant_of_change(now: datetime) -> Any:
    """Return SQL for now, or for just after the row's last change."""
    last = type_coerce(User.__table__.c.updated_at, BigInteger)
    count = to_microseconds(now)
    return case_when(last < count, count, last + 1)


def _as_text(hashed_password: Union[str, bytes, None]) -> Optional[str]:
    """Return a hash as text, the form in which it is stored."""
    if isinstance(hashed_password, bytes):
        return hashed_password.decode("ascii")
    return hashed_password


def _columns() -> List[str]:
    """Return the names of the model's attributes that are columns."""
    return [attribute.key for attribute in User.__mapper__.column_attrs]
