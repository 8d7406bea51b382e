#!/usr/bin/env python3
"""``Idempotency-Key``: a request that may safely be sent again."""

import json
import re
from typing import Any, Callable, Dict

from flask import Response, request

from vestibule.kernel.idempotency import FIELD, StoredAnswer
from vestibule.web.answers import answer
from vestibule.web.context import services
from vestibule.web.errors import Refused

REPLAYED = "Idempotency-Replayed"
# A structured field's string, or the same without its quotes.
KEY = re.compile(r'"?(?P<key>[!#-+\--\[\]-~]{1,255})"?')

Keep = Callable[[Dict[str, Any]], None]


def run_once(sent: Dict[str, str],
             work: Callable[[Keep], Response]) -> Response:
    """Do the work of a request, or repeat what was answered the first time.

    ``work`` is given a function that keeps the body of its answer, which is
    200 then; it calls that inside the transaction of what it does. A
    request that is refused is not remembered. Without a key all of this is
    left out.
    """
    header = request.headers.get(FIELD)
    if header is None:
        return work(_keep_nothing)
    idempotency = services().idempotency
    begun = idempotency.begin(_key_of(header), sent)
    if isinstance(begun, StoredAnswer):
        replay = answer(json.loads(begun.body), begun.status)
        replay.headers[REPLAYED] = "true"
        return replay
    ticket = begun
    try:
        return work(lambda body: idempotency.finish(
            ticket, 200, json.dumps(body)))
    except Exception:
        idempotency.give_up(ticket)
        raise


def _key_of(header: str) -> str:
    """Return the key that a header holds, or refuse it."""
    match = KEY.fullmatch(header)
    if match is None:
        raise Refused(400, "malformed_idempotency_key",
                      "An Idempotency-Key is one word of up to 255 visible "
                      "ASCII characters, without commas.")
    return match.group("key")


def _keep_nothing(body: Dict[str, Any]) -> None:
    """Keep no answer, for the request has no key."""
