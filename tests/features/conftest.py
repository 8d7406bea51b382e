#!/usr/bin/env python3
"""Services whose letters tests of features read."""

from typing import Dict, Iterator

import pytest

from tests.support.client import Client
from tests.support.clock import SetClock
from tests.support.post import Post, production_post
from tests.support.smtp_sink import SmtpSink


@pytest.fixture
def post(client: Client) -> Post:
    """Return the post of the development service, its mailbox."""
    return Post(client)


@pytest.fixture
def mailed(environ: Dict[str, str], clock: SetClock) -> Iterator[Post]:
    """Return the post of a production service, by SMTP.

    Addresses have to be verified there.
    """
    with SmtpSink() as sink:
        made = production_post(environ, clock, sink)
        yield made
        made.client.services.db.close()
