#!/usr/bin/env python3
"""How the cookies are read: the session's, and that of registration."""

from typing import Any, Dict, List

import pytest

from tests.support.builders import letters
from tests.support.client import BOB, Client, cookie_of
from tests.support.clock import SetClock
from tests.support.post import Post

SOME_ID = "6f1c1c62-3a0c-4b7e-9d55-0f6a8e0f3b11"


def _profile(client: Client, cookie: str) -> Any:
    """Ask for the profile with this Cookie header."""
    return client.program().get("/profile", headers={"Cookie": cookie})


@pytest.fixture
def token(client: Client) -> str:
    """Return the token of a live session of Bob's."""
    client.sign_up()
    return str(cookie_of(client.sign_in()))


def test_the_cookie_opens_the_session(client: Client, token: str) -> None:
    """Other cookies around it do not matter."""
    assert _profile(client, f"a=b; session_id={token};c=d").status_code == 200


@pytest.mark.parametrize("cookie", [
    "session_id=", "session_id", "=session_id={token}",
    "=__Host-session_id={token}", "__Host-session_id={token}",
    "Session_id={token}", 'session_id="{token}"', "session_id={token}x",
    "session_id={id}", "session_id=.", "session_id=%00", "session_id=\xff",
    "session_id=" + "x" * 5000, ";;;", "=", "session_id={token}%20"])
def test_anything_else_opens_nothing(
        client: Client, token: str, cookie: str) -> None:
    """R030, R052, R100: 403, never a fault."""
    header = cookie.format(token=token, id=token.split(".")[0])
    assert _profile(client, header).status_code == 403


def test_two_cookies_that_differ_are_refused(
        client: Client, token: str) -> None:
    """R052: and the cookie is not cleared, since one of them is good."""
    other = f"{SOME_ID}.{'x' * 43}"
    for header in (f"session_id={token}; session_id={other}",
                   f"session_id={other}; session_id={token}"):
        answer = _profile(client, header)
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers
    twice = f"session_id={token}; session_id={token}"
    assert _profile(client, twice).status_code == 200


@pytest.mark.parametrize("where", ["query", "header", "body"])
def test_only_the_cookie_carries_a_session(
        client: Client, token: str, where: str) -> None:
    """R030: not the URL, no other header, no body."""
    program = client.program()
    if where == "query":
        answer = program.get(f"/profile?session_id={token}")
    elif where == "header":
        answer = program.get("/profile", headers={
            "X-Session-Id": token, "Authorization": f"Bearer {token}"})
    else:
        answer = program.request("DELETE", "/sessions",
                                 json={"session_id": token})
    assert answer.status_code == 403


def test_a_live_session_with_a_wrong_secret_keeps_its_cookie(
        client: Client, token: str) -> None:
    """R044: a late tab must not wipe the cookie that took its place."""
    header = f"session_id={token.split('.')[0]}.{'x' * 43}"
    answer = _profile(client, header)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_an_unknown_session_clears_the_cookie(client: Client) -> None:
    """R029, R044: what was never issued is refused and taken back."""
    answer = _profile(client, f"session_id={SOME_ID}.{'x' * 43}")
    assert answer.status_code == 403
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


def test_a_failed_login_leaves_the_session_alone(
        client: Client, token: str) -> None:
    """R011: 401 sets, changes and clears nothing."""
    answer = client.sign_in(password="wrong")
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert client.get("/profile").status_code == 200


def test_a_login_replaces_the_session(client: Client, token: str) -> None:
    """R010: a new id each time, and the one presented ends."""
    renewed = str(cookie_of(client.sign_in()))
    assert renewed.split(".")[0] != token.split(".")[0]
    assert _profile(client, f"session_id={token}").status_code == 403
    assert _profile(client, f"session_id={renewed}").status_code == 200


def test_a_login_with_an_unclear_cookie_still_works(
        client: Client, token: str) -> None:
    """A person whose browser holds two cookies must get in."""
    header = f"session_id={token}; session_id=other"
    answer = client.program().post(
        "/sessions", {"email": "bob@example.com",
                      "password": "correct horse battery"},
        headers={"Cookie": header})
    assert answer.status_code == 200


@pytest.fixture
def proof(client: Client) -> str:
    """Let Bob register; return what his browser keeps of it."""
    registered = client.sign_up().headers["Set-Cookie"]
    return str(registered.partition("=")[2].partition(";")[0])


@pytest.fixture
def mailed(client: Client, proof: str) -> str:
    """Return the token of the letter that greets Bob."""
    return Post(client).letter(BOB["email"]).token


def _confirm(client: Client, token: str, cookie: str) -> Any:
    """Confirm Bob's address with this Cookie header and nothing else."""
    return client.program().put(
        "/verify_email", {"token": token}, headers={"Cookie": cookie})


