#!/usr/bin/env python3
"""One policy for every way to a password: what people are told, and when."""

from typing import Any, Callable, Iterator

import pytest

from tests.support.builders import all_but_tries
from tests.support.client import Client, make_client
from tests.support.clock import SetClock
from tests.support.range_service import RangeService
from vestibule.base.config import Settings
from vestibule.kernel.one_time_tokens import VERIFY
from vestibule.store.db import User

PERSON = {"email": "ada.lovelace@example.org",
          "password": "correct horse battery"}
NEW = "four new words instead"
# Another's address, whose words are in none of the passwords here.
OTHER = "eve@other.example"
BREACHED = "a password from a data breach"
Setting = Callable[[str], Any]


class Ways:
    """The four ways in which a service is given a password.

    Each returns what sets one, over and over with the same token: a refusal
    must leave it good.
    """

    def __init__(self, client: Client) -> None:
        """Have Ada registered and verified at this service."""
        self.client = client
        client.post("/users", PERSON)
        self._services = client.services
        self._services.users.verify(self.user)

    @property
    def user(self) -> User:
        """Ada, as she stands in the table."""
        return self._services.db.find_user_by(email=PERSON["email"])

    def register(self) -> Setting:
        """Register somebody else."""
        return lambda password: self.client.another().post(
            "/users", {"email": OTHER, "password": password})

    def reset(self) -> Setting:
        """Spend one reset token."""
        token = self._services.auth.get_reset_password_token(PERSON["email"])
        return lambda password: self.client.another().put(
            "/reset_password", {"email": PERSON["email"],
                                "reset_token": token,
                                "new_password": password})

    def change(self) -> Setting:
        """Change it in a session."""
        browser = self.client.another()
        assert browser.post("/sessions", PERSON).status_code == 200
        return lambda password: browser.put(
            "/password", {"current_password": PERSON["password"],
                          "new_password": password})

    def take_over(self) -> Setting:
        """Make the account of somebody else who registered one's own."""
        self._services.db.update_user(self.user.id, email_verified_at=None)
        token = self._services.auth.tokens.issue(
            self.user.id, VERIFY, PERSON["email"])
        return lambda password: self.client.another().put(
            "/verify_email", {"token": token, "new_password": password})


EACH_WAY = pytest.mark.parametrize("way", [
    "register", "reset", "change", "take_over"])
OF_ADA = pytest.mark.parametrize("way", ["reset", "change", "take_over"])


@pytest.fixture(name="ways")
def fixture_ways(production: Client) -> Ways:
    """Return the ways of a production service."""
    return Ways(production)


def refused(answer: Any) -> Any:
    """Return the reasons of a refusal, whatever the field is called."""
    assert answer.status_code == 422, answer.get_json()
    [(field, reasons)] = answer.get_json()["errors"].items()
    assert field in ("password", "new_password")
    return reasons


@EACH_WAY
@pytest.mark.parametrize("password, reason", [
    ("", "required"), ("\U0001f600" * 14, "too_short"),
    ("x" * 257, "too_long"), ("x" * 20 + "\0", "unusable_characters"),
    ("correcthorsebatterystaple", "common"),
    ("CorrectHorseBatteryStaple", "common"), ("p" * 15, "common"),
    ("vestibule-vestibule", "contains_service")])
def test_a_password_for_nobody_is_refused_everywhere(
        ways: Ways, way: str, password: str, reason: str) -> None:
    """R018, R020: the same reasons for all, and nothing has changed."""
    setting = getattr(ways, way)()
    before = all_but_tries(ways.client.services.db)
    assert refused(setting(password)) == [reason]
    assert all_but_tries(ways.client.services.db) == before
    assert setting(NEW).status_code in (200, 204)


@EACH_WAY
@pytest.mark.parametrize("password", [
    "\U0001f600\U0001f601\U0001f602" * 7 + "\U0001f603", "\u4e2d\u6587" * 31
    + "\u5bc6\u7801", "all small letters here", "8254917360548273"])
def test_any_unicode_is_taken_everywhere(
        ways: Ways, way: str, password: str) -> None:
    """R018, R019: as many code points as it has, of whatever kind."""
    assert getattr(ways, way)()(password).status_code in (200, 204)


@OF_ADA
@pytest.mark.parametrize("password", [
    "ada.lovelace-1815", "Lovelace Lovelace", "ada.lovelace@example.org"])
def test_ones_own_address_is_refused_everywhere(
        ways: Ways, way: str, password: str) -> None:
    """R020: once it is certain whose it is; the token stays good."""
    setting = getattr(ways, way)()
    before = all_but_tries(ways.client.services.db)
    assert "contains_email" in refused(setting(password))
    assert all_but_tries(ways.client.services.db) == before
    assert setting(NEW).status_code in (200, 204)


def test_the_typed_address_is_refused_at_registration(
        ways: Ways) -> None:
    """R020: taken or not, by the address alone, before it is looked up."""
    for email in ("grace.hopper@example.org", "Ada.Lovelace@example.org"):
        local = email.partition("@")[0]
        answer = ways.client.another().post(
            "/users", {"email": email, "password": f"{local} 1815"})
        assert refused(answer) == ["contains_email"]
        assert "your email address" in answer.get_json()["message"]


@pytest.mark.parametrize("way", ["reset", "change"])
def test_ones_own_name_is_refused(ways: Ways, way: str) -> None:
    """R020: where it is known; whoever takes over has another one."""
    ways.client.services.db.update_user(ways.user.id, name="Countess King")
    assert refused(getattr(ways, way)()("Countess King!!")) == [
        "contains_name"]
    assert ways.take_over()("Countess King!!").status_code == 200


