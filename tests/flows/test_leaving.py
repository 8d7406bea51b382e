#!/usr/bin/env python3
"""People leave, are robbed of their account, come back, and are forgotten."""

import json
import threading
from pathlib import Path
from typing import Any, Dict
from urllib.parse import parse_qs, urlsplit

from tests.support.builders import everything
from tests.support.client import BOB, Client
from tests.support.clock import SetClock
from tests.support.service import Service


def _newest_link(client: Client, page: str) -> str:
    """Have letters delivered; return the token of the newest link there."""
    client.services.delivery.send_due()
    letters = client.get("/dev/mailbox").get_json()["letters"]
    links = [link for letter in letters for link in letter["links"]
             if f"/{page}?token=" in link]
    return str(parse_qs(urlsplit(links[0]).query)["token"][0])


def _housekeeping(client: Client) -> None:
    """Let the service do what it does by itself, letters included."""
    for _ in range(2):
        client.services.housekeeping.purge(threading.Event())
        client.services.delivery.send_due()
    client.services.housekeeping.purge(threading.Event())


def test_the_end_of_an_account(client: Client, clock: SetClock) -> None:
    """R034, R038: exported, left, come back, left, erased, and somebody
    else's who sees nothing of the past.
    """
    client.sign_up()
    client.sign_in()
    client.request("PATCH", "/profile", json={"name": "Bob Marker"})
    first = client.get("/profile/export").get_json()
    assert client.delete("/profile").status_code == 202
    assert client.sign_in().status_code == 403
    clock.advance(days=10)
    assert client.post("/profile/restore", BOB).status_code == 200
    assert client.get("/profile").get_json()["name"] == "Bob Marker"
    assert client.delete("/profile").status_code == 202
    clock.advance(days=13)
    assert client.another().sign_up().status_code == 400
    clock.advance(days=1, minutes=2)
    _housekeeping(client)

    new = client.another()
    assert new.sign_up(password="another person's").status_code == 200
    assert new.sign_in().status_code == 401
    new.sign_in(password="another person's")
    assert new.get("/profile").get_json() == {"email": BOB["email"]}
    document = new.get("/profile/export").get_json()
    assert document["profile"]["id"] != first["profile"]["id"]
    assert {each["what"] for each in document["events"]} == {
        "user.registered", "login.refused", "session.started",
        "profile.exported"}
    assert [each["kind"] for each in document["letters"]] == ["verify"]
    assert len(document["sessions"]) == 1
    rows = everything(client.services.db)
    assert first["profile"]["id"] not in rows
    assert first["sessions"][0]["id"] not in rows
    assert "Marker" not in rows


def test_an_account_that_a_thief_deleted_is_got_back(client: Client) -> None:
    """R034: by the mailbox, though the thief changed the address first."""
    client.sign_up()
    owner, thief = client.another(), client
    thief.services.users.verify(
        thief.services.users.find(BOB["email"]))
    thief.sign_in()
    assert thief.put("/email", {
        "email": "thief@example.org"}).status_code < 300
    token = _newest_link(thief, "verify")
    assert thief.put("/verify_email", {"token": token}).status_code == 200
    assert thief.delete("/profile").status_code == 202

    assert owner.sign_in().status_code == 401
    undo = _newest_link(owner, "undo")
    assert owner.post("/undo", {"token": undo}).status_code == 200
    reset = _newest_link(owner, "reset")
    body = {"reset_token": reset, "new_password": "the owner's own"}
    assert owner.put("/reset_password", body).status_code == 200
    mine: Dict[str, Any] = dict(BOB, password="the owner's own")
    assert owner.post("/sessions", mine).status_code == 403
    assert owner.post("/profile/restore", mine).status_code == 200
    assert owner.get("/profile").get_json() == {"email": BOB["email"]}
    assert thief.get("/profile").status_code == 403
    assert thief.sign_in(email="thief@example.org").status_code == 401


def test_an_export_goes_through_a_real_server(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """In pieces, as one document, with a second one refused."""
    with Service(environ, tmp_path) as service:
        service.request("POST", "/users", BOB)
        cookie = service.request("POST", "/sessions", BOB).headers[
            "Set-Cookie"].partition(";")[0]
        answer = service.request("GET", "/profile/export", Cookie=cookie)
        assert answer.headers["Transfer-Encoding"] == "chunked"
        document = json.loads(answer.text)
        assert document["profile"]["email"] == BOB["email"]
        again = service.request("GET", "/profile/export", Cookie=cookie)
        assert again.status == 429
        assert 86000 < int(again.headers["Retry-After"]) <= 86400
        assert service.terminate() == 0