def test_registering_sets_a_cookie_that_scripts_cannot_read(
        client: Client) -> None:
    """R046: for a day, for our own site, and no session."""
    answer = client.sign_up()
    header, = answer.headers.getlist("Set-Cookie")
    name, *attributes = header.split("; ")
    assert name.startswith("registration=")
    assert {each for each in attributes if "Expires" not in each} == {
        "HttpOnly", "Max-Age=86400", "Path=/", "SameSite=Lax"}
    assert client.get("/profile").status_code == 403


def test_over_https_browsers_guard_the_registration_cookie(
        production: Client) -> None:
    """R046: ``__Host-`` and Secure; the bare name opens nothing there."""
    header, = production.sign_up().headers.getlist("Set-Cookie")
    assert header.startswith("__Host-registration=")
    assert "; Secure" in header
    assert "Domain" not in header


def test_a_refused_registration_sets_no_cookie(client: Client) -> None:
    """Neither for a taken address nor for unfit values."""
    client.sign_up()
    unfit: List[Dict[str, str]] = [
        {}, {"email": "nobody"}, {"password": ""}]
    for changes in unfit:
        refused = client.another().sign_up(**changes)
        assert refused.status_code in (400, 422)
        assert "Set-Cookie" not in refused.headers


def test_the_registration_cookie_confirms(
        client: Client, mailed: str, proof: str) -> None:
    """R005: whatever other cookies are there, a dead session among them."""
    cookies = f"a=b; session_id={SOME_ID}.{'x' * 43};registration={proof};c=d"
    assert _confirm(client, mailed, cookies).status_code == 200


@pytest.mark.parametrize("cookie", [
    "", "registration=", "registration", "registration=.",
    "registration={expires}", "registration={expires}.",
    "registration={proof}x", "registration={proof}=", "Registration={proof}",
    'registration="{proof}"', "registration={proof}%20",
    "__Host-registration={proof}", "=registration={proof}",
    "registration=.{digest}", "registration=x.{digest}",
    "registration={later}.{digest}", "registration=\xff.\xff",
    "registration=99999999999999999999999.{digest}",
    "registration={proof}; registration={expires}.{other}",
    "registration=" + "9" * 5000, "session_id={proof}"])
def test_any_other_registration_cookie_proves_nothing(
        client: Client, mailed: str, proof: str, cookie: str) -> None:
    """R005, R100: 403 and never a fault; the token stays good."""
    expires, _, digest = proof.partition(".")
    header = cookie.format(
        proof=proof, expires=expires, digest=digest,
        later=int(expires) + 10 ** 12, other=digest[::-1])
    assert _confirm(client, mailed, header).status_code == 403
    assert _confirm(
        client, mailed, f"registration={proof}").status_code == 200


def test_the_registration_cookie_is_good_for_a_day(
        client: Client, proof: str, clock: SetClock) -> None:
    """R005: then the password has to be shown, whatever the browser keeps.
    """
    clock.advance(hours=23, minutes=59)
    client.post("/verify_email", {"email": BOB["email"]})
    token = Post(client).deliver()[-1].token
    clock.advance(minutes=2)
    assert _confirm(client, token, f"registration={proof}").status_code == 403
    done = client.program().put(
        "/verify_email", {"token": token, "password": BOB["password"]})
    assert done.status_code == 200


def test_the_registration_cookie_alone_does_nothing(
        client: Client, proof: str) -> None:
    """R005: it is no session and no token."""
    cookie = {"Cookie": f"registration={proof}; session_id={proof}"}
    program = client.program()
    answers: List[Any] = [
        program.get("/profile", headers=cookie),
        program.get("/session", headers=cookie),
        program.put("/email", {"email": "a@example.com"}, headers=cookie),
        program.put("/verify_email", {"token": proof}, headers=cookie)]
    assert [each.status_code for each in answers] == [403] * 4
    assert [each.kind for each in letters(client.services.db)] == ["verify"]


def test_the_cookie_of_another_user_proves_nothing(
        client: Client, mailed: str) -> None:
    """R005: it is bound to the user who was made then."""
    header = client.another().sign_up(
        email="eve@example.com").headers["Set-Cookie"]
    cookie = header.partition(";")[0]
    assert _confirm(client, mailed, cookie).status_code == 403


def test_a_live_session_beside_two_cookies_is_not_guessed(
        client: Client, mailed: str, token: str) -> None:
    """R052: nor does it stop the registration cookie from counting."""
    unclear = f"session_id={token}; session_id={SOME_ID}.{'x' * 43}"
    assert _confirm(client, mailed, unclear).status_code == 403
