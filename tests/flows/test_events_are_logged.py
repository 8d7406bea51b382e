#!/usr/bin/env python3
"""What happens is one event each, in the table and in the log alike."""

import re
import threading
from typing import Any, Callable, Dict, Iterator, List, Set, Tuple

import pytest

from tests.support.builders import refusing
from tests.support.client import Client
from tests.support.clock import SetClock
from tests.support.logged import Kept, Line, kept_log
from tests.support.papers import ROOT, table_of
from tests.support.post import Post, Received, production_post
from tests.support.smtp_sink import SmtpSink
from vestibule.base.log_lines import as_text
from vestibule.store.event import Event

EVENT = "vestibule.event"
KIND = re.compile(r'"([a-z]+(?:_[a-z]+)*\.[a-z]+(?:_[a-z]+)*)"')
PAGE = ROOT / "docs" / "reference" / "log.md"
BOB, NEW, EVE = "bob@example.com", "robert@example.com", "eve@example.com"
FIRST, SECOND, THIRD, WRONG = (
    "first password of Bob", "second password of Bob",
    "third password of Bob", "never anybody's password")
# What the command line does: it has no log, the table has it all the same.
OF_OPERATORS = {"user.disabled", "user.enabled", "reset.issued",
                "throttle.reset", "throttle.lifted"}


class Story:
    """Bob, his browser, his letters, and what he did last."""

    def __init__(self, post: Post, clock: SetClock) -> None:
        """Begin with a browser without cookies."""
        self.post = post
        self.clock = clock
        self.bob: Client = post.client
        self.seen: List[Event] = []
        self.letters: List[Received] = []

    def letter(self, to: str, words: str = "") -> Received:
        """Return the newest letter to somebody about something."""
        self.letters += self.post.deliver()
        return [each for each in self.letters
                if each.to == to and words in each.subject][-1]

    def sign_in(self, password: str, email: str = BOB) -> Any:
        """Sign Bob in."""
        return self.bob.sign_in(email=email, password=password)

    def session_id(self) -> str:
        """Return the id of the session at hand."""
        listed = self.bob.get("/sessions").get_json()["sessions"]
        return str([each["id"] for each in listed if each["current"]][0])

    def new_events(self) -> List[Event]:
        """Return the events that were stored since this was asked last."""
        with self.post.client.services.db.reading() as work:
            rows: List[Event] = work.query(Event).order_by(Event.id).all()
        new, self.seen = rows[len(self.seen):], rows
        return new


def registers(story: Story) -> Any:
    """Register, and get a letter."""
    return story.bob.sign_up(email=BOB, password=FIRST)


def registers_again(story: Story) -> Any:
    """Register with an address that is taken."""
    return story.bob.another().sign_up(email=BOB, password=WRONG)


def types_the_password_for_the_address(story: Story) -> Any:
    """Log in with what is nobody's identifier."""
    return story.sign_in(FIRST, email=FIRST)


def logs_in_wrongly(story: Story) -> Any:
    """Log in with a wrong password."""
    return story.sign_in(WRONG)


def logs_in_too_early(story: Story) -> Any:
    """Log in before the address is verified."""
    return story.sign_in(FIRST)


def mistypes_a_code(story: Story) -> Any:
    """Type a code that is another one."""
    code = f"{(int(story.letter(BOB, 'Welcome').code) + 1) % 10**8:08}"
    return story.bob.put("/verify_email", {"email": BOB, "code": code})


def verifies(story: Story) -> Any:
    """Follow the link of a new letter, from the browser of before."""
    story.clock.advance(minutes=61)
    story.bob.post("/verify_email", {"email": BOB})
    return story.bob.put("/verify_email", {
        "token": story.letter(BOB, "Welcome").token})


def logs_in(story: Story) -> Any:
    """Log in with the first password."""
    return story.sign_in(FIRST)


def labels(story: Story) -> Any:
    """Give the session a name."""
    return story.bob.request(
        "PATCH", f"/sessions/{story.session_id()}", json={"label": "desk"})


def proves_wrongly(story: Story) -> Any:
    """Prove oneself again, by a wrong password."""
    return story.bob.post("/session/reauthenticate", {"password": WRONG})


def proves(story: Story) -> Any:
    """Prove oneself again."""
    return story.bob.post("/session/reauthenticate", {"password": FIRST})


