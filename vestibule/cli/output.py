#!/usr/bin/env python3
"""How results are printed: aligned columns for people, JSON for programs."""

import json
from datetime import datetime
from typing import Any, Optional, Sequence

import click

from vestibule.base.texts import rfc3339


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows, each column but the last as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows)][:-1]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())


def print_json(value: Any) -> None:
    """Print a value as JSON for another program to read."""
    click.echo(json.dumps(value, indent=2))


def print_aside(sentence: str) -> None:
    """Tell the operator something that is no part of the result: stderr."""
    click.echo(sentence, err=True)


def instant(moment: Optional[datetime]) -> Optional[str]:
    """Return an instant as it is written everywhere, if there is one."""
    return None if moment is None else rfc3339(moment)
