#!/usr/bin/env python3
"""Where letters go to, and where their links lead to.

To the stored address alone, and to the configured origin alone: GitLab
CVE-2023-7028, Django CVE-2019-19844, NextAuth GHSA-7rqj-j65f-68wh, Supabase
GHSA-3529-5m8x-rpv3, Zitadel CVE-2025-64101.
"""

import re
from typing import Any, Dict, List

import pytest

from tests.support.builders import everything, letters
from tests.support.client import BOB, Client, cookie_of
from tests.support.post import ORIGIN, Post, Received, origin_of

EMAIL = BOB["email"]
EVE = "eve@evil.example.net"
URL = re.compile(r"https?://[^\s\"'<>]+")
ODD = [
    "bob\uff20example.com", "bob\ufe6bexample.com", '"bob"@example.com',
    '"bob smith"@example.com', f'"bob@example.com,"@{EVE[4:]}',
    f'"{EVE}"@example.com', "bob@ex\u00e4mple.com", "b\u00f6b@example.com",
    "bob@\u0435xample.com", "b\u043eb@example.com", "bob@exa\u217fple.com",
    "bob@\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com",
    "bob@example\u3002com", "bob@example\u2024com", "bob@\u24d4xample.com",
    "BOB@EXAMPLE.COM", "Bob@example.com", "bo\u0412@example.com",
    "bob@example.com.", "bob@.example.com", "bob@example..com",
    "bob.@example.com", ".bob@example.com", "bob@@example.com",
    f"bob@example.com,{EVE}", f"bob@example.com, {EVE}",
    f"{EVE},bob@example.com", f"bob@example.com;{EVE}",
    f"bob@example.com {EVE}", f"bob@example.com\r\nBcc: {EVE}",
    f"bob@example.com\nBcc: {EVE}", f"bob@example.com\rBcc: {EVE}",
    f"bob@example.com%0d%0aBcc:{EVE}", f"bob@example.com\u2028Bcc: {EVE}",
    f"bob@example.com\x0bBcc: {EVE}", f"bob@example.com\x85Bcc: {EVE}",
    f"bob@example.com>\r\nRCPT TO:<{EVE}", f"bob@example.com> <{EVE}",
    f"Bob <{EVE}>", f"bob@example.com <{EVE}>", f"<{EVE}>", f"(bob){EVE}",
    f"bob(@example.com){EVE[3:]}", "bob@example.com(comment)",
    f"mailto:{EVE}", f"{EVE}?bcc=bob@example.com", "bob@[127.0.0.1]",
    "bob@[IPv6:::1]", "bob@127.0.0.1", "bob@localhost", "bob@host.test",
    "bob@example", "b\u200bob@example.com", "bob@exam\u00adple.com",
    "bob@example.com\u200b", "\u202ebob@example.com", "bob\t@example.com",
    "bob @example.com", "bob@ example.com", " bob@example.com ",
    "\u00a0bob@example.com", "\ufeffbob@example.com",
    "=?utf-8?q?bob?=@example.com", f"=?utf-8?q?{EVE}=0d?=@example.com",
    "bob@xn--e1awg7f.com", "bob@xn--zzzzzz99.com", "bob@-example.com",
    "bob+tag@example.com", "bob%eve@example.com", "bob!eve@example.com",
    "bob/../eve@example.com", "'bob'@example.com", "bob@exam_ple.com",
    "\u0131@example.com", "bob@examp\u0142e.com", "bob@\u212aelvin.com",
    "bob@stra\u00dfe.de", "bob@fa\u00df.de", "b" * 64 + "@example.com",
    "b" * 65 + "@example.com", "b@" + "e" * 63 + ".com",
    "b@" + "e" * 64 + ".com", "bob@example.com\0", "bob\0@example.com",
    "@example.com", "bob@", "@", "bob"]
WAYS = {"registering": "/users", "reset": "/reset_password",
        "verify": "/verify_email", "change": "/email"}


def _ask(client: Client, way: str, email: Any) -> Any:
    """Send this for an address."""
    return client.request(
        "PUT" if way == "change" else "POST", WAYS[way],
        json=dict(BOB, email=email))


@pytest.fixture
def bob(mailed: Post) -> Client:
    """Return Bob's browser, signed in; his address is proved."""
    mailed.client.sign_up()
    mailed.client.put(
        "/verify_email", {"token": mailed.letter(EMAIL).token})
    mailed.client.sign_in()
    return mailed.client


@pytest.mark.parametrize("way", sorted(WAYS))
def test_an_odd_address_is_refused_or_has_one_spelling(
        bob: Client, mailed: Post, way: str) -> None:
    """R003, R054: 422, or the answered, stored and mailed ones are equal."""
    answered = set()
    for odd in ODD:
        answer = _ask(bob, way, odd)
        assert answer.status_code in (200, 202, 422), odd
        if answer.status_code == 422:
            assert list(answer.get_json()["errors"]) == ["email"]
            continue
        spelled = answer.get_json()["email"]
        assert re.fullmatch(r"[!-~]+@[a-z0-9.-]+", spelled), odd
        assert spelled == spelled.lower() and "," not in spelled
        assert "evil" not in spelled
        answered.add(spelled)
    assert {each.recipient for each in letters(bob.services.db)
            if each.kind != "verify" or way in ("registering", "verify")
            } <= answered | {EMAIL}
    came = {each.to for each in mailed.deliver()}
    assert came <= answered
    if way == "registering":
        stored = {each.email for each in bob.services.users.page(200)}
        assert stored == answered | {EMAIL}
        assert came == answered
    elif way != "change":
        assert came <= {EMAIL}


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("value", [
    [EMAIL, EVE], [EMAIL], {"email": EMAIL}, {"0": EMAIL, "1": EVE}, None,
    1, True])
