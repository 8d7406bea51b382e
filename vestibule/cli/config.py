#!/usr/bin/env python3
"""``vestibule config``: which settings hold, and whether they suffice."""

from typing import List

import click

from vestibule.base.config import (
    ConfigError, Settings, require_service)
from vestibule.base.settings_shown import shown
from vestibule.cli.opening import load_settings, open_bare, sqlite_file
from vestibule.cli.output import print_json, print_table
from vestibule.kernel.services import open_mailer


@click.group()
def config() -> None:
    """Show the settings, or check them.

    \b
    Example:
      vestibule config show
    """


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Print each setting, its value and its source; secrets are masked.

    \b
    Example:
      vestibule config show
      vestibule config show --json
    """
    rows = shown(load_settings())
    if as_json:
        print_json([{"name": name, "value": value, "source": source}
                    for name, value, source in rows])
    else:
        print_table([("NAME", "VALUE", "SOURCE"), *rows])


@config.command()
def check() -> None:
    """Print `ok`, or all that keeps the service from starting.

    It looks at the settings alone and connects to nothing.

    \b
    Example:
      vestibule config check
    """
    settings = load_settings().settings
    problems: List[str] = []
    for judge in (require_service, _require_database, _require_mail):
        try:
            judge(settings)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    click.echo("ok")


def _require_database(settings: Settings) -> None:
    """Raise ``ConfigError`` for a database URL that cannot be meant.

    To open a SQLite file would make it; a server is not connected.
    """
    if sqlite_file(settings) is None:
        with open_bare(settings):
            pass


def _require_mail(settings: Settings) -> None:
    """Raise ``ConfigError`` for settings that no letter can be sent with."""
    if settings.is_development or settings.smtp_url is None:
        return
    open_mailer(settings._replace(
        mail_from=settings.mail_from or "mail@example.com"))
