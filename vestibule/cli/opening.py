#!/usr/bin/env python3
"""What commands open first: the settings, then the database.

This is the one place of the command line that is given the environment.
"""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional

from vestibule.base.config import ConfigError, Loaded, Settings, load
from vestibule.cli.output import print_aside
from vestibule.cli.refusals import Refusal
from vestibule.kernel.auth import Auth
from vestibule.kernel.deletion import Deletion
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.services import open_auth
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.store.engine import open_engine
from vestibule.store.schema import require_current


class Desk(NamedTuple):
    """What an operator works on users with."""

    settings: Settings
    auth: Auth
    users: Users
    deletion: Deletion
    erasure: Erasure


def load_settings() -> Loaded:
    """Return the settings, or raise ``ConfigError``."""
    return load(os.environ)


@contextmanager
def open_desk(settings: Settings, make: bool = False) -> Iterator[Desk]:
    """Open the users of the database that the settings name.

    ``make`` allows a SQLite database to be made. Raises ``SchemaError`` for
    a database that is not migrated.
    """
    look_for_database(settings, make)
    auth = open_auth(settings)
    try:
        require_current(auth.db.engine)
        yield Desk(
            settings, auth, Users(auth.db, auth),
            Deletion(auth.db, auth, SignIn(auth.db, auth),
                     settings.deletion_grace),
            Erasure(auth.db, auth))
    finally:
        auth.db.close()


@contextmanager
def open_bare(settings: Settings) -> Iterator[Any]:
    """Open the engine of the database, whatever its schema."""
    try:
        engine = open_engine(settings.database_url)
    except (ValueError, ModuleNotFoundError) as error:
        raise ConfigError([f"VESTIBULE_DATABASE_URL: {error}."]) from error
    try:
        yield engine
    finally:
        engine.dispose()


def look_for_database(settings: Settings, make: bool = False) -> None:
    """Refuse a SQLite database that is not there, or say that it is made.

    A command that is run in the wrong folder would otherwise make an empty
    database there and answer for that one. Raises ``ConfigError`` for a
    database in memory, which would end with the command.
    """
    file = sqlite_file(settings)
    if file is None or file.exists():
        return
    if not make:
        raise Refusal(
            f"There is no database {file.absolute()}: VESTIBULE_DATABASE_URL "
            "says which it is, and `vestibule migrate` makes it.")
    print_aside(f"Making the database {file.absolute()}.")


def sqlite_file(settings: Settings) -> Optional[Path]:
    """Return the file of a SQLite database, ``None`` for other databases."""
    scheme, _, rest = settings.database_url.partition("://")
    if scheme.partition("+")[0] != "sqlite":
        return None
    name = rest.partition("?")[0][1:]
    if name in ("", ":memory:"):
        raise ConfigError(["VESTIBULE_DATABASE_URL names a database in "
                           "memory, which would end with this command."])
    return Path(name)