def names_himself(story: Story) -> Any:
    """Change the profile."""
    return story.bob.request("PATCH", "/profile", json={"name": "Bob"})


def exports(story: Story) -> Any:
    """Take everything home."""
    return story.bob.get("/profile/export")


def changes_the_password_wrongly(story: Story) -> Any:
    """Change the password without knowing it."""
    return story.bob.put("/password", {
        "current_password": WRONG, "new_password": SECOND})


def changes_the_password(story: Story) -> Any:
    """Set the second one, knowing the first."""
    return story.bob.put("/password", {
        "current_password": FIRST, "new_password": SECOND})


def asks_for_another_address(story: Story) -> Any:
    """Ask for a change of address."""
    return story.bob.put("/email", {"email": NEW})


def confirms_it(story: Story) -> Any:
    """Confirm the new address, by its letter."""
    return story.bob.put("/verify_email", {
        "token": story.letter(NEW).token})


def takes_it_back(story: Story) -> Any:
    """Undo the change by the letter to the old address."""
    return story.bob.post("/undo", {
        "token": story.letter(BOB, "Your address").token})


def asks_for_a_reset(story: Story) -> Any:
    """Have lost the password; the request itself changes nothing."""
    story.clock.advance(minutes=61)
    return story.bob.post("/reset_password", {"email": BOB})


def resets(story: Story) -> Any:
    """Set a new password by the newest letter."""
    return story.bob.put("/reset_password", {
        "reset_token": story.letter(BOB, "new password").token,
        "new_password": THIRD})


def resets_again(story: Story) -> Any:
    """Use a token that there is not."""
    return story.bob.put("/reset_password", {
        "reset_token": "x" * 43, "new_password": THIRD})


def comes_back(story: Story) -> Any:
    """Log in with the newest password."""
    return story.sign_in(THIRD)


def logs_out(story: Story) -> Any:
    """End the session at hand."""
    return story.bob.delete("/sessions")


def ends_one_of_two(story: Story) -> Any:
    """End the session of another browser, from this one."""
    return story.bob.delete("/sessions/others")


def leaves(story: Story) -> Any:
    """Announce the deletion of the account."""
    return story.bob.delete("/profile")


def returns(story: Story) -> Any:
    """Take the deletion back."""
    return story.bob.post(
        "/profile/restore", {"email": BOB, "password": THIRD})


def registers_for_somebody(story: Story) -> Any:
    """Register the address of somebody else."""
    return story.bob.another().sign_up(email=EVE, password=WRONG)


def takes_over(story: Story) -> Any:
    """Be that somebody, and set a password of one's own."""
    return story.bob.another().put("/verify_email", {
        "token": story.letter(EVE).token, "new_password": SECOND})


Step = Callable[[Story], Any]
STEPS: List[Tuple[Step, int, List[str]]] = [
    (registers, 200, ["user.registered"]),
    (registers_again, 200, ["registration.refused"]),
    (types_the_password_for_the_address, 401, ["login.refused"]),
    (logs_in_wrongly, 401, ["login.refused"]),
    (logs_in_too_early, 403, ["login.refused"]),
    (mistypes_a_code, 403, ["code.tried"]),
    (verifies, 200, ["email.verified"]),
    (logs_in, 200, ["session.started"]),
    (labels, 200, ["session.labelled"]),
    (proves_wrongly, 401, ["login.refused"]),
    (proves, 200, ["session.renewed"]),
    (names_himself, 200, ["profile.changed"]),
    (exports, 200, ["profile.exported"]),
    (changes_the_password_wrongly, 403, ["password.refused"]),
    (changes_the_password, 204, ["session.renewed", "password.changed"]),
    (asks_for_another_address, 202, ["email_change.requested"]),
    (confirms_it, 200, ["email.changed"]),
    (takes_it_back, 200, ["session.all_revoked", "change.undone"]),
    (asks_for_a_reset, 200, []),
    (resets, 200, ["password.reset"]),
    (resets_again, 403, []),
    (comes_back, 200, ["session.started"]),
    (comes_back, 200, ["session.revoked", "session.started"]),
    (logs_out, 303, ["session.revoked"]),
    (comes_back, 200, ["session.started"]),
    (leaves, 202, ["session.all_revoked", "user.deletion_announced"]),
    (comes_back, 403, ["login.refused"]),
    (returns, 200, ["user.restored", "session.started"]),
    (registers_for_somebody, 200, ["user.registered"]),
    (takes_over, 200, ["user.taken_over"]),
    (leaves, 202, ["session.all_revoked", "user.deletion_announced"])]


