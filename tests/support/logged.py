#!/usr/bin/env python3
"""Reads what is logged, as the lines that come of it."""

import json
import logging
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List

from vestibule.base.log_lines import LogLines

Line = Dict[str, Any]


class Kept(logging.Handler):
    """Keeps each record's line at once, in the thread that logs it."""

    def __init__(self) -> None:
        """Begin with no line."""
        super().__init__()
        self.setFormatter(LogLines())
        self.texts: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one more line."""
        self.texts.append(self.format(record))

    def of(self, *loggers: str) -> List[Line]:
        """Return the lines of these loggers, or of all."""
        lines: List[Line] = [json.loads(text) for text in self.texts]
        return [line for line in lines
                if not loggers or line["logger"] in loggers]


@contextmanager
def kept_log() -> Iterator[Kept]:
    """Yield what keeps the lines that this process logs meanwhile."""
    kept = Kept()
    ours = logging.getLogger("vestibule")
    level = ours.level
    ours.setLevel(logging.INFO)
    logging.getLogger().addHandler(kept)
    try:
        yield kept
    finally:
        logging.getLogger().removeHandler(kept)
        ours.setLevel(level)
