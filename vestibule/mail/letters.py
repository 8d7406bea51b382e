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

    ``link`` is the only secret in it. ``minutes`` is how long the link is
    good. ``base_url`` and ``service_name`` come from the settings, never
    from a request; ``support`` is where to turn to, an address or a URL.
    """

    to: str
    message_id: str
    date: datetime
    service_name: str
    base_url: str
    link: Optional[str] = None
    support: Optional[str] = None
    minutes: Optional[int] = None


class _Kind(NamedTuple):
    """The subject of a kind of letter, and what its body cannot do without."""

    subject: str
    needs: Tuple[str, ...] = ()


_KINDS: Dict[str, _Kind] = {
    "reset": _Kind(
        "Choose a new password for {service_name}", ("link", "minutes")),
    "password_changed": _Kind(
        "Your password for {service_name} was changed"),
}

_URL = re.compile(r"https?://[!-~]+")


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
    what the letter needs or holds a link that is no link.
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
    """Return what the templates are filled with, checked."""
    words: Dict[str, Any] = context._asdict()
    missing = [name for name in kind.needs if not words[name]]
    if missing:
        raise ValueError(f"the letter needs {' and '.join(missing)}")
    if context.link and not _URL.fullmatch(context.link):
        raise ValueError("the link of the letter is no http or https URL")
    name = one_line(context.service_name)
    words.update(
        subject=kind.subject.format(service_name=name), service_name=name,
        base_url=context.base_url.rstrip("/"),
        support=one_line(context.support or ""))
    return words
