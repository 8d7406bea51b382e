#!/usr/bin/env python3
"""The post: what a service in this process mails, as people receive it.

In the production profile letters go by SMTP to a sink, in development they
lie in the mailbox that the service shows; tests read both alike.
"""

import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional
from urllib.parse import urlsplit

from tests.support.client import Client, make_client
from tests.support.clock import SetClock
from tests.support.smtp_sink import SmtpSink
from vestibule.base.config import load

ORIGIN = "https://example.com"
CHEAPEST = 4
LINK = re.compile(r"https?://\S+\?token=\S+")
CODE = re.compile(r"^(\d{4}) (\d{4})$", re.MULTILINE)


class Received(NamedTuple):
    """A letter as it lies before the person to whom it went."""

    to: str
    subject: str
    text: str
    html: str

    @property
    def link(self) -> str:
        """Return the one link with a token that the letter holds."""
        link, = set(LINK.findall(self.text))
        return str(link)

    @property
    def path(self) -> str:
        """Return the link without its origin, to be asked for."""
        return self.link.partition(origin_of(self.link))[2]

    @property
    def token(self) -> str:
        """Return the token in the letter's link."""
        return self.link.partition("?token=")[2]

    @property
    def code(self) -> str:
        """Return the code that the letter holds, without its blank."""
        (first, second), = CODE.findall(self.text)
        return f"{first}{second}"


def origin_of(url: str) -> str:
    """Return the scheme and the host of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Post:
    """Carries the letters of one service, whenever it is told to."""

    def __init__(self, client: Client,
                 sink: Optional[SmtpSink] = None) -> None:
        """Read at the sink, or else in the mailbox of development."""
        self.client = client
        self._sink = sink
        self._read = 0

    def deliver(self) -> List[Received]:
        """Have all due letters sent; return what came, the oldest first."""
        while self.client.services.delivery.send_due():
            pass
        everything = list(self._taken() if self._sink else self._kept())
        new = everything[self._read:]
        self._read = len(everything)
        return new

    def letter(self, to: str, words: str = "") -> Received:
        """Have letters sent; return the one of these to somebody.

        ``words`` stand in its subject.
        """
        came = [each for each in self.deliver()
                if each.to == to and words in each.subject]
        assert len(came) == 1, f"{len(came)} letters came to {to}"
        return came[0]

    def _taken(self) -> Iterator[Received]:
        """Yield what the mail server took; each letter has one recipient."""
        assert self._sink is not None
        for letter in self._sink.letters:
            to, = letter.recipients
            assert str(letter.message["To"]) == to
            yield Received(to, str(letter.message["Subject"]), letter.text,
                           letter.html)

    def _kept(self) -> Iterator[Received]:
        """Yield what the service shows in its mailbox."""
        shown = self.client.another().get("/dev/mailbox").get_json()
        for letter in reversed(shown["letters"]):
            yield Received(letter["to"], letter["subject"], letter["text"],
                           letter["html"])


def production_post(environ: Dict[str, str], clock: SetClock,
                    sink: SmtpSink, cost: int = CHEAPEST,
                    **changes: Any) -> Post:
    """Return the post of a production service that mails to the sink.

    Its settings are those of production but for the ``cost`` of a hash, and
    for ``changes``, whose names lack the prefix.
    """
    changed = {f"VESTIBULE_{name}": value for name, value in changes.items()}
    settings = load(dict(
        environ, VESTIBULE_PROFILE="production",
        VESTIBULE_BCRYPT_COST="10", VESTIBULE_BASE_URL=ORIGIN,
        VESTIBULE_SMTP_URL=sink.url,
        VESTIBULE_MAIL_FROM="mail@example.com", **changed)).settings
    return Post(make_client(
        settings._replace(bcrypt_cost=cost), clock), sink)
