#!/usr/bin/env python3
"""``vestibule explain``: why a request was refused, from what is stored."""

import textwrap
from typing import Any, Dict, List, NamedTuple, Tuple

import click

from vestibule.cli.explanations import (
    OF_CODES, OF_EVENTS, OF_REASONS, OF_RULES, UNKNOWN, WHO, Meaning)
from vestibule.cli.input import printable
from vestibule.cli.opening import Desk, load_settings, open_desk
from vestibule.cli.output import instant, print_json
from vestibule.cli.refusals import Refusal as Failure
from vestibule.kernel.housekeeping import FLUSH_SECONDS
from vestibule.kernel.refusals import KEPT, Refusals
from vestibule.store.event import Event, EventStore
from vestibule.store.refusal import Refusal

MOST_SHOWN = 100
WIDTH = 79


class Told(NamedTuple):
    """What is stored under a request id, with what it means."""

    at: Any
    paragraph: str
    facts: Dict[str, Any]


@click.command()
@click.argument("request_id", metavar="REQUEST_ID", callback=printable)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(request_id: str, as_json: bool) -> None:
    """Say why a request was refused, and what you can do about it.

    Every answer has its request id in the header X-Request-Id; pages show it
    to people. Refusals are kept for seven days.

    \b
    Example:
      vestibule explain 3f9a6c1e-5b7d-4e2a-9c48-0d1e2f3a4b5c
    """
    with open_desk(load_settings().settings) as desk:
        told = _told(desk, request_id.strip())
    if not told:
        raise Failure(*_not_there(request_id.strip()))
    shown = told[:MOST_SHOWN]
    if as_json:
        print_json([each.facts for each in shown])
        return
    click.echo("\n\n".join(each.paragraph for each in shown))
    if len(told) > MOST_SHOWN:
        click.echo(f"\nThere are more: these are the first {MOST_SHOWN}. A "
                   "client may send its own request id again and again.")


def _told(desk: Desk, request_id: str) -> List[Told]:
    """Return what is stored under a request id, in order of time."""
    most = MOST_SHOWN + 1
    refusals = Refusals(desk.auth.db).of_request(request_id, most)
    events = EventStore(desk.auth.db).of_request(request_id, most)
    told = [_of_event(event) for event in events]
    told += [_of_refusal(refusal) for refusal in refusals]
    return sorted(told, key=lambda each: each.at)


def _not_there(request_id: str) -> Tuple[str, ...]:
    """Return what to say of a request id under which nothing is stored."""
    return (
        f"Nothing is stored under the request id {request_id}.",
        f"Perhaps it is mistyped or older than {KEPT.days} days, the request "
        "was not refused,",
        f"or it came within the last {FLUSH_SECONDS:.0f} seconds: then it is "
        "not written down yet.",
        "In a flood of refusals not all are written down; the log says when.")


def _of_refusal(refusal: Refusal) -> Told:
    """Return a refusal in sentences, and as facts."""
    by_code = OF_CODES.get(refusal.code, UNKNOWN)
    by_rule = OF_RULES.get(refusal.rule or "", UNKNOWN)
    meaning = Meaning(by_code.why, by_rule.hint or by_code.hint)
    sentences = [f"{instant(refusal.at)}: {refusal.method} {refusal.path} "
                 f"was refused with {refusal.status} {refusal.code}."]
    if refusal.rule:
        sentences.append(f"The rule that decided: {refusal.rule}.")
    facts = dict(refusal._asdict(), at=instant(refusal.at),
                 kind="refusal", why=meaning.why, hint=meaning.hint)
    return Told(refusal.at, _paragraph(sentences, meaning), facts)


def _of_event(event: Event) -> Told:
    """Return an event in sentences, and as facts."""
    reason = (event.detail or {}).get("reason")
    meaning = (OF_EVENTS.get(event.what, UNKNOWN) if reason is None
               else OF_REASONS.get(reason, UNKNOWN))
    meaning = meaning._replace(
        hint=meaning.hint.replace(WHO, event.user_id or WHO))
    first = f"{instant(event.at)}: the event {event.what} was recorded"
    if event.user_id is not None:
        first += f" about the user {event.user_id}"
    if event.ip is not None:
        first += f", from {event.ip}"
    sentences = [f"{first}."]
    if reason is not None:
        sentences.append(f"The reason: {reason}.")
    facts = {"kind": "event", "at": instant(event.at), "what": event.what,
             "user_id": event.user_id, "target": event.target,
             "ip": event.ip, "detail": event.detail, "why": meaning.why,
             "hint": meaning.hint}
    return Told(event.at, _paragraph(sentences, meaning), facts)


def _paragraph(sentences: List[str], meaning: Meaning) -> str:
    """Return sentences and what they mean, in lines for a terminal."""
    told = [*sentences]
    if meaning.why:
        told.append(meaning.why)
    if meaning.hint:
        told.append(f"What to do: {meaning.hint}")
    return textwrap.fill(" ".join(told), WIDTH, break_long_words=False,
                         break_on_hyphens=False)
