#!/usr/bin/env python3
"""Keeps what is measured, a line of JSON for each, and reads it again."""

import json
import math
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from benchmarks.figures import median

RUN, STARTED, LEFT_OUT = "run", "started", "left-out"


class Results:
    """The file of a run, to which each measurement is added at once."""

    def __init__(self, file: Path) -> None:
        """Write to this file, whose folder is there."""
        self.file = file

    def add(self, what: str, subject: str, **values: Any) -> None:
        """Write one line; what is no number becomes ``null``."""
        line = json.dumps(_clean({"what": what, "subject": subject,
                                  **values}), ensure_ascii=False)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


class Run(NamedTuple):
    """A run as read again: its circumstances, and its measurements."""

    facts: Dict[str, Any]
    rows: List[Dict[str, Any]]

    def subjects(self, what: str) -> List[str]:
        """Return who has such a measurement, in order of appearance."""
        return list(dict.fromkeys(
            row["subject"] for row in self.rows if row["what"] == what))

    def kinds(self) -> List[str]:
        """Return the names of all measurements, in order of appearance."""
        return list(dict.fromkeys(row["what"] for row in self.rows))

    def values(self, what: str, subject: str, field: str) -> List[float]:
        """Return the figures of all rounds; ``checks.p99_ms`` is nested."""
        found = []
        for row in self.rows:
            if (row["what"], row["subject"]) == (what, subject):
                value = _field(row, field)
                if value is not None:
                    found.append(value)
        return found

    def value(self, what: str, subject: str, field: str) -> Optional[float]:
        """Return the median over all rounds, ``None`` where there is none.
        """
        return median(self.values(what, subject, field))

    def left_out(self) -> List[Dict[str, Any]]:
        """Return what could not be measured, each with a reason."""
        return [row for row in self.rows if row["what"] == LEFT_OUT]


def read(file: Path) -> Run:
    """Read a run; raises ``ValueError`` for what is none."""
    rows = [json.loads(line)
            for line in file.read_text(encoding="utf-8").splitlines()]
    if not rows or rows[0].get("what") != RUN:
        raise ValueError(f"{file} is no file of results: its first line does "
                         "not describe a run")
    return Run(rows[0], rows[1:])


def _field(row: Any, field: str) -> Optional[float]:
    """Return a nested field that is a number."""
    for name in field.split("."):
        row = row.get(name) if isinstance(row, dict) else None
    return row if isinstance(row, (int, float)) else None


def _clean(value: Any) -> Any:
    """Return a value that JSON can hold, numbers shortened to six digits."""
    if isinstance(value, dict):
        return {name: _clean(each) for name, each in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
