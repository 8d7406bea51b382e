#!/usr/bin/env python3
"""How settings are shown to an operator: where from, and secrets masked."""

import re
from datetime import timedelta
from typing import Any, List, Tuple

from vestibule.base.config import SETTINGS, Loaded, Setting
from vestibule.base.limits import DEFAULTS

MASK = "********"
USER = re.compile(r"[\w.%+-]*")
PLACE = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[\w.-]*)(:[0-9]+)?(/[^?@&=#]*)?")


def shown(loaded: Loaded) -> List[Tuple[str, str, str]]:
    """Return each setting's name, value and source, secrets masked."""
    rows = []
    for setting in SETTINGS:
        text = loaded.texts.get(setting.name)
        if text is None:
            value = _default_text(getattr(loaded.settings, setting.field))
        else:
            value = _masked(setting, text) if setting.secret else text
        rows.append((setting.name, value,
                     loaded.sources.get(setting.name, "default")))
    return rows


def _default_text(value: Any) -> str:
    """Return a default as one would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return f"{value // timedelta(days=1)}d"
    return "" if value in (None, (), DEFAULTS) else str(value)


def _masked(setting: Setting, text: str) -> str:
    """Return what may be shown of a secret: a URL's user and place.

    What does not look like a user or a place may be a piece of the password,
    and a query may hold one too, as libpq's ``?password=`` does.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or not setting.field.endswith("_url"):
        return MASK
    credentials, at, place = rest.rpartition("@")
    user = credentials.partition(":")[0]
    place, question, _ = place.partition("?")
    masked = place if PLACE.fullmatch(place) else MASK
    if at:
        name = user if USER.fullmatch(user) else MASK
        masked = f"{name}:{MASK}@{masked}"
    return f"{scheme}://{masked}" + (f"?{MASK}" if question else "")