def test_an_address_is_one_text(
        bob: Client, mailed: Post, way: str, value: Any) -> None:
    """R054: GitLab took a list, and mailed to each of it."""
    before = everything(bob.services.db)
    assert _ask(bob, way, value).status_code == 422
    assert everything(bob.services.db) == before
    assert mailed.deliver() == []


@pytest.mark.parametrize("way", sorted(WAYS))
def test_an_address_is_sent_once(
        bob: Client, mailed: Post, way: str) -> None:
    """R012, R054: doubled fields, and a mixture of query and body."""
    method = "PUT" if way == "change" else "POST"
    doubled = f'{{"email": "{EMAIL}", "email": "{EVE}", "password": "x"}}'
    for body, kind in (
            (doubled, "application/json"),
            (f"email={EMAIL}&email={EVE}&password=x",
             "application/x-www-form-urlencoded"),
            (f"email[]={EMAIL}&email[]={EVE}&password=x",
             "application/x-www-form-urlencoded")):
        refused = bob.another().request(
            method, WAYS[way], data=body, content_type=kind)
        assert refused.status_code in (400, 403, 422)
    asked = bob.another().request(
        method, f"{WAYS[way]}?email={EVE}", json={})
    assert asked.status_code in (403, 422)
    assert mailed.deliver() == []


def test_a_letter_has_the_stored_address_and_no_other(
        bob: Client, mailed: Post) -> None:
    """R054: whoever asks, and however they spell it."""
    for typed in ("BOB@EXAMPLE.COM", " bob@Example.com"):
        bob.another().post("/reset_password", {"email": typed})
        letter = mailed.letter(EMAIL, "new password")
        assert typed not in letter.text + letter.html + letter.subject


def _all_letters(bob: Client, mailed: Post,
                 headers: Dict[str, str]) -> List[Received]:
    """Cause a letter of each kind with these headers; return them.

    The cookie is sent by hand: a browser has none for another host.
    """
    cookie = f"__Host-session_id={cookie_of(bob.sign_in())}"
    program = bob.program()

    def send(method: str, path: str, **body: str) -> None:
        """Send one request that causes a letter."""
        answer = program.request(method, path, json=body,
                                 headers=dict(headers, Cookie=cookie))
        assert answer.status_code < 300

    new, password = "robert@example.com", "another good password"
    bob.another().request("POST", "/users", json=BOB, headers=headers)
    bob.another().request("POST", "/users", headers=headers, json=dict(
        BOB, email="eve@example.com"))
    send("POST", "/reset_password", email=EMAIL)
    send("POST", "/verify_email", email="eve@example.com")
    came = mailed.deliver()
    send("PUT", "/email", email=new)
    change, = mailed.deliver()
    send("PUT", "/verify_email", token=change.token)
    send("PUT", "/password", current_password=BOB["password"],
         new_password=password)
    return [*came, change, *mailed.deliver()]


@pytest.mark.parametrize("headers", [
    {}, {"X-Forwarded-Host": "evil.example.net"},
    {"X-Forwarded-Host": "evil.example.net", "X-Forwarded-Proto": "http",
     "X-Forwarded-Port": "8080", "X-Forwarded-Prefix": "/evil",
     "X-Forwarded-For": "203.0.113.9", "X-Script-Name": "/evil"},
    {"Forwarded": "host=evil.example.net;proto=http"},
    {"X-Original-Host": "evil.example.net", "X-Host": "evil.example.net",
     "X-Forwarded-Server": "evil.example.net",
     "X-HTTP-Host-Override": "evil.example.net",
     "X-Original-URL": "https://evil.example.net/",
     "X-Rewrite-Url": "/evil"},
    {"Host": "EXAMPLE.com"}, {"Host": "example.com:443"},
    {"Host": "127.0.0.1:5000"}])
def test_links_lead_to_the_configured_origin(
        bob: Client, mailed: Post, headers: Dict[str, str]) -> None:
    """R055: whatever a request says about hosts; in text and HTML alike."""
    came = _all_letters(bob, mailed, headers)
    assert len(came) == 6
    assert len({each.subject for each in came}) == 6
    for letter in came:
        urls = URL.findall(letter.text) + URL.findall(letter.html)
        assert {origin_of(url) for url in urls} == {ORIGIN}
        assert "evil" not in letter.text + letter.html + letter.subject


@pytest.mark.parametrize("host", [
    "evil.example.net", "example.com.evil.example.net", "example.com:8080",
    "evil.example.net:443", "example.com@evil.example.net", ""])
def test_a_request_for_another_host_causes_no_letter(
        mailed: Post, host: str) -> None:
    """R055: it is refused before anything is written."""
    client = mailed.client
    client.sign_up()
    mailed.deliver()
    before = everything(client.services.db)
    for path in ("/users", "/reset_password", "/verify_email", "/forgot"):
        refused = client.post(path, dict(BOB), headers={"Host": host})
        assert refused.status_code == 421
    assert everything(client.services.db) == before
    assert mailed.deliver() == []
