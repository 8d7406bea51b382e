#!/usr/bin/env python3
"""``vestibule migrate``: the schema, brought to what this code needs."""

import click

from vestibule.cli.opening import (
    load_settings, look_for_database, open_bare)
from vestibule.store.schema import (
    HEAD, require_current, upgrade, version_of)


@click.command()
@click.option("--check", is_flag=True,
              help="Change nothing; end with status 1 if the schema is not "
              "the one needed.")
def migrate(check: bool) -> None:
    """Bring the database's schema to the one that this version needs.

    It may run as often as you like, also several times at once. It needs
    VESTIBULE_DATABASE_URL alone.

    \b
    Example:
      vestibule migrate
      vestibule migrate --check
    """
    settings = load_settings().settings
    look_for_database(settings, make=not check)
    with open_bare(settings) as engine:
        before = version_of(engine)
        if check:
            require_current(engine)
        else:
            upgrade(engine)
    if before == HEAD:
        click.echo(f"The schema is {HEAD}, as needed.")
    elif before is None:
        click.echo(f"The schema was made: {HEAD}.")
    else:
        click.echo(f"The schema was brought from {before} to {HEAD}.")
