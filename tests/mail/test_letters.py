#!/usr/bin/env python3
"""The texts: what each letter says, and what it cannot be made to say."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

import vestibule
from tests.mail.samples import (
    CODE, DATE, HOSTILE_NAMES, LINK, SENDER, TOKEN)
from tests.support.smtp_sink import SmtpSink
from vestibule.mail.headers import one_line, parse_sender
from vestibule.mail.letters import LetterContext, compose
from vestibule.mail.message import message_id
from vestibule.mail.smtp import SmtpMailer
from vestibule.mail.smtp_address import parse_smtp_url
from vestibule.mail.wire import serialise

BASE = "https://accounts.example.org/auth"
CONTEXT = LetterContext(
    to="jo@example.org", message_id=message_id("1-a", BASE), date=DATE,
    service_name="Example", base_url=BASE, link=LINK, minutes=30, hours=24,
    days=7, code=CODE, code_minutes=10, until=DATE)
# How a person reads the optional words of that context.
SPOKEN = {"link": LINK, "minutes": "30 minutes", "hours": "24 hours",
          "days": "7 days", "code": "1234 5678", "code_minutes": "10 minutes",
          "until": "2026-03-01 12:30 UTC"}
SUBJECTS = {
    "verify": "Welcome to Example: please confirm your address",
    "reset": "Choose a new password for Example",
    "change_email": "Confirm your new address for Example",
    "email_changed": "Your address for Example was changed",
    "password_changed": "Your password for Example was changed",
    "already_registered": "You already have an account at Example",
    "account_disabled": "Your account at Example was disabled",
    "deletion_announced": "Your account at Example will be deleted",
    "account_deleted": "Your account at Example was deleted",
}
NEEDS: Dict[str, Tuple[str, ...]] = {
    "verify": ("link", "hours", "code", "code_minutes"),
    "reset": ("link", "minutes", "code", "code_minutes"),
    "change_email": ("link", "hours", "code", "code_minutes"),
    "email_changed": ("link", "days"),
    "password_changed": ("link", "days"),
    "already_registered": (),
    "account_disabled": (),
    "deletion_announced": ("until",),
    "account_deleted": (),
}
# What each letter is for, in its own words, in the text and in the HTML.
SAYS = {
    "verify": [
        "Welcome to Example!", "confirm that this address is yours",
        "press the button on the page", "type this code",
        "You did not register? Then there is nothing to do.",
        "choose a password of your own, and nobody else's password will be "
        "good"],
    "reset": [
        "asked for a new password", "type this code",
        "You did not ask for this?", "your password stays as it is"],
    "change_email": [
        "confirm that this address is yours", "press the button on the page",
        "type this code", "Nothing changes until then.",
        "Confirm it only if you asked for this yourself"],
    "email_changed": [
        "was changed to another one", "Was it not you?",
        "press the button on the page", "puts your old address back",
        "signs everybody out", "a letter for choosing a new password"],
    "password_changed": [
        "Whoever was signed in elsewhere was signed out",
        "Was it not you?",
        "press the button on the page", "makes that password useless",
        "signs everybody out", "a letter for choosing a new one"],
    "already_registered": [
        "Someone, perhaps you, tried to register", "already have an account",
        "If you forgot your password", "Then there is nothing to do."],
    "account_disabled": ["was disabled", "nobody can sign in"],
    "deletion_announced": [
        "will be deleted after", "everything that is kept about you",
        "Was it you? Then there is nothing to do.",
        "Until then you get it back with your password",
        "choose a new one first"],
    "account_deleted": ["was deleted", "nobody can sign in"],
}
KINDS = list(SUBJECTS)
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


def squeezed(text: str) -> str:
    """Return a text with all white space as single blanks."""
    return " ".join(text.split())


def test_every_template_belongs_to_a_letter_that_is_tested_here() -> None:
    """Nobody adds a letter without saying what it must hold."""
    folder = Path(vestibule.__file__).parent / "templates" / "mail"
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {"layout.txt", "layout.html", "macros.html"} | {
        f"{kind}.{suffix}" for kind in KINDS for suffix in ("txt", "html")}
    assert set(NEEDS) == set(SAYS) == set(KINDS)


@ALL
def test_a_subject_names_the_service_and_gives_no_secret_away(
        kind: str) -> None:
    """It is shown where others may look on, as is the HTML's title."""
    letter = compose(kind, CONTEXT)
    assert letter.subject == SUBJECTS[kind]
    assert f"<title>{SUBJECTS[kind]}</title>" in letter.html
    assert not re.search("[0-9]", letter.subject)


