#!/usr/bin/env python3
"""Log lines: JSON of printable ASCII, bounded, and without a value."""

import json
import logging
import re
from typing import Any, Dict, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.base.log_lines import LONGEST_LINE, LogLines

HOSTILE = ("a\r\nb", "\x1b[31mred\x1b[0m", "\u2028\u2029\x85", "\x00", "\x7f",
           "\ud800 alone", "\U0001f600", '"}\n{"level": "info"', "\\",
           "x" * 100_000, "\u2028" * 20_000)
PRINTABLE = re.compile(r"[ -~]*")


def line_of(message: str, fields: Optional[Dict[str, Any]] = None,
            error: Optional[BaseException] = None) -> str:
    """Return the line of a record."""
    record = logging.makeLogRecord({
        "name": "vestibule.test", "levelname": "WARNING", "msg": message,
        "created": 1795341600.25})
    if fields is not None:
        record.fields = fields
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
    return LogLines().format(record)


def raised(error: BaseException,
           cause: Optional[BaseException] = None) -> BaseException:
    """Return an error that was raised, and so has a traceback."""
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def test_a_line_says_when_how_bad_who_and_what() -> None:
    """R118: in UTC, to the microsecond; what is ``None`` is left out."""
    line = line_of("A word.", {"ip": "192.0.2.7", "user_id": None, "n": 3})
    assert list(json.loads(line).items()) == [
        ("at", "2026-11-22T10:00:00.250000Z"), ("level", "warning"),
        ("logger", "vestibule.test"), ("message", "A word."),
        ("ip", "192.0.2.7"), ("n", 3)]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_breaks_out_of_its_line(text: str) -> None:
    """R119: neither in the message nor in a field, nor in a field's own."""
    for line in (line_of(text), line_of("x", {"path": text}),
                 line_of("x", {"detail": {text[:9]: [text]}})):
        assert PRINTABLE.fullmatch(line)
        assert len(line) <= LONGEST_LINE
        assert json.loads(line)["logger"] == "vestibule.test"
    if len(text) < 100:
        assert json.loads(line_of(text))["message"] == text


@given(st.text(), st.dictionaries(st.sampled_from("abcdefgh"), st.text()))
def test_any_text_comes_back(message: str, fields: Dict[str, str]) -> None:
    """R119: a line that was not cut is read as what it was."""
    line = line_of(message, fields)
    assert PRINTABLE.fullmatch(line)
    read = json.loads(line)
    assert read["message"] == message
    assert all(read[name] == fields[name] for name in fields)


def test_a_long_value_keeps_both_ends() -> None:
    """R119: cut in its middle, and the other fields stay whole."""
    read = json.loads(line_of("begin" + "x" * 9000 + "end", {"n": "y" * 50}))
    assert read["message"].startswith("begin")
    assert read["message"].endswith("end")
    assert "..." in read["message"] and read["n"] == "y" * 50


def test_a_traceback_is_one_field_and_holds_no_value() -> None:
    """R122: kinds and lines of code; what errors say of themselves is not.
    """
    error = raised(ValueError(PASSWORD), raised(KeyError(PASSWORD)))
    line = line_of("A request failed.", error=error)
    assert PASSWORD not in line
    told = json.loads(line)["traceback"]
    assert "in raised\n    raise error from cause" in told
    assert told.index("KeyError") < told.index("ValueError")
    assert "which led to" in told


def test_an_error_of_a_library_says_where_it_is_from() -> None:
    """R122: the kind has its module, and a hidden context stays hidden."""
    error = json.JSONDecodeError(PASSWORD, PASSWORD, 0)
    error.__context__ = KeyError()
    error.__suppress_context__ = True
    told = json.loads(line_of("x", error=error))["traceback"]
    assert told == "json.decoder.JSONDecodeError"


def test_errors_that_lead_to_each_other_come_to_an_end() -> None:
    """R121: a chain without an end is not followed for ever."""
    first, second = KeyError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    told = json.loads(line_of("x", error=first))["traceback"]
    assert told.count("which led to") < 10


PASSWORD = "correct horse battery"
