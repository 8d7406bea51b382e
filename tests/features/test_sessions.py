#!/usr/bin/env python3
"""Where somebody is signed in, and how they end it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict

import pytest

from tests.support.client import BOB, Client, cookie_of
from tests.support.clock import SetClock
from vestibule.base.digest import digest_of
from vestibule.store.event import EventStore
from vestibule.store.session import Session

FIREFOX = ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) "
           "Gecko/20100101 Firefox/120.0")
IPHONE = ("Mozilla/5.0 (iPhone; CPU iPhone OS 16_5 like Mac OS X) "
          "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.5 "
          "Mobile/15E148 Safari/604.1")
NEVER_WAS = "6f1c1c62-3a0c-4b7e-9d55-0f6a8e0f3b11"


@pytest.fixture
def bob(client: Client) -> Client:
    """Return Bob's browser, signed in."""
    client.sign_up()
    client.post("/sessions", BOB, headers={"User-Agent": FIREFOX})
    return client


def _phone(bob: Client) -> Client:
    """Return Bob's telephone, signed in too."""
    phone = bob.another()
    phone.post("/sessions", BOB, headers={"User-Agent": IPHONE})
    return phone


def _id(client: Client) -> str:
    """Return the id of the client's session."""
    found: str = client.get("/session").get_json()["id"]
    return found


def test_this_session_is_shown_with_its_user(bob: Client) -> None:
    """R069: exactly these members, and never the secret."""
    answer = bob.get("/session")
    assert answer.status_code == 200
    shown = answer.get_json()
    assert set(shown) == {
        "id", "created_at", "authenticated_at", "last_seen_at",
        "idle_expires_at", "expires_at", "proved", "remembered", "label",
        "ip", "device", "user"}
    assert shown["proved"] == ["pwd"]
    assert shown["device"] == {
        "browser": "Firefox", "os": "Linux", "kind": "computer"}
    user = bob.services.db.find_user_by(email=BOB["email"])
    assert shown["user"] == {
        "id": user.id, "email": BOB["email"], "email_verified": False,
        "created_at": "2026-03-01T12:00:00Z"}


def test_a_back_end_learns_who_is_signed_in(bob: Client) -> None:
    """``GET /session/check`` tells it in two headers, without a body."""
    answer = bob.get("/session/check")
    user = bob.services.db.find_user_by(email=BOB["email"])
    assert answer.status_code == 204
    assert answer.data == b""
    assert answer.headers["Vestibule-User"] == user.id
    assert answer.headers["Vestibule-Email"] == BOB["email"]


@pytest.mark.parametrize("method, path", [
    ("GET", "/session"), ("GET", "/session/check"), ("GET", "/sessions"),
    ("PATCH", f"/sessions/{NEVER_WAS}"), ("DELETE", f"/sessions/{NEVER_WAS}"),
    ("DELETE", "/sessions/others"), ("POST", "/session/reauthenticate"),
    ("PATCH", "/profile"), ("PUT", "/password")])
def test_without_a_session_there_is_nothing_to_see(
        client: Client, method: str, path: str) -> None:
    """R030: 403 everywhere, before the body is looked at."""
    answer = client.request(method, path)
    assert answer.status_code == 403
    assert answer.get_json() == {"message": "You are not signed in."}


def test_sessions_are_listed_newest_first(bob: Client) -> None:
    """R036: the current one is marked, and no secret is shown."""
    phone = _phone(bob)
    secret = str(cookie_of(phone.post(
        "/sessions", BOB, headers={"User-Agent": IPHONE}))).split(".")[1]
    answer = phone.get("/sessions")
    listed = answer.get_json()["sessions"]
    assert [each["id"] for each in listed] == [_id(phone), _id(bob)]
    assert [each["current"] for each in listed] == [True, False]
    assert listed[0]["device"] == {
        "browser": "Mobile Safari", "os": "iOS", "kind": "phone"}
    for hidden in (secret, digest_of(secret), "secret", "digest"):
        assert hidden not in answer.get_data(as_text=True)


def test_expired_sessions_are_not_listed(
        bob: Client, clock: SetClock) -> None:
    """Only those that still open something are there."""
    clock.advance(days=8)
    bob.sign_in()
    assert len(bob.get("/sessions").get_json()["sessions"]) == 1


