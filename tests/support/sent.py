#!/usr/bin/env python3
"""Every statement that the service sends, with its values and its sender."""

import inspect
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator, List, NamedTuple, Set, Tuple
from unittest import mock

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.engine import Engine

import vestibule.store
from vestibule.store.thread_connections import (
    Statement, ThreadConnections)

FOLDER = str(Path(vestibule.store.__file__).parent / "_")[:-1]


class Sent(NamedTuple):
    """A statement as the driver gets it, and who in the store sent it.

    ``senders`` are functions, as ``module.function``, from within outwards.
    """

    statement: str
    values: Any
    senders: Tuple[str, ...]


@contextmanager
def recorded() -> Iterator[List[Sent]]:
    """Yield what the store sends to any database meanwhile.

    What a test sends by itself does not come from the store.
    """
    sent: List[Sent] = []

    def note(statement: str, values: Any) -> None:
        """Keep a statement that comes from the store."""
        senders = _senders()
        if senders:
            sent.append(Sent(statement, values, senders))

    def listen(connection: Any, cursor: Any, statement: str, values: Any,
               *rest: Any) -> None:
        """Keep a statement that is about to run, once for many rows.

        SQLAlchemy 2 may have written many rows into one already.
        """
        is_for_many = isinstance(values, (list, tuple)) and isinstance(
            (*values, None)[0], (dict, list, tuple))
        note(statement, values[0] if is_for_many else values)

    def read(connections: ThreadConnections, statement: Statement,
             *values: str) -> List[Any]:
        """Keep a statement that goes past SQLAlchemy."""
        is_sqlite = connections.engine.dialect.name == "sqlite"
        note(statement.for_sqlite if is_sqlite else statement.sql, values)
        return silently(connections, statement, *values)

    silently = ThreadConnections.read
    sqlalchemy_event.listen(Engine, "before_cursor_execute", listen)
    try:
        with mock.patch.object(ThreadConnections, "read", read):
            yield sent
    finally:
        sqlalchemy_event.remove(Engine, "before_cursor_execute", listen)


def verbs_of(*modules: ModuleType) -> Set[str]:
    """Return the public methods of the classes that send statements.

    Those are the ones that are made of a ``DB``, and ``DB`` itself.
    """
    found = set()
    for module in modules:
        name = module.__name__.rpartition(".")[2]
        for kind in vars(module).values():
            if (inspect.isclass(kind) and kind.__module__ == module.__name__
                    and (kind.__name__ == "DB"
                         or "db" in _parameters(kind))):
                found |= {f"{name}.{verb}" for verb, value
                          in vars(kind).items() if inspect.isfunction(value)
                          and not verb.startswith("_")}
    return found


def _parameters(kind: Any) -> List[str]:
    """Return the names of what a class is made of."""
    return list(inspect.signature(kind.__init__).parameters)


def _senders() -> Tuple[str, ...]:
    """Return the functions of the store that are running, the last first.
    """
    found = []
    frame: Any = sys._getframe()
    while frame is not None:
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if file.startswith(FOLDER) and not name.startswith("<"):
            found.append(f"{file[len(FOLDER):-len('.py')]}.{name}")
        frame = frame.f_back
    return tuple(found)
