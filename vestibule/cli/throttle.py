#!/usr/bin/env python3
"""``vestibule throttle``: who has tried too often, and who may again.

Rows show nobody: they are found with the secret key, which all of it needs.
"""

import ipaddress
from datetime import timedelta
from typing import Any, Callable, Dict, NamedTuple, Optional

import click

from vestibule.base.config import ConfigError, Settings
from vestibule.base.setting_values import duration
from vestibule.cli.input import printable
from vestibule.cli.opening import Desk, load_settings, open_desk
from vestibule.cli.output import instant, print_json, print_table
from vestibule.cli.users import JSON, OPERATOR
from vestibule.kernel.throttle_desk import (
    FAILURES, ThrottleDesk, Use, Whose)
from vestibule.store.db import NoResultFound

LONGEST_LIFT = timedelta(days=7)
STRANGERS = "unknown devices"


def address(context: click.Context, parameter: click.Parameter,
            text: Optional[str]) -> Optional[str]:
    """Refuse an argument that is no address of a client."""
    try:
        return None if text is None else str(ipaddress.ip_address(text))
    except ValueError:
        raise click.BadParameter(
            "it is no address like 203.0.113.7 or 2001:db8::7.") from None


def who(context: click.Context, parameter: click.Parameter,
        text: Optional[str]) -> Optional[str]:
    """Refuse an argument with characters that are no text."""
    return text and printable(context, parameter, text)


def while_of(context: click.Context, parameter: click.Parameter,
             text: str) -> timedelta:
    """Take 30m, 8h or 2d, and no more than a week."""
    try:
        found = duration(text)
    except ValueError as error:
        raise click.BadParameter(f"it {error}.") from None
    if found > LONGEST_LIFT:
        raise click.BadParameter("it must be seven days at most.")
    return found


class Asked(NamedTuple):
    """Whose tries are meant on the command line: one of the three."""

    address: Optional[str]
    user: Optional[str]
    everybody: bool

    def __str__(self) -> str:
        """Name them in a sentence."""
        return self.address or self.user or "everybody"


def whose_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the three options that say whose tries are meant."""
    together = click.option(
        "--everybody", is_flag=True,
        help="What all use up together: registrations.")
    user = click.option("--user", metavar="EMAIL_OR_ID", callback=who,
                        help="The tries for this user or email address.")
    client = click.option("--address", metavar="IP", callback=address,
                          help="The tries from this client's address.")
    return client(user(together(command)))


@click.group()
def throttle() -> None:
    """See who has tried too often, and let them try again.

    \b
    Example:
      vestibule throttle --help
    """


@throttle.command()
@whose_options
@JSON
def show(address: Optional[str], user: Optional[str], everybody: bool,
         as_json: bool) -> None:
    """Print what is counted now: each limit of which something is used.

    An email address that nobody has is counted, too.

    \b
    Example:
      vestibule throttle show --address 203.0.113.7
      vestibule throttle show --user ada@example.com --json
      vestibule throttle show --everybody
    """
    asked = Asked(address, user, everybody)
    with open_desk(_settings(asked)) as desk:
        uses = _throttle_desk(desk).uses(_whose(desk, asked))
    if as_json:
        print_json([_facts(use) for use in uses])
        return
    if not uses:
        click.echo("Nothing is counted.")
        return
    rows = [("LIMIT", "USED", "OF", "FULL AGAIN", "STATE")]
    for use in uses:
        rows.append((_name(use), str(use.used), str(use.most),
                     instant(use.ends_at) or "never by itself", _state(use)))
    print_table(rows)


@throttle.command()
@whose_options
def reset(address: Optional[str], user: Optional[str],
          everybody: bool) -> None:
    """Forget what is counted: all tries are there again, at once.

    Failures in a row are forgotten too, so that unknown devices are let in
    again; and a limit that was lifted holds again.

    \b
    Example:
      vestibule throttle reset --address 203.0.113.7
      vestibule throttle reset --user ada@example.com
    """
    asked = Asked(address, user, everybody)
    with open_desk(_settings(asked)) as desk:
        uses = _throttle_desk(desk).forget(_whose(desk, asked), OPERATOR)
    for use in uses:
        click.echo(f"Forgot {_name(use)}: "
                   + ("lifted" if use.lifted else f"{use.used} of {use.most}")
                   + ".")
    if not uses:
        click.echo("Nothing was counted.")


@throttle.command()
@whose_options
@click.option("--for", "time", metavar="TIME", required=True,
              callback=while_of,
              help="For how long: 30m, 8h or 2d, seven days at most.")
def lift(address: Optional[str], user: Optional[str], everybody: bool,
         time: timedelta) -> None:
    """Let any number of tries through for a while.

    For an office that moves in, or a test of load. A client's address is
    then not held up by the registrations of all others either. Failures in a
    row are not lifted: 100 wrong passwords still shut unknown devices out.
    `vestibule throttle reset` ends it early.

    \b
    Example:
      vestibule throttle lift --address 203.0.113.7 --for 8h
      vestibule throttle lift --user ada@example.com --for 30m
    """
    asked = Asked(address, user, everybody)
    with open_desk(_settings(asked)) as desk:
        ends_at = _throttle_desk(desk).lift(
            _whose(desk, asked), time, OPERATOR)
    click.echo(f"The limits of {asked} are lifted until "
               f"{instant(ends_at)}.")


def _settings(asked: Asked) -> Settings:
    """Return the settings, once it is clear whose tries are meant.

    Raises ``ConfigError`` where there is no key to find rows with.
    """
    if sum(map(bool, asked)) != 1:
        raise click.UsageError(
            "Say either --address, --user or --everybody.")
    settings = load_settings().settings
    if settings.secret_key is None and not settings.is_development:
        raise ConfigError(["VESTIBULE_SECRET_KEY is not set: what is counted "
                           "is found with it."])
    return settings


def _throttle_desk(desk: Desk) -> ThrottleDesk:
    """Return what works on the throttle of this database."""
    auth = desk.auth
    return ThrottleDesk(auth.db, auth.throttle, auth.audit)


def _whose(desk: Desk, asked: Asked) -> Whose:
    """Return whose tries are meant; nobody has to have the email address."""
    if asked.address is not None or asked.everybody:
        return Whose(ip=asked.address)
    if asked.user is None or "@" not in asked.user:
        found = desk.users.find(asked.user or "")
        return Whose(identifier=found.email, user_id=found.id)
    email = desk.auth.canonical(asked.user)
    try:
        user_id = desk.auth.db.find_user_by(email=email).id
    except NoResultFound:
        return Whose(identifier=email)
    return Whose(identifier=email, user_id=user_id)


def _name(use: Use) -> str:
    """Return the name of a limit, and of whom it counts if not all."""
    whose = use.device or use.kind or (
        STRANGERS if use.name == FAILURES else "")
    return f"{use.name} ({whose})" if whose else use.name


def _state(use: Use) -> str:
    """Return in a word whether more is let through."""
    if use.lifted:
        return "lifted"
    return "shut out" if use.shut else "open"


def _facts(use: Use) -> Dict[str, Any]:
    """Return a limit in use as its JSON object."""
    return {"limit": use.name, "used": use.used, "most": use.most,
            "full_again_at": instant(use.ends_at), "device": use.device,
            "kind": use.kind, "state": _state(use)}
