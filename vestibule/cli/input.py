#!/usr/bin/env python3
"""What people type and pipe into commands, read with care."""

import sys

import click

from vestibule.cli.refusals import Refusal

LONGEST_INPUT = 4096


def printable(context: click.Context, parameter: click.Parameter,
              text: str) -> str:
    """Refuse an argument with control characters or broken ones in it."""
    if not text.isprintable():
        raise click.BadParameter("it holds characters that are no text.")
    return text


def is_terminal() -> bool:
    """Say whether there is somebody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()


def password_from_stdin() -> str:
    """Return the one line of standard input, without its end."""
    if sys.stdin is None:
        raise Refusal("Standard input is closed.")
    piped = sys.stdin.buffer.read(LONGEST_INPUT + 1)
    try:
        text = piped.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("The password is not in UTF-8.") from None
    for end in ("\r\n", "\n"):
        if text.endswith(end):
            text = text[:-len(end)]
            break
    if "\n" in text or "\r" in text:
        raise Refusal("Standard input holds more than one line, so that it "
                      "is not clear which is the password.")
    return text