def test_no_two_kinds_share_a_subject() -> None:
    """People tell letters by their subjects, and mail programs join them."""
    assert len({compose(kind, CONTEXT).subject for kind in KINDS}) == len(
        KINDS)


@ALL
def test_a_letter_holds_the_secrets_and_durations_it_needs_and_no_others(
        kind: str) -> None:
    """What else the context knows stays out, in the text and in the HTML."""
    letter = compose(kind, CONTEXT)
    for text in (letter.text, Page(letter.html).text):
        held = {name for name, spoken in SPOKEN.items() if spoken in text}
        assert held == set(NEEDS[kind])
    whole = letter.text + letter.html
    assert (TOKEN in whole) == ("link" in NEEDS[kind])
    assert CODE not in whole


@ALL
def test_link_and_code_stand_on_lines_of_their_own(kind: str) -> None:
    """So that they are easy to mark; in HTML the link is a button too."""
    letter = compose(kind, CONTEXT)
    lines = letter.text.splitlines()
    assert lines.count(LINK) == ("link" in NEEDS[kind])
    assert lines.count("1234 5678") == ("code" in NEEDS[kind])
    page = Page(letter.html)
    assert page.links.count(LINK) == (2 if "link" in NEEDS[kind] else 0)
    assert page.links[-1] == BASE


@ALL
def test_a_letter_says_what_happened_and_what_to_do(kind: str) -> None:
    """The owner must understand it, and so must who is not the owner."""
    letter = compose(kind, CONTEXT)
    for text in (letter.text, Page(letter.html).text):
        assert [said for said in SAYS[kind]
                if said not in squeezed(text)] == []


@ALL
def test_text_and_html_say_the_same(kind: str) -> None:
    """But for a button's label and what to do if the button fails."""
    letter = compose(kind, CONTEXT._replace(support="help@example.org"))
    page = Page(letter.html)
    rest = squeezed(page.text)
    for line in letter.text.split("\n\n"):
        if line.strip() not in (f"{BASE}/forgot", f"{BASE}/account/restore"):
            assert squeezed(line) in rest
            rest = rest.replace(squeezed(line), "", 1)
    rest = rest.replace("If the button does not work, copy this link into "
                        "your browser:", "")
    assert squeezed(rest) in [
        f"{SUBJECTS[kind]} Example{label}" for label in (
            "", " Confirm my address", " Choose a new password",
            " Undo the change", " Restore my account")]


def test_the_letter_about_a_deletion_leads_to_the_way_back() -> None:
    """To the page that takes the password, and to that for a lost one."""
    letter = compose("deletion_announced", CONTEXT)
    assert letter.text.splitlines().count(f"{BASE}/account/restore") == 1
    assert Page(letter.html).links == [
        f"{BASE}/account/restore", f"{BASE}/forgot", BASE]


def test_a_letter_about_a_taken_address_leads_to_the_forgotten_page() -> None:
    """It holds no link of its own, and so nothing that could leak."""
    letter = compose("already_registered", CONTEXT)
    assert letter.text.splitlines().count(f"{BASE}/forgot") == 1
    assert Page(letter.html).links == [f"{BASE}/forgot", BASE]


@pytest.mark.parametrize("kind", ["account_disabled", "account_deleted"])
def test_the_letter_of_an_end_says_whom_to_turn_to(kind: str) -> None:
    """Also where the operator named no support address."""
    letter = compose(kind, CONTEXT._replace(support="help@example.org"))
    for text in (letter.text, Page(letter.html).text):
        assert "please turn to help@example.org." in text
    letter = compose(kind, CONTEXT)
    for text in (letter.text, Page(letter.html).text):
        assert "please turn to those who run Example." in text