def test_a_stranger_learns_nothing_of_the_person(ways: Ways) -> None:
    """R084: without a good token it is the token that is refused."""
    for token, email in (("A" * 43, PERSON["email"]), ("A" * 43, OTHER)):
        answer = ways.client.another().put("/reset_password", {
            "email": email, "reset_token": token,
            "new_password": "ada.lovelace-1815"})
        assert answer.status_code == 403
    good = ways.client.services.auth.get_reset_password_token(
        PERSON["email"])
    answer = ways.client.another().put("/reset_password", {
        "email": OTHER, "reset_token": good,
        "new_password": "ada.lovelace-1815"})
    assert answer.status_code == 403


def test_the_pages_say_it_in_words(ways: Ways) -> None:
    """R020: a hint before, and the reason after."""
    page = ways.client.get("/reset?token=x").get_data(as_text=True)
    assert "15 characters" in page
    token = ways.client.services.auth.get_reset_password_token(
        PERSON["email"])
    answer = ways.client.request("POST", "/reset", data={
        "token": token, "new_password": "correcthorsebatterystaple"})
    assert answer.status_code == 422
    assert "tried first" in answer.get_data(as_text=True)
    assert token in answer.get_data(as_text=True)


def test_in_development_any_password_will_do(client: Client) -> None:
    """DESIGN: only an empty one is refused there."""
    for number, password in enumerate((" ", "x", "password", "vestibule")):
        answer = client.post("/users", {
            "email": f"bob{number}@example.com", "password": password})
        assert answer.status_code == 200
    assert client.sign_up(password="").status_code == 422


@pytest.fixture(name="ranges")
def fixture_ranges() -> Iterator[RangeService]:
    """Run a service that knows one password."""
    with RangeService() as service:
        service.know(BREACHED)
        yield service


@pytest.fixture(name="asking")
def fixture_asking(
        production: Client, clock: SetClock, ranges: RangeService
        ) -> Iterator[Callable[[str], Ways]]:
    """Return a function that makes the ways of a service that asks."""
    made = []

    def make(fail: str) -> Ways:
        """Make such a service, which fails open or closed."""
        settings: Settings = production.services.settings._replace(
            breach_url=ranges.url, breach_fail=fail)
        made.append(make_client(settings, clock))
        return Ways(made[-1])

    yield make
    for each in made:
        each.services.db.close()


@EACH_WAY
def test_a_breached_password_is_refused_everywhere(
        asking: Callable[[str], Ways], way: str) -> None:
    """R020: and nothing has changed."""
    ways = asking("closed")
    setting = getattr(ways, way)()
    before = all_but_tries(ways.client.services.db)
    assert refused(setting(BREACHED)) == ["breached"]
    assert all_but_tries(ways.client.services.db) == before
    assert setting(NEW).status_code in (200, 204)


@EACH_WAY
def test_without_an_answer_it_depends(
        asking: Callable[[str], Ways], ranges: RangeService,
        way: str) -> None:
    """R020: closed, 503 and when to come again; open, it is taken."""
    ways = asking("closed")
    setting = getattr(ways, way)()
    before = all_but_tries(ways.client.services.db)
    ranges.status = 500
    answer = setting(BREACHED)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert all_but_tries(ways.client.services.db) == before
    ranges.status = 200
    assert setting(NEW).status_code in (200, 204)


@EACH_WAY
def test_a_service_that_fails_open_keeps_nobody_out(
        asking: Callable[[str], Ways], ranges: RangeService,
        way: str) -> None:
    """R020: what is bundled still holds."""
    setting = getattr(asking("open"), way)()
    ranges.status = 500
    assert refused(setting("p" * 15)) == ["common"]
    assert setting(BREACHED).status_code in (200, 204)


def test_the_service_is_asked_for_nobody_without_proof(
        asking: Callable[[str], Ways], ranges: RangeService) -> None:
    """R020: a bad token and a wrong password send nothing anywhere."""
    ways = asking("closed")
    change = ways.change()
    ranges.paths.clear()
    ways.client.another().put("/reset_password", {
        "email": PERSON["email"], "reset_token": "A" * 43,
        "new_password": NEW})
    ways.client.another().put("/verify_email", {
        "token": "A" * 43, "new_password": NEW})
    assert ranges.paths == []
    assert change(NEW).status_code == 204
    assert len(ranges.paths) == 1


def test_a_page_says_that_nobody_answers(
        asking: Callable[[str], Ways], ranges: RangeService) -> None:
    """A person keeps the form, and the link stays good."""
    ways = asking("closed")
    token = ways.client.services.auth.get_reset_password_token(
        PERSON["email"])
    form = {"token": token, "new_password": NEW}
    ranges.status = 500
    answer = ways.client.request("POST", "/reset", data=form)
    assert answer.status_code == 503
    assert answer.mimetype == "text/html"
    assert "Retry-After" in answer.headers
    assert token in answer.get_data(as_text=True)
    ranges.status = 200
    assert ways.client.request(
        "POST", "/reset", data=form).status_code == 200


@EACH_WAY
def test_no_transaction_is_open_while_the_service_is_asked(
        asking: Callable[[str], Ways], ranges: RangeService, way: str,
        production: Client) -> None:
    """Two seconds of a lock would be two seconds for everybody."""
    ways = asking("closed")
    setting = getattr(ways, way)()
    user, seen = ways.user, []

    def write() -> None:
        """Write to the person's row, from another process as it were."""
        production.services.db.update_user(user.id, locale="en")
        seen.append(True)

    ranges.before_answering = write
    assert setting(NEW).status_code in (200, 204)
    assert seen == [True]
