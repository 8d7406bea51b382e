#!/usr/bin/env python3
"""What an operator reads when a command cannot do what it was told.

Everything that an operator can cause becomes a sentence here, on stderr and
with exit status 1; only a mistake of ours still ends in a traceback. Wrong
arguments are Click's to answer, with status 2.
"""

from typing import IO, Any, Dict, List, Optional, Tuple

import click
from click.exceptions import Exit

from vestibule.base.config import ConfigError
from vestibule.base.errors import AuthError, InvalidInput
from vestibule.store.db import DBAPIError, NoResultFound, PoolTimeout
from vestibule.store.schema import SchemaError

INTERRUPTED = 130
EXPECTED = (AuthError, ConfigError, SchemaError, DBAPIError, PoolTimeout,
            NoResultFound, OSError)
BY_CODE: Dict[str, str] = {
    "email_taken": "Somebody is registered with this address already.",
}
BY_REASON: Dict[Tuple[str, str], str] = {
    ("email", "malformed"):
        "The address is not one that mail can be sent to; it should look "
        "like ada@example.com.",
    ("email", "too_long"):
        "The address is too long: 254 characters are the most.",
    ("password", "required"): "The password is empty.",
    ("password", "too_long"):
        "The password is too long: 256 characters are the most.",
    ("password", "unusable_characters"):
        "The password holds NUL or broken characters.",
}


class Refusal(click.ClickException):
    """Ends a command with status 1 and one or more whole sentences."""

    def __init__(self, *sentences: str) -> None:
        """Keep the sentences, each for a line of its own."""
        super().__init__("\n".join(sentences))

    def show(self, file: Optional[IO[Any]] = None) -> None:
        """Print the sentences on stderr, and nothing else."""
        click.echo(self.message, file=file, err=file is None)


class Program(click.Group):
    """A group of commands that refuse in sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what is expected to fail into a refusal."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo(err=True)
            raise Exit(INTERRUPTED) from None
        except BrokenPipeError:
            raise
        except EXPECTED as error:
            raise Refusal(*sentences(error)) from None


def sentences(error: BaseException) -> List[str]:
    """Return what to tell an operator about an error that was expected."""
    if isinstance(error, ConfigError):
        return error.problems
    if isinstance(error, InvalidInput):
        return _about_input(error)
    if isinstance(error, AuthError):
        return [_sentence(BY_CODE.get(error.code, error.message))]
    if isinstance(error, (DBAPIError, PoolTimeout)):
        return [_about_database(error)]
    if isinstance(error, NoResultFound):
        return ["The user was deleted in the meantime."]
    if isinstance(error, OSError):
        return [_about_system(error)]
    return [_sentence(str(error))]


def _about_input(error: InvalidInput) -> List[str]:
    """Return a sentence for each reason that makes a field unfit.

    The password policy has one message for all of its own.
    """
    known = [BY_REASON.get((field, reason))
             for field, reasons in error.errors.items() for reason in reasons]
    said = (_sentence(each or error.message) for each in known)
    return list(dict.fromkeys(said))


def _about_database(error: Any) -> str:
    """Return what the driver said in its first line.

    Where a URL was mistaken, a piece of the password may be taken for the
    host; what holds an @ is such a piece and is not repeated.
    """
    said = str(getattr(error, "orig", None) or error).strip()
    first = said.split("\n", 1)[0]
    detail = f": {first}".rstrip(".") if "@" not in first else ""
    return (f"The database cannot be used{detail}. "
            "VESTIBULE_DATABASE_URL says which it is.")


def _about_system(error: OSError) -> str:
    """Return what the system refused, and for which file."""
    if error.strerror is None:
        return _sentence(str(error))
    place = "" if error.filename is None else f": {error.filename}"
    return f"{error.strerror}{place}."


def _sentence(text: str) -> str:
    """Return the text with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
