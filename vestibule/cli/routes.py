#!/usr/bin/env python3
"""``vestibule routes``: everything that the service answers."""

import tempfile
from typing import Any, Iterator, List, Tuple

import click

from vestibule.app import DEVELOPMENT_FEATURES, create_app
from vestibule.base.config import DEVELOPMENT, Settings
from vestibule.cli.output import print_table
from vestibule.kernel.services import build_services

IMPLIED = ("HEAD", "OPTIONS")


@click.command()
def routes() -> None:
    """Print method, path and purpose of everything that is answered.

    It needs no settings and no database.

    \b
    Example:
      vestibule routes
    """
    with tempfile.TemporaryDirectory(prefix="vestibule-") as folder:
        settings = Settings(
            profile=DEVELOPMENT, database_url=f"sqlite:///{folder}/routes.db")
        services = build_services(settings)
        app = create_app(settings, services)
        services.db.close()
    print_table(sorted(_rows(app), key=lambda row: (row[1], row[0])))


def _rows(app: Any) -> Iterator[Tuple[str, str, str]]:
    """Yield a row for each method of each rule of the application."""
    for rule in app.url_map.iter_rules():
        for method in rule.methods:
            if method not in IMPLIED:
                yield method, rule.rule, _purpose(app, rule.endpoint)


def _purpose(app: Any, endpoint: str) -> str:
    """Return what a view is for, from the first line of its docstring."""
    if endpoint == "static":
        return "Files that the pages use."
    lines: List[str] = (app.view_functions[endpoint].__doc__ or "").split("\n")
    feature = endpoint.partition(".")[0]
    if feature in {each.routes.name for each in DEVELOPMENT_FEATURES}:
        return f"{lines[0]} (development only)"
    return lines[0]
