#!/usr/bin/env python3
"""Log lines: one record is one line of JSON, whatever it holds."""

import json
import logging
import traceback
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional

# A pipe takes as much at once: lines of several processes never mix
# (PIPE_BUF of Linux). The last byte is the line's end.
LONGEST_LINE = 4095
LONGEST_CHAIN = 8


class LogLines(logging.Formatter):
    """Turns records into lines that nobody can forge or break.

    Everything is ASCII: line ends, escape sequences and lone surrogates are
    written as JSON writes them. A record's own fields come with
    ``extra={"fields": {...}}``; those that are ``None`` are left out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        at = datetime.fromtimestamp(record.created, timezone.utc)
        line: Dict[str, Any] = {
            "at": as_text(at), "level": record.levelname.lower(),
            "logger": record.name, "message": record.getMessage()}
        fields: Dict[str, Any] = getattr(record, "fields", {})
        line.update((name, value) for name, value in fields.items()
                    if value is not None)
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = without_values(record.exc_info[1])
        return _bounded(line)


def as_text(at: datetime) -> str:
    """Return an instant in UTC as lines have it, to the microsecond."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def without_values(error: BaseException) -> str:
    """Return the traceback of an error and of its causes, without a value.

    What an exception says of itself may be the password that it was given,
    or a row that a database shows (requirement R122). So of each there is
    its kind, and the lines of code that led to it.
    """
    told: List[str] = []
    each: Optional[BaseException] = error
    while each is not None and len(told) < LONGEST_CHAIN:
        frames = traceback.format_tb(each.__traceback__)
        kind = f"{type(each).__module__}.{type(each).__qualname__}"
        told.append("".join(frames) + kind.replace("builtins.", ""))
        each = each.__cause__ or (
            None if each.__suppress_context__ else each.__context__)
    return "\n\nwhich led to\n\n".join(reversed(told))


def _bounded(line: Dict[str, Any]) -> str:
    """Return the line as JSON, its longest values cut until it fits."""
    text = _as_json(line)
    while len(text) > LONGEST_LINE:
        longest = max(line, key=lambda name: len(_as_json(line[name])))
        line[longest] = _cut(line[longest])
        text = _as_json(line)
    return text


def _cut(value: Any) -> str:
    """Return a value without its middle half."""
    text = value if isinstance(value, str) else _as_json(value)
    quarter = len(text) // 4
    return f"{text[:quarter]}...{text[-quarter:]}"


def _as_json(value: Any) -> str:
    """Return JSON of printable ASCII alone, as Python's is by itself."""
    return json.dumps(value, default=str)
