#!/usr/bin/env python3
"""Every refusal has an id, shows it, and is noted without anybody's words."""

import re
from typing import Any, Dict, List, Type

import pytest

from tests.support.builders import count, everything
from tests.support.client import BOB, Client, cookie_of
from tests.support.papers import ROOT
from vestibule.base.errors import (
    AuthError, DeletionPending, InvalidInput, Throttled)
from vestibule.kernel import sessions
from vestibule.kernel.one_time_tokens import (
    NO_OPEN_CODE, NO_OPEN_LINK, WRONG_CODE)
from vestibule.store.refusal import Refusal
from vestibule.web.cookies import TWO_COOKIES
from vestibule.web.errors import NO_ROUTE, STATUS, Refused
from vestibule.web.hosts import FOREIGN_ORIGIN, FOREIGN_SITE

ID = "test-0123456789"
HEADERS = {"X-Request-Id": ID}
MARKER = "Marker7Secret"
UNTRUE = "12345678-1234-4234-8234-123456789012." + "a" * 43
# Each page that can refuse, and what it refuses.
PAGES = [("/forgot", {"email": "nobody"}), ("/verify/letter", {}),
         ("/reset", {"token": "none", "new_password": "another"}),
         ("/verify", {"token": "none"}), ("/undo", {"token": "none"}),
         ("/account/restore", BOB)]


def noted(client: Client) -> Refusal:
    """Return the only refusal of the test's request id."""
    client.services.refusals.flush()
    found, = client.services.refusals.of_request(ID, 9)
    return found


def asking(client: Client, method: str, path: str, **options: Any) -> Refusal:
    """Send a request that is refused, and return what is noted of it."""
    headers = {**options.pop("headers", {}), **HEADERS}
    answer = client.request(method, path, headers=headers, **options)
    assert answer.status_code >= 400
    assert answer.headers["X-Request-Id"] == ID
    return noted(client)


def raising(client: Client, error: Exception) -> None:
    """Serve ``/fault``, which raises an error."""
    def fault() -> str:
        """Raise the error."""
        raise error
    client.app.add_url_rule("/fault", view_func=fault)


@pytest.mark.parametrize("path, form", PAGES)
def test_pages_show_people_the_request_id(
        client: Client, path: str, form: Dict[str, str]) -> None:
    """R122: in small print, and the header has it too."""
    answer = client.request(
        "POST", path, data=form, headers={**HEADERS, "Accept": "text/html"})
    assert answer.status_code >= 400 and answer.mimetype == "text/html"
    assert f'<p class="request">Request id: {ID}</p>' in answer.text
    assert answer.headers["X-Request-Id"] == ID
    assert noted(client).path == path


def test_pages_that_refuse_nothing_show_no_id(client: Client) -> None:
    """It is for who was refused; others would wonder."""
    for path, _ in PAGES:
        if path != "/verify/letter":
            assert "Request id" not in client.get(path).text


def test_what_is_not_refused_is_not_noted(client: Client) -> None:
    """R124: no row, and not even a thought of one."""
    client.sign_up()
    client.sign_in()
    assert client.get("/session/check").status_code == 204
    assert client.get("/reset?token=none").status_code == 200
    assert client.delete("/sessions").status_code == 303
    client.services.refusals.flush()
    assert count(client.services.db, "refusals") == 0


@pytest.mark.parametrize("kind", sorted(STATUS, key=str))
def test_every_kind_is_noted(client: Client, kind: Type[Any]) -> None:
    """R122: under its status and its code, with the rule that it carries."""
    error: AuthError
    if kind is InvalidInput:
        error = InvalidInput({"email": ["malformed"]})
    elif kind is Throttled:
        error = Throttled(7)
    elif kind is DeletionPending:
        error = DeletionPending(client.services.db.clock.now())
    else:
        error = kind()
    raising(client, error.decided_by("the rule of a test"))
    found = asking(client, "GET", "/fault")
    assert found[2:] == (STATUS[kind], error.code, "the rule of a test",
                         "GET", "/fault")


