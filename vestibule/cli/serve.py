#!/usr/bin/env python3
"""``vestibule serve``: the service itself."""

import click

from vestibule import server
from vestibule.cli.opening import load_settings


@click.command()
def serve() -> None:
    """Serve until told to stop by SIGTERM or Ctrl-C.

    The service speaks plain HTTP on VESTIBULE_BIND and sends the letters
    that fall due. On SQLite it brings the schema up by itself.

    \b
    Example:
      VESTIBULE_PROFILE=development vestibule serve
    """
    server.serve(load_settings().settings)
