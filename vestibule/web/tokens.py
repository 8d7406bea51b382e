#!/usr/bin/env python3
"""How a request presents a one-time token: a link's secret, or a code."""

from typing import Dict, Iterable, NamedTuple

from vestibule.kernel.one_time_tokens import Presented, TypedCode
from vestibule.web.context import origin, services
from vestibule.web.forms import read_fields, read_texts


class SentWithToken(NamedTuple):
    """What is presented, and the other fields that came with it."""

    presented: Presented
    texts: Dict[str, str]


def read_with_token(field: str, required: Iterable[str] = (),
                    optional: Iterable[str] = ()) -> SentWithToken:
    """Return the token in ``field``, or else ``email`` and ``code``.

    The field counts where both are sent; ``email`` is among the texts
    wherever it was sent. Raises ``InvalidInput`` for everything missing.
    """
    fields = read_fields()
    typed = "code" in fields and field not in fields
    needed = ("email", "code") if typed else (field,)
    texts = read_texts((*needed, *required), ("email", *optional))
    if not typed:
        return SentWithToken(texts[field], texts)
    email = services().auth.canonical(texts["email"])
    return SentWithToken(TypedCode(email, texts["code"], origin()), texts)