def test_a_rule_is_never_shown(client: Client) -> None:
    """R122: not as JSON, not as a problem, not in a header."""
    raising(client, Throttled(7).decided_by(f"rule {MARKER}"))
    for accepted in ("*/*", "application/problem+json", "text/html"):
        answer = client.get("/fault", headers={"Accept": accepted})
        assert answer.status_code == 429
        assert MARKER not in answer.text + str(answer.headers)


def test_faults_of_ours_are_noted_by_their_type(client: Client) -> None:
    """R122: what exactly went wrong stands in the log, under the id."""
    raising(client, ValueError(MARKER))
    found = asking(client, "GET", "/fault")
    assert (found.status, found.code) == (500, "internal_error")
    assert found.rule == "a fault of Vestibule's own: ValueError"


@pytest.mark.parametrize("method, path, told", [
    ("DELETE", "/sessions/12345678-1234-4234-8234-123456789012",
     "/sessions/<uuid:session_id>"),
    ("PUT", "/sessions/12345678-1234-4234-8234-123456789012",
     "/sessions/…"),
    ("POST", f"/reset?token={MARKER}&x=1", "/reset"),
    ("PUT", f"/reset?token={MARKER}&x=1", "/reset"),
    ("GET", f"/static/{MARKER}", "/static/<path:filename>"),
    ("GET", f"/{MARKER}", "/…"),
    ("GET", f"/auth/sessions/{MARKER}/check", "/…/sessions/…/check"),
    ("GET", f"/sessions/{MARKER}", "/sessions/…"),
    ("GET", f"/sessions//{MARKER}@example.com", "/sessions//…"),
    ("GET", "/.env", "/…"),
    ("GET", "/" + "sessions/" * 40, "/sessions" * 9 + "/…")])
def test_a_path_is_told_in_our_own_words(
        client: Client, method: str, path: str, told: str) -> None:
    """R117: whatever a stranger puts there may be a secret."""
    assert asking(client, method, path).path == told
    assert MARKER not in everything(client.services.db)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_method_is_told(client: Client, method: str) -> None:
    """One that HTTP has, as it is."""
    assert asking(client, method, "/reset_password").method == method


def test_another_method_is_not_told(client: Client) -> None:
    """R117: a method is any word that a client likes."""
    found = asking(client, "MARKER7SECRET", "/profile")
    assert (found.status, found.method) == (405, "another")


def test_unfit_fields_are_told_without_their_values(client: Client) -> None:
    """R117: and without the names that a client made up."""
    found = asking(client, "POST", "/users",
                   json={"email": MARKER, "password": ""})
    assert found.rule == "email: malformed; password: required"
    client.sign_up()
    client.sign_in()
    client.request("PATCH", "/profile", json={MARKER: MARKER, "name": 1},
                   headers={"X-Request-Id": f"{ID}-again"})
    client.services.refusals.flush()
    found, = client.services.refusals.of_request(f"{ID}-again", 9)
    assert found.rule == "another field: unknown_field; name: not_a_text"
    assert MARKER not in everything(client.services.db)


@pytest.mark.parametrize("headers, rule", [
    ({"Sec-Fetch-Site": "cross-site"}, FOREIGN_SITE),
    ({"Sec-Fetch-Site": MARKER, "Origin": "http://127.0.0.1:5000"},
     FOREIGN_SITE),
    ({"Origin": f"https://{MARKER}"}, FOREIGN_ORIGIN),
    ({"Origin": "null"}, FOREIGN_ORIGIN)])
def test_a_request_of_another_site_is_told_by_its_header(
        client: Client, headers: Dict[str, str], rule: str) -> None:
    """R048: which of the two decided."""
    assert asking(client, "POST", "/users", json=BOB,
                  headers=headers).rule == rule
    assert MARKER not in everything(client.services.db)


def test_a_refusal_of_the_transport_is_told_by_its_code(
        client: Client) -> None:
    """R122: nobody else decided."""
    found = asking(client, "POST", "/users", data=b"{}",
                   content_type="text/plain")
    assert (found.status, found.rule) == (
        415, "transport: unsupported_media_type")
    assert Refused(400, "code", "Words.").rule == "transport: code"


