#!/usr/bin/env python3
"""All letters: their subjects here, their bodies in ``templates/mail``.

To add a letter: a line in ``_KINDS``, and ``<kind>.txt`` and
``<kind>.html`` beside the others.
"""

import re
from datetime import datetime
from typing import Any, Dict, NamedTuple, Optional, Tuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from vestibule.mail.headers import one_line
from vestibule.mail.message import Message


class LetterContext(NamedTuple):
    """What a letter may speak of.

    ``link`` and ``code`` are the only secrets in it. The link is good for
    ``minutes``, ``hours`` or ``days``, whichever the letter speaks of; the
    code, eight digits for people to type, for ``code_minutes``. ``until`` is
    the instant at which something ends that can be taken back. ``base_url``
    and ``service_name`` come from the settings, never from a request;
    ``support`` is where to turn to, an address or a URL.
    """

    to: str
    message_id: str
    date: datetime
    service_name: str
    base_url: str
    link: Optional[str] = None
    support: Optional[str] = None
    minutes: Optional[int] = None
    hours: Optional[int] = None
    days: Optional[int] = None
    code: Optional[str] = None
    code_minutes: Optional[int] = None
    until: Optional[datetime] = None


class _Kind(NamedTuple):
    """The subject of a kind of letter, and which optional words it needs."""

    subject: str
    needs: Tuple[str, ...] = ()


# No two subjects are alike, and none holds a secret: they are shown on locked
# screens.
_KINDS: Dict[str, _Kind] = {
    "verify": _Kind(
        "Welcome to {service_name}: please confirm your address",
        ("link", "hours", "code", "code_minutes")),
    "reset": _Kind(
        "Choose a new password for {service_name}",
        ("link", "minutes", "code", "code_minutes")),
    "change_email": _Kind(
        "Confirm your new address for {service_name}",
        ("link", "hours", "code", "code_minutes")),
    "email_changed": _Kind(
        "Your address for {service_name} was changed", ("link", "days")),
    "password_changed": _Kind(
        "Your password for {service_name} was changed", ("link", "days")),
    "already_registered": _Kind("You already have an account at "
                                "{service_name}"),
    "account_disabled": _Kind("Your account at {service_name} was disabled"),
    "deletion_announced": _Kind(
        "Your account at {service_name} will be deleted", ("until",)),
    "account_deleted": _Kind("Your account at {service_name} was deleted"),
}

_SECRETS = ("link", "code")
_DURATIONS = ("minutes", "hours", "days", "code_minutes")
_INSTANTS = ("until",)
_URL = re.compile(r"https?://[!-~]+")
_CODE = re.compile("[0-9]{8}")


def _environment(autoescape: bool) -> Environment:
    """Return a Jinja environment; a name that a template lacks is an error."""
    return Environment(
        loader=PackageLoader("vestibule", "templates/mail"),
        autoescape=autoescape, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True)


_TEXT = _environment(autoescape=False)
_HTML = _environment(autoescape=True)


def compose(kind: str, context: LetterContext) -> Message:
    """Return the letter of this kind, ready to be sent.

    Raises ``ValueError`` for an unknown kind, and for a context that lacks
    what the letter needs or holds a link or a code that is none.
    """
    if kind not in _KINDS:
        raise ValueError(f"there is no letter of the kind {kind!r}")
    words = _words(_KINDS[kind], context)
    return Message(
        to=context.to, subject=words["subject"],
        text=_TEXT.get_template(f"{kind}.txt").render(words),
        html=_HTML.get_template(f"{kind}.html").render(words),
        message_id=context.message_id, date=context.date)


def _words(kind: _Kind, context: LetterContext) -> Dict[str, Any]:
    """Return what the templates are filled with, checked.

    Of secrets, durations and instants it holds those that the kind needs: a
    template that speaks of another one fails, rather than giving it away.
    """
    words: Dict[str, Any] = context._asdict()
    optional = {name: words.pop(name)
                for name in _SECRETS + _DURATIONS + _INSTANTS}
    missing = [name for name in kind.needs if not optional[name]]
    if missing:
        raise ValueError(f"the letter needs {' and '.join(missing)}")
    if context.link and not _URL.fullmatch(context.link):
        raise ValueError("the link of the letter is no http or https URL")
    if context.code and not _CODE.fullmatch(context.code):
        raise ValueError("the code of the letter is not eight digits")
    name = one_line(context.service_name)
    words.update(
        {need: _spoken(need, optional[need]) for need in kind.needs},
        subject=one_line(kind.subject.format(service_name=name)),
        service_name=name, base_url=context.base_url.rstrip("/"),
        support=one_line(context.support or ""))
    return words


def _spoken(name: str, value: Any) -> str:
    """Return a secret or a duration as people read it.

    A code is two groups of four digits, a duration has its unit: "1 day", an
    instant, which is in UTC, is a date that all languages read alike.
    """
    if name == "code":
        return f"{value[:4]} {value[4:]}"
    if name in _DURATIONS:
        unit = name.rpartition("_")[2]
        return f"{value} {unit[:-1] if value == 1 else unit}"
    if name in _INSTANTS:
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return str(value)