def test_a_session_is_labelled_from_another(bob: Client) -> None:
    """The label shows everywhere; an empty one takes it away."""
    phone = _phone(bob)
    path = f"/sessions/{_id(bob)}"
    answer = phone.request("PATCH", path, json={"label": " Desk "})
    assert answer.status_code == 200
    assert answer.get_json() == {"id": _id(bob), "label": "Desk"}
    assert bob.get("/session").get_json()["label"] == "Desk"
    phone.request("PATCH", path, json={"label": ""})
    assert bob.get("/session").get_json()["label"] is None


@pytest.mark.parametrize("label", ["x" * 101, "two\nlines", "\u202e", 5])
def test_an_unfit_label_is_refused(bob: Client, label: Any) -> None:
    """R088: 422 with the field's name."""
    answer = bob.request("PATCH", f"/sessions/{_id(bob)}",
                         json={"label": label})
    assert answer.status_code == 422
    assert "label" in answer.get_json()["errors"]


def test_one_session_is_ended_from_another(bob: Client) -> None:
    """R031: at once; the second time there is nothing to end."""
    phone = _phone(bob)
    path = f"/sessions/{_id(bob)}"
    assert phone.delete(path).status_code == 204
    assert bob.get("/session").status_code == 403
    assert phone.delete(path).status_code == 404
    assert phone.get("/session").status_code == 200


def test_ending_ones_own_session_clears_the_cookie(bob: Client) -> None:
    """R044: it is a logout by another name."""
    answer = bob.delete(f"/sessions/{_id(bob)}")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_foreign_session_looks_like_one_that_never_was(
        bob: Client, method: str) -> None:
    """R070: 404 in the same words, and nothing happens to it."""
    bob.sign_up(email="eve@example.com")
    eve = bob.another()
    eve.sign_in(email="eve@example.com")
    answers = [eve.request(method, f"/sessions/{each}", json={"label": "x"})
               for each in (_id(bob), NEVER_WAS, "no-uuid", "%00")]
    assert {each.status_code for each in answers} == {404}
    assert len({each.get_data() for each in answers}) == 1
    assert bob.get("/session").get_json()["label"] is None


def test_all_other_sessions_are_ended_at_once(bob: Client) -> None:
    """``DELETE /sessions/others`` counts them and keeps this one."""
    phone, tablet = _phone(bob), _phone(bob)
    assert bob.delete("/sessions/others").get_json() == {"revoked": 2}
    assert bob.delete("/sessions/others").get_json() == {"revoked": 0}
    for other in (phone, tablet):
        assert other.get("/session").status_code == 403
    assert bob.get("/session").status_code == 200


def test_reauthentication_renews_the_proof_and_the_secret(
        bob: Client, clock: SetClock) -> None:
    """The session's id stays; the old secret opens nothing any more."""
    before = bob.get("/session").get_json()
    old = cookie_of(bob.post("/session/reauthenticate",
                             {"password": BOB["password"]}))
    clock.advance(minutes=10)
    answer = bob.post("/session/reauthenticate",
                      {"password": BOB["password"]})
    assert answer.status_code == 200
    after = bob.get("/session").get_json()
    assert after["id"] == before["id"]
    assert after["authenticated_at"] > before["authenticated_at"]
    late_tab = bob.program().get(
        "/session", headers={"Cookie": f"session_id={old}"})
    assert late_tab.status_code == 403
    assert "Set-Cookie" not in late_tab.headers


def test_a_wrong_password_proves_nothing(bob: Client) -> None:
    """R011: 401 with the challenge; the session goes on as it was."""
    answer = bob.post("/session/reauthenticate", {"password": "wrong"})
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert bob.get("/session").status_code == 200


@pytest.mark.parametrize("encoding, word", [
    ("json", False), ("json", "false"), ("data", "false")])
def test_a_session_need_not_be_remembered(
        client: Client, clock: SetClock, encoding: str, word: Any) -> None:
    """R033: a cookie that ends with the browser, and 12 hours at most."""
    client.sign_up()
    options: Dict[str, Any] = {encoding: dict(BOB, remember=word)}
    answer = client.request("POST", "/sessions", **options)
    header = answer.headers["Set-Cookie"]
    assert "Max-Age" not in header and "Expires" not in header
    assert client.get("/session").get_json()["remembered"] is False
    for _ in range(11):
        clock.advance(hours=1)
        assert client.get("/session").status_code == 200
    clock.advance(hours=1)
    assert client.get("/session").status_code == 403


