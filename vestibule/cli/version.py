#!/usr/bin/env python3
"""``vestibule version``: what a report of a problem should begin with."""

import platform

import click

from vestibule import __version__
from vestibule.base.config import ConfigError
from vestibule.cli.opening import load_settings
from vestibule.cli.output import print_table
from vestibule.store.compat import SQLALCHEMY_VERSION
from vestibule.store.schema import HEAD


@click.command()
def version() -> None:
    """Print the versions of Vestibule and of what it stands on.

    \b
    Example:
      vestibule version
    """
    print_table([
        ("Vestibule", __version__),
        ("Python", platform.python_version()),
        ("SQLAlchemy", SQLALCHEMY_VERSION),
        ("Schema", HEAD),
        ("Database", _database_kind())])


def _database_kind() -> str:
    """Return which kind of database the settings name, if they hold."""
    try:
        url = load_settings().settings.database_url
    except ConfigError:
        return "unknown: see `vestibule config check`"
    return url.partition(":")[0].partition("+")[0]