def test_one_of_a_unit_is_singular() -> None:
    """An operator who halves a lifetime gets English still."""
    one = CONTEXT._replace(minutes=1, hours=1, days=1, code_minutes=1)
    assert "link is good for 1 minute," in compose("reset", one).text
    assert "code for 1 minute." in compose("reset", one).text
    assert "link is good for 1 hour," in compose("verify", one).html
    assert "and for 1 day." in compose("email_changed", one).html


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
def test_a_hostile_service_name_is_harmless_in_every_letter(
        kind: str) -> None:
    """Each of them can be sent, and none of its lines is the name's own."""
    for name in HOSTILE_NAMES:
        letter = compose(kind, CONTEXT._replace(service_name=name))
        assert "=?" not in letter.subject
        assert one_line(letter.subject) == letter.subject
        assert not re.search("^(Bcc|A body)", letter.text, re.MULTILINE)
        assert letter.text.count("\n") == compose(
            kind, CONTEXT).text.count("\n")
        serialise(letter, parse_sender(SENDER))


@ALL
def test_a_letter_is_tidy(kind: str) -> None:
    """No blank at a line's end, no three line breaks, one at the end."""
    text = compose(kind, CONTEXT._replace(support="help@example.org")).text
    assert text == text.strip() + "\n"
    assert not re.search(r"[ \t]\n|\n\n\n", text)


def test_a_slash_at_the_end_of_the_base_url_is_not_doubled() -> None:
    """Both spellings of the setting lead to the same page."""
    letter = compose("already_registered",
                     CONTEXT._replace(base_url=BASE + "/"))
    assert f"\n{BASE}/forgot\n" in letter.text


@pytest.mark.parametrize("kind", [
    "", "unknown", "layout", "macros", "../secret", "reset.txt"])
def test_an_unknown_kind_of_letter_is_a_value_error(kind: str) -> None:
    """Also the name of a file that is there for another purpose."""
    with pytest.raises(ValueError, match="no letter of the kind"):
        compose(kind, CONTEXT)


@pytest.mark.parametrize("kind, need", [
    (kind, need) for kind in KINDS for need in NEEDS[kind]])
def test_a_letter_without_what_it_needs_is_not_written(
        kind: str, need: str) -> None:
    """A letter that promises a link has one, and says how long it lasts."""
    for nothing in (None, "" if need in ("link", "code") else 0):
        lacking: Dict[str, Any] = {need: nothing}
        with pytest.raises(ValueError, match=f"^the letter needs {need}$"):
            compose(kind, CONTEXT._replace(**lacking))


def test_everything_that_a_letter_lacks_is_named() -> None:
    """Whoever forgot it learns all at once."""
    with pytest.raises(ValueError, match="needs link and minutes$"):
        compose("reset", CONTEXT._replace(link=None, minutes=None))


@ALL
def test_a_letter_is_written_from_what_it_needs_alone(kind: str) -> None:
    """What it does not need may be missing, and changes nothing."""
    unneeded: Dict[str, Any] = {
        name: None for name in SPOKEN if name not in NEEDS[kind]}
    assert compose(kind, CONTEXT._replace(**unneeded)) == compose(
        kind, CONTEXT)


@pytest.mark.parametrize("code", [
    "1234567", "123456789", "1234 5678", "1234567a", "12345678\n",
    "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18", "<b>1234<"])
def test_a_code_that_is_none_is_not_sent(code: str) -> None:
    """Only eight digits, as every keyboard has them."""
    with pytest.raises(ValueError, match="is not eight digits$") as caught:
        compose("verify", CONTEXT._replace(code=code))
    assert code not in str(caught.value)


@pytest.mark.parametrize("link", [
    "javascript:alert(1)", "accounts.example.org/reset", "https://a b",
    "https://a\nhttps://b", "data:text/html,x"])
def test_a_link_that_is_none_is_not_sent(link: str) -> None:
    """Only http and https, on one line."""
    with pytest.raises(ValueError, match="no http or https URL"):
        compose("reset", CONTEXT._replace(link=link))