def test_a_path_without_a_route_says_so(client: Client) -> None:
    """Unlike one that has a route, and nothing for this caller."""
    assert asking(client, "GET", "/nothing").rule == NO_ROUTE


@pytest.mark.parametrize("cookie, rule", [
    ("", sessions.NO_COOKIE),
    (f"session_id={MARKER}", sessions.MALFORMED),
    (f"session_id={UNTRUE}", sessions.UNKNOWN),
    ("session_id={token}; session_id=x", TWO_COOKIES),
    ("session_id={id}." + "a" * 43, sessions.WRONG_SECRET)])
def test_a_missing_session_is_told_by_its_case(
        client: Client, cookie: str, rule: str) -> None:
    """R122: the client sees one refusal, the operator five."""
    client.sign_up()
    token = str(cookie_of(client.sign_in()))
    sent = cookie.format(token=token, id=token.partition(".")[0])
    found = asking(client.program(), "GET", "/profile",
                   headers={"Cookie": sent})
    assert (found.code, found.rule) == ("session_required", rule)


@pytest.mark.parametrize("case, rule", [
    ("idle", sessions.IDLE), ("expired", sessions.EXPIRED),
    ("disabled", sessions.DISABLED), ("leaving", sessions.LEAVING)])
def test_a_dead_session_is_told_by_what_ended_it(
        client: Client, case: str, rule: str) -> None:
    """R122: an operator who disabled somebody need not wonder."""
    client.sign_up()
    client.sign_in()
    clock: Any = client.services.db.clock
    db = client.services.db
    user = db.find_user_by(email=BOB["email"])
    if case == "disabled":
        db.update_user(user.id, disabled_at=clock.now())
    elif case == "leaving":
        db.update_user(user.id, delete_after=clock.now())
    else:
        clock.advance(days=8 if case == "idle" else 31)
    assert asking(client, "GET", "/profile").rule == rule


def test_a_refused_token_is_told_by_its_case(client: Client) -> None:
    """R122: a link and a code; how wrong it was is not for the client."""
    client.sign_up()
    client.post("/reset_password", {"email": BOB["email"]})
    client.services.delivery.send_due()
    letters = client.get("/dev/mailbox").get_json()["letters"]
    code, = {found for letter in letters if "/reset?" in letter["text"]
             for found in re.findall(r"^\d{4} \d{4}$", letter["text"], re.M)}
    wrong = "0000 0000" if code != "0000 0000" else "0000 0001"
    rules: List[Any] = []
    for number, body in enumerate((
            {"reset_token": "none"}, {"email": BOB["email"], "code": wrong},
            {"email": "eve@example.com", "code": wrong})):
        answer = client.request(
            "PUT", "/reset_password",
            json=dict(body, new_password="another"),
            headers={"X-Request-Id": f"{ID}-{number}"})
        assert answer.status_code == 403
        client.services.refusals.flush()
        found, = client.services.refusals.of_request(f"{ID}-{number}", 9)
        rules.append(found.rule)
    assert rules == [NO_OPEN_LINK, WRONG_CODE, NO_OPEN_CODE]


def test_a_note_that_fails_fails_no_request(
        client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """R121: whatever went wrong, the answer is what it would have been."""
    nothing: Any = None
    broken = client.services._replace(refusals=nothing)
    client.app.extensions["vestibule"] = broken
    answer = client.get("/profile", headers=HEADERS)
    assert answer.status_code == 403
    assert answer.get_json() == {"message": "You are not signed in."}
    assert "A refusal is not noted: AttributeError" in caplog.text


def test_nobody_else_answers_with_an_error() -> None:
    """R122: a view that did so by itself would be explained to nobody.

    Only ``web/errors.py`` does, and what it does is noted.
    """
    by_itself = re.compile(r"(status=|, |\()[45]\d\d\b(?!, \")")
    views = [path for folder in ("web", "features")
             for path in (ROOT / "vestibule" / folder).rglob("*.py")
             if path.name != "errors.py"]
    assert len(views) > 20
    assert [path for path in views
            if by_itself.search(path.read_text("utf-8"))] == []
