#!/usr/bin/env python3
"""The texts: what each letter says, and what it cannot be made to say."""

import re
from html.parser import HTMLParser
from typing import Dict, List, Optional, Tuple

import pytest

from tests.mail.samples import DATE, HOSTILE_NAMES, LINK, TOKEN
from tests.support.smtp_sink import SmtpSink
from vestibule.mail.letters import LetterContext, compose
from vestibule.mail.message import message_id
from vestibule.mail.smtp import SmtpMailer
from vestibule.mail.smtp_address import parse_smtp_url

BASE = "https://accounts.example.org/auth"
CONTEXT = LetterContext(
    to="jo@example.org", message_id=message_id("1-a", BASE), date=DATE,
    service_name="Example", base_url=BASE, link=LINK, minutes=30)
KINDS = ["reset", "password_changed"]
ALL = pytest.mark.parametrize("kind", KINDS)


class Page(HTMLParser):
    """Reads HTML: tags with their attributes, and the visible text."""

    def __init__(self, html: str) -> None:
        """Read a whole document."""
        super().__init__()
        self.tags: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(
            self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        """Remember a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Remember a piece of text."""
        self.text += data

    @property
    def links(self) -> List[Optional[str]]:
        """Return where the links lead, in order."""
        return [attrs["href"] for tag, attrs in self.tags if tag == "a"]


def test_the_reset_letter_carries_the_link_and_how_long_it_is_good() -> None:
    """In the text on a line of its own; in HTML as button and to copy."""
    letter = compose("reset", CONTEXT)
    assert letter.subject == "Choose a new password for Example"
    assert letter.text.splitlines().count(LINK) == 1
    assert "only for the next 30 minutes" in letter.text
    assert "did not ask" in letter.text
    page = Page(letter.html)
    assert page.links == [LINK, LINK, BASE]
    assert LINK in page.text
    assert "30 minutes" in page.text
    assert "did not ask" in page.text


def test_the_changed_letter_says_what_to_do_and_carries_no_secret() -> None:
    """The forgotten-password page is the way back for the owner."""
    letter = compose("password_changed", CONTEXT)
    assert letter.subject == "Your password for Example was changed"
    assert f"{BASE}/forgot" in letter.text.splitlines()
    assert "All sessions were ended" in letter.text
    page = Page(letter.html)
    assert page.links == [f"{BASE}/forgot", BASE]
    assert "All sessions were ended" in page.text
    assert TOKEN not in letter.text + letter.html


@ALL
def test_a_letter_takes_its_envelope_from_the_context(kind: str) -> None:
    """Recipient, Message-ID and date are not made up here."""
    letter = compose(kind, CONTEXT)
    assert letter.to == CONTEXT.to
    assert letter.message_id == CONTEXT.message_id
    assert letter.date == DATE


@ALL
def test_a_letter_names_the_service_the_account_and_where_to_turn_to(
        kind: str) -> None:
    """The support address is left out where there is none."""
    with_support = compose(kind, CONTEXT._replace(support="help@example.org"))
    for text in (with_support.text, Page(with_support.html).text):
        assert "Example" in text
        assert "jo@example.org" in text
        assert BASE in text
        assert "Need help? help@example.org" in text
    without = compose(kind, CONTEXT)
    assert "help" not in without.text + Page(without.html).text


@ALL
def test_a_letter_loads_nothing_and_tracks_nobody(kind: str) -> None:
    """No image, no script, no style sheet, and no host but our own."""
    letter = compose(kind, CONTEXT._replace(support="help@example.org"))
    page = Page(letter.html)
    assert {tag for tag, _ in page.tags} <= {
        "html", "head", "meta", "title", "body", "div", "p", "a", "b", "br"}
    assert not [name for _, attrs in page.tags for name in attrs
                if name not in ("style", "href", "lang", "charset", "name",
                                "content")]
    assert "url(" not in letter.html
    hosts = re.findall(r"//([^/\s\"<]+)", letter.html + letter.text)
    assert set(hosts) == {"accounts.example.org"}


@ALL
def test_a_letter_is_english_and_fits_phones_and_dark_screens(
        kind: str) -> None:
    """As far as a document can say so of itself."""
    tags = Page(compose(kind, CONTEXT).html).tags
    assert tags[0][0] == "html" and tags[0][1]["lang"] == "en"
    meta = {attrs.get("name"): attrs.get("content") for tag, attrs in tags
            if tag == "meta"}
    assert meta["viewport"] == "width=device-width, initial-scale=1"
    assert meta["color-scheme"] == "light dark"


@ALL
def test_markup_in_a_value_is_shown_and_not_obeyed(kind: str) -> None:
    """In HTML it is escaped, in plain text it stands as it is."""
    evil = "<img src=//evil.example onerror=x> \"&' {{ 7 * 7 }}{% raw %}{0}"
    letter = compose(kind, CONTEXT._replace(
        service_name=evil, support=evil, to="o'neil&co@example.org"))
    page = Page(letter.html)
    assert "img" not in [tag for tag, _ in page.tags]
    assert evil in page.text and evil in letter.text
    assert evil in letter.subject
    assert "o'neil&co@example.org" in page.text
    assert "o'neil&co@example.org" in letter.text


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_service_name_arrives_as_text_with_one_recipient(
        name: str, sink: SmtpSink) -> None:
    """From the setting to the server: no header and no line more."""
    SmtpMailer(parse_smtp_url(sink.url), f"{name} <mail@example.org>").send(
        compose("reset", CONTEXT._replace(service_name=name, support=name)))
    [letter] = sink.letters
    assert letter.recipients == ("jo@example.org",)
    assert letter.message.keys() == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
        "MIME-Version", "Content-Type"]
    assert not re.search("^(Bcc|A body)", letter.text, re.MULTILINE)


@ALL
def test_a_letter_is_tidy(kind: str) -> None:
    """No blank at a line's end, no three line breaks, one at the end."""
    text = compose(kind, CONTEXT._replace(support="help@example.org")).text
    assert text == text.strip() + "\n"
    assert not re.search(r"[ \t]\n|\n\n\n", text)


def test_a_slash_at_the_end_of_the_base_url_is_not_doubled() -> None:
    """Both spellings of the setting lead to the same page."""
    letter = compose("password_changed",
                     CONTEXT._replace(base_url=BASE + "/"))
    assert f"\n{BASE}/forgot\n" in letter.text


@pytest.mark.parametrize("kind", [
    "", "unknown", "layout", "macros", "../secret", "reset.txt"])
def test_an_unknown_kind_of_letter_is_a_value_error(kind: str) -> None:
    """Also the name of a file that is there for another purpose."""
    with pytest.raises(ValueError, match="no letter of the kind"):
        compose(kind, CONTEXT)


def test_a_reset_letter_without_its_link_is_not_written() -> None:
    """A letter that promises a link has one."""
    with pytest.raises(ValueError, match="needs link and minutes"):
        compose("reset", CONTEXT._replace(link=None, minutes=None))


@pytest.mark.parametrize("link", [
    "javascript:alert(1)", "accounts.example.org/reset", "https://a b",
    "https://a\nhttps://b", "data:text/html,x"])
def test_a_link_that_is_none_is_not_sent(link: str) -> None:
    """Only http and https, on one line."""
    with pytest.raises(ValueError, match="no http or https URL"):
        compose("reset", CONTEXT._replace(link=link))