@pytest.fixture
def story(environ: Dict[str, str], clock: SetClock) -> Iterator[Story]:
    """Return the story of Bob at a service in production."""
    with SmtpSink() as sink:
        made = Story(production_post(environ, clock, sink), clock)
        yield made
        made.bob.services.db.close()


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Return what keeps the lines of the service."""
    with kept_log() as made:
        yield made


def row_of(event: Event) -> Line:
    """Return what the line about an event has to say."""
    told = {"at": as_text(event.at), "message": event.what,
            "level": "info", "logger": EVENT}
    for name in ("what", "user_id", "target", "ip", "request_id",
                 "session_id", "detail"):
        if getattr(event, name) is not None:
            told[name] = getattr(event, name)
    return told


def test_each_thing_is_told_once_in_table_and_log(
        story: Story, kept: Kept) -> None:
    """R118: what, who, from where and in which request; the same in both.
    """
    for step, status, whats in STEPS:
        kept.texts.clear()
        answer = step(story)
        assert answer.status_code == status, step.__name__
        events = story.new_events()
        assert [event.what for event in events] == whats, step.__name__
        assert kept.of(EVENT) == [row_of(event) for event in events]
        for event in events:
            assert event.request_id == answer.headers["X-Request-Id"]
            assert event.ip == "127.0.0.1"
        last = kept.of("vestibule.access")[-1]
        assert last["request_id"] == answer.headers["X-Request-Id"]
    kept.texts.clear()
    story.clock.advance(days=15)
    story.bob.services.housekeeping.purge(threading.Event())
    erased, = story.new_events()
    assert erased.what == "user.erased"
    assert kept.of(EVENT) == [row_of(erased)]


def test_a_session_too_many_is_told_once(
        story: Story, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """R118: that one made room for another, and which one began."""
    monkeypatch.setattr("vestibule.kernel.sessions.MOST_SESSIONS", 1)
    for step in (registers, verifies, logs_in):
        step(story)
    story.bob = story.bob.another()
    kept.texts.clear()
    story.new_events()
    logs_in(story)
    assert [line["what"] for line in kept.of(EVENT)] == [
        "session.crowded_out", "session.started"]
    assert kept.of(EVENT) == [row_of(each) for each in story.new_events()]


def test_what_is_rolled_back_is_not_told(story: Story, kept: Kept) -> None:
    """R120: neither in the table nor in the log; the answer says no."""
    with refusing(story.bob.services.db, "INSERT", "letters"):
        assert registers(story).status_code >= 500
    assert story.new_events() == []
    assert kept.of(EVENT) == []
    assert registers(story).status_code == 200
    assert [line["what"] for line in kept.of(EVENT)] == ["user.registered"]


def test_what_cannot_be_told_has_happened_all_the_same(
        story: Story, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """R120, R121: the table has it, the answer says yes."""
    def refuse(record: Any) -> None:
        """Fail, as no handler should."""
        if record.name == EVENT:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "emit", refuse)
    assert registers(story).status_code == 200
    assert [event.what for event in story.new_events()] == [
        "user.registered"]


def test_a_person_is_never_told_in_clear(story: Story, kept: Kept) -> None:
    """R123, R117: no address, known or not, and no password for one."""
    for step, _, _ in STEPS:
        step(story)
    text = "\n".join(kept.texts)
    assert len(kept.texts) > 50
    for word in (BOB, NEW, EVE, FIRST, SECOND, THIRD, WRONG):
        assert word not in text
    refused = [line["target"] for line in kept.of(EVENT)
               if line.get("detail", {}).get("reason") == "unknown_email"]
    assert len(refused) == 1 and re.fullmatch("[0-9a-f]{32}", refused[0])


def test_the_page_lists_every_kind() -> None:
    """R118: all that the kernel writes down, and no others."""
    written: Set[str] = set()
    for file in (ROOT / "vestibule" / "kernel").glob("*.py"):
        written.update(KIND.findall(file.read_text("utf-8")))
    written -= {"blocklist.bin", EVENT}
    listed = {name.strip("`") for name in table_of(PAGE, 2)} - {"Event"}
    assert listed == written
    told = {what for _, _, whats in STEPS for what in whats}
    assert written - told == OF_OPERATORS | {
        "user.erased", "session.crowded_out"}