@pytest.mark.parametrize("word", ["perhaps", 1, None, [], ""])
def test_remember_is_true_or_false(client: Client, word: Any) -> None:
    """R088: anything else is named."""
    client.sign_up()
    answer = client.post("/sessions", {**BOB, "remember": word})
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == {
        "remember": ["not_true_or_false"]}


def test_an_idle_session_ends(client: Client, clock: SetClock) -> None:
    """R032: after seven days without a request, and not before."""
    client.sign_up()
    client.sign_in()
    clock.advance(days=6, hours=23)
    assert client.get("/session").status_code == 200
    clock.advance(days=6, hours=23)
    assert client.get("/session").status_code == 200
    clock.advance(days=7, seconds=1)
    answer = client.get("/session")
    assert answer.status_code == 403
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


def test_no_activity_outlives_the_absolute_lifetime(
        client: Client, clock: SetClock) -> None:
    """R033: thirty days, however busy."""
    client.sign_up()
    client.sign_in()
    for _ in range(29):
        clock.advance(days=1)
        assert client.get("/session").status_code == 200
    clock.advance(days=1)
    assert client.get("/session").status_code == 403


def test_the_oldest_sessions_make_room(bob: Client) -> None:
    """R037: at most 50 a person."""
    for _ in range(49):
        bob.another().sign_in()
    assert bob.get("/session").status_code == 200
    newest = bob.another()
    newest.sign_in()
    assert bob.get("/session").status_code == 403
    assert len(newest.get("/sessions").get_json()["sessions"]) == 50


def test_a_login_from_a_full_house_costs_nobody_a_place(
        bob: Client) -> None:
    """R037: the session that it replaces goes, not the oldest besides."""
    newest = bob
    for _ in range(49):
        newest = bob.another()
        newest.sign_in()
    newest.sign_in()
    assert bob.get("/session").status_code == 200
    assert len(bob.get("/sessions").get_json()["sessions"]) == 50


def test_who_made_room_is_written_down(bob: Client) -> None:
    """R118: sessions do not end without a trace."""
    for _ in range(50):
        bob.another().sign_in()
    user = bob.services.db.find_user_by(email=BOB["email"])
    ended = [event for event in EventStore(bob.services.db).of_user(user.id)
             if event.what == "session.crowded_out"]
    assert [event.detail for event in ended] == [{"count": 1}]


def test_of_two_logouts_at_once_the_late_one_finds_no_session(
        bob: Client) -> None:
    """R031: 303 and 403, as if one had come after the other."""
    for _ in range(10):
        cookie = {"Cookie": f"session_id={cookie_of(bob.sign_in())}"}
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(
                lambda client: client.delete("/sessions", headers=cookie),
                [bob.program() for _ in range(4)]))
        assert sorted(each.status_code for each in answers) == [
            303, 403, 403, 403]
        assert all("Max-Age=0" in each.headers["Set-Cookie"]
                   for each in answers)


def test_every_outcome_writes_one_event(bob: Client) -> None:
    """R118: what, who, which session, from where, in which request."""
    phone = _phone(bob)
    bob_id, phone_id = _id(bob), _id(phone)
    phone.delete(f"/sessions/{bob_id}", headers={
        "X-Request-Id": "request-1234", "User-Agent": IPHONE})
    user = bob.services.db.find_user_by(email=BOB["email"])
    from_store = EventStore(bob.services.db).of_user(user.id)
    assert [event.what for event in from_store] == [
        "user.registered", "session.started", "session.started",
        "session.revoked"]
    last = from_store[-1]
    assert (last.target, last.session_id) == (bob_id, phone_id)
    assert (last.request_id, last.ip) == ("request-1234", "127.0.0.1")
    assert last.user_agent == IPHONE


def test_anonymous_requests_leave_nothing_behind(client: Client) -> None:
    """R040: no session is made for who does not log in."""
    for _ in range(20):
        client.get("/")
        client.get("/session")
        client.sign_in()
    with client.services.db.reading() as work:
        assert work.query(Session).count() == 0
