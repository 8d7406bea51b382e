#!/usr/bin/env python3
"""``vestibule users``: what an operator does with users.

All of it needs the database settings alone, and a link the base URL too.
"""

from typing import Any, Dict, Optional

import click

from vestibule.base.config import ConfigError, Settings
from vestibule.base.identifiers import canonical_email
from vestibule.base.origin import Origin
from vestibule.cli.input import is_terminal, password_from_stdin, printable
from vestibule.cli.opening import Desk, load_settings, open_desk
from vestibule.cli.output import (
    instant, print_aside, print_json, print_table)
from vestibule.cli.refusals import Refusal
from vestibule.kernel.one_time_tokens import LIFETIMES, RESET
from vestibule.store.db import User

# An event tells by it that an operator, and no program, did this.
OPERATOR = Origin(user_agent="vestibule command line")
WHO = click.argument("who", metavar="EMAIL_OR_ID", callback=printable)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def users() -> None:
    """Make, find and change users.

    \b
    Example:
      vestibule users list
    """


@users.command()
@click.argument("email", callback=printable)
@click.option("--password-stdin", is_flag=True,
              help="Read the password from standard input, one line.")
@click.option("--invite", is_flag=True,
              help="Set no password; print a link for choosing one.")
def create(email: str, password_stdin: bool, invite: bool) -> None:
    """Make a user, whose address then counts as verified.

    The password is asked for twice, without being shown.

    \b
    Example:
      vestibule users create ada@example.com
      vestibule users create ada@example.com --password-stdin < file
      vestibule users create ada@example.com --invite
    """
    if password_stdin and invite:
        raise click.UsageError(
            "--password-stdin and --invite exclude each other.")
    settings = load_settings().settings
    canonical_email(email, local_names=settings.is_development)
    if invite:
        _invite(settings, email)
        return
    password = _password(password_stdin)
    with open_desk(settings, make=True) as desk:
        user = desk.users.create(email, password, OPERATOR)
    click.echo(f"Made the user {user.email}, {user.id}.")


@users.command("list")
@click.option("--limit", type=click.IntRange(1, 10000), default=100,
              show_default=True, help="How many to print at most.")
@click.option("--after", metavar="EMAIL", default="", callback=printable,
              help="Begin behind this address.")
@JSON
def list_users(limit: int, after: str, as_json: bool) -> None:
    """Print users, sorted by address.

    \b
    Example:
      vestibule users list --limit 20 --after ada@example.com
    """
    with open_desk(load_settings().settings) as desk:
        found = desk.users.page(limit + 1, after.strip().lower())
    page = found[:limit]
    if as_json:
        print_json([_facts(user) for user in page])
        return
    rows = [("EMAIL", "STATE", "VERIFIED", "CREATED", "ID")]
    for user in page:
        rows.append((user.email, _state(user),
                     instant(user.email_verified_at) or "no",
                     instant(user.created_at) or "", user.id))
    print_table(rows)
    if len(found) > limit:
        print_aside(f"There are more: go on with --after {page[-1].email}")


@users.command()
@WHO
@JSON
def show(who: str, as_json: bool) -> None:
    """Print what is known about one user, but no hash.

    \b
    Example:
      vestibule users show ada@example.com
    """
    with open_desk(load_settings().settings) as desk:
        user = desk.users.find(who)
        facts = _facts(user)
        facts.update(
            updated_at=instant(user.updated_at),
            has_password=user.hashed_password is not None,
            sessions=_count_live_sessions(desk, user))
    if as_json:
        print_json(facts)
    else:
        print_table([(name, _cell(value)) for name, value in facts.items()])


@users.command()
@WHO
def verify(who: str) -> None:
    """Count a user's address as verified.

    \b
    Example:
      vestibule users verify ada@example.com
    """
    with open_desk(load_settings().settings) as desk:
        user = desk.users.find(who)
        if user.email_verified_at is None:
            desk.users.verify(user, OPERATOR)
    click.echo(f"{user.email} is verified.")


@users.command("set-email")
@WHO
@click.argument("new", metavar="NEW", callback=printable)
def set_email(who: str, new: str) -> None:
    """Give a user another address, counted as verified.

    \b
    Example:
      vestibule users set-email ada@example.com ada@example.org
    """
    with open_desk(load_settings().settings) as desk:
        user = desk.users.find(who)
        desk.users.set_email(user, new, OPERATOR)
        changed = desk.users.find(user.id)
    click.echo(f"{user.email} is {changed.email} now.")


@users.command("reset-link")
@WHO
def reset_link(who: str) -> None:
    """Print a link for choosing a new password.

    It is for handing on where mail does not help. Whoever has the link has
    the account, so be sure whom you give it to.

    \b
    Example:
      vestibule users reset-link ada@example.com
    """
    settings = load_settings().settings
    _require_base_url(settings)
    with open_desk(settings) as desk:
        user = desk.users.find(who)
        if user.disabled_at is not None:
            raise Refusal(f"{user.email} is disabled: run `vestibule users "
                          "enable` first.")
        _print_link(desk, user)


@users.command()
@WHO
def disable(who: str) -> None:
    """Shut a user out, at once and everywhere.

    Sessions and reset links end.

    \b
    Example:
      vestibule users disable ada@example.com
    """
    with open_desk(load_settings().settings) as desk:
        user = desk.users.find(who)
        if user.disabled_at is None:
            desk.users.disable(user, OPERATOR)
    click.echo(f"{user.email} is disabled.")


