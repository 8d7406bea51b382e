#!/usr/bin/env python3
"""Each story is told in both profiles, with real letters."""

from typing import Any, Dict, Iterator

import pytest

from tests.support.client import make_client
from tests.support.clock import SetClock
from tests.support.post import Post, production_post
from tests.support.smtp_sink import SmtpSink
from vestibule.base.config import load

SERVICES = ("production", "production optional", "development",
            "development required")


@pytest.fixture(params=SERVICES)
def post(request: Any, environ: Dict[str, str],
         clock: SetClock) -> Iterator[Post]:
    """Return the post of a service: by SMTP, or in the dev mailbox.

    In either profile addresses have to be verified, or need not.
    """
    profile, _, asked = request.param.partition(" ")
    verification = {}
    if asked:
        verification["EMAIL_VERIFICATION"] = asked
    if profile == "production":
        with SmtpSink() as sink:
            made = production_post(environ, clock, sink, **verification)
            yield made
    else:
        made = Post(make_client(load({**environ, **{
            f"VESTIBULE_{name}": value
            for name, value in verification.items()}}).settings, clock))
        yield made
    made.client.services.db.close()