@users.command()
@WHO
def enable(who: str) -> None:
    """Let a disabled user sign in again.

    \b
    Example:
      vestibule users enable ada@example.com
    """
    with open_desk(load_settings().settings) as desk:
        user = desk.users.find(who)
        if user.disabled_at is not None:
            desk.users.enable(user, OPERATOR)
    click.echo(f"{user.email} is enabled.")


@users.command()
@WHO
@click.option("--now", is_flag=True,
              help="Erase the user at once, with no way back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(who: str, now: bool, yes: bool) -> None:
    """Shut a user out, to be erased when VESTIBULE_DELETION_GRACE is over.

    Until then `vestibule users restore` brings the user back, and so does
    the password. With --now there is no such time. An id is never given to
    another.

    \b
    Example:
      vestibule users delete ada@example.com
      vestibule users delete ada@example.com --yes
      vestibule users delete ada@example.com --now
    """
    settings = load_settings().settings
    if now:
        _require_secret_key(settings)
    if not yes and not is_terminal():
        raise Refusal("There is no terminal to ask on: add --yes to delete "
                      "without being asked.")
    with open_desk(settings) as desk:
        user = desk.users.find(who)
        question = f"Delete {user.email}{' for good' if now else ''}?"
        if not yes and not click.confirm(question, err=True):
            raise Refusal("Nothing was deleted.")
        if now:
            desk.erasure.erase_now(user, OPERATOR)
            click.echo(f"{user.email} is deleted.")
            return
        leaving = desk.deletion.by_operator(user, OPERATOR)
    click.echo(f"{user.email} is shut out, and will be erased after "
               f"{instant(leaving.delete_after)}.")


@users.command()
@WHO
def restore(who: str) -> None:
    """Bring back a user who is to be deleted.

    The password is the one from before.

    \b
    Example:
      vestibule users restore ada@example.com
    """
    with open_desk(load_settings().settings) as desk:
        user = desk.users.find(who)
        desk.deletion.restore_by_operator(user, OPERATOR)
    click.echo(f"{user.email} is restored.")


@users.command("revoke-sessions")
@WHO
def revoke_sessions(who: str) -> None:
    """Sign a user out everywhere, at once.

    \b
    Example:
      vestibule users revoke-sessions ada@example.com
    """
    with open_desk(load_settings().settings) as desk:
        user = desk.users.find(who)
        count = desk.users.revoke_sessions(user, OPERATOR)
    click.echo(f"Sessions of {user.email} ended: {count}.")


def _password(from_stdin: bool) -> str:
    """Return the password from standard input, or ask for it twice."""
    if from_stdin:
        return password_from_stdin()
    if not is_terminal():
        raise Refusal("There is no terminal to ask for a password on: use "
                      "--password-stdin or --invite.")
    typed: str = click.prompt(
        "Password", hide_input=True, err=True,
        confirmation_prompt="The same again")
    return typed


def _invite(settings: Settings, email: str) -> None:
    """Make a user without a password and print the link for choosing one."""
    _require_base_url(settings)
    with open_desk(settings, make=True) as desk:
        user = desk.users.invite(email, OPERATOR)
        print_aside(f"Made the user {user.email}, {user.id}.")
        _print_link(desk, user)


def _require_base_url(settings: Settings) -> None:
    """Raise ``ConfigError`` where nobody knows what a link begins with."""
    if settings.base_url is None and not settings.is_development:
        raise ConfigError(["VESTIBULE_BASE_URL is not set: the link begins "
                           "with it."])


def _require_secret_key(settings: Settings) -> None:
    """Raise ``ConfigError`` where there is no key to make a pseudonym with.
    """
    if settings.secret_key is None and not settings.is_development:
        raise ConfigError(["VESTIBULE_SECRET_KEY is not set: events of who "
                           "is erased get a pseudonym made with it."])


def _print_link(desk: Desk, user: User) -> None:
    """Print a reset link alone on stdout, and beside it how long it lasts."""
    token = desk.users.reset_link(user, OPERATOR)
    click.echo(f"{desk.settings.public_url}/reset?token={token}")
    minutes = int(LIFETIMES[RESET].total_seconds()) // 60
    print_aside(f"The link is good once, for {minutes} minutes; whoever has "
                "it has the account.")


def _facts(user: User) -> Dict[str, Any]:
    """Return what may be shown of a user."""
    return {"id": user.id, "email": user.email, "state": _state(user),
            "email_verified_at": instant(user.email_verified_at),
            "disabled_at": instant(user.disabled_at),
            "delete_after": instant(user.delete_after),
            "created_at": instant(user.created_at)}


def _state(user: User) -> str:
    """Return in one word whether the user can sign in."""
    if user.delete_after is not None:
        return "deleting"
    return "active" if user.disabled_at is None else "disabled"


def _cell(value: Optional[object]) -> str:
    """Return a fact as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "no" if value is None else str(value)


def _count_live_sessions(desk: Desk, user: User) -> int:
    """Count the user's sessions that are not over."""
    now = desk.auth.db.clock.now()
    return sum(now < min(session.expires_at, session.idle_expires_at)
               for session in desk.users.sessions_of(user))
