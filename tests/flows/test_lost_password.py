#!/usr/bin/env python3
"""A person forgets the password, and gets in again by mail."""

import re
import time
from pathlib import Path
from typing import Any, Dict
from urllib.parse import parse_qs, urlsplit

from tests.support.client import BOB, Client
from tests.support.service import Service


def _reset_link(client: Client) -> str:
    """Have letters delivered and return the newest reset link."""
    client.services.delivery.send_due()
    letters = client.get("/dev/mailbox").get_json()["letters"]
    links = [link for letter in letters for link in letter["links"]
             if "/reset?token=" in link]
    return str(links[0])


def test_a_lost_password_is_replaced_by_mail(client: Client) -> None:
    """Asked for, mailed, chosen on the page: and out everywhere else."""
    client.sign_up()
    client.sign_in()
    laptop = client.another()
    laptop.sign_in()
    phone = client.another()
    phone.post("/reset_password", {"email": BOB["email"]})
    link = urlsplit(_reset_link(phone))
    assert link.netloc == "127.0.0.1:5000"

    page = phone.get(f"{link.path}?{link.query}")
    assert page.status_code == 200
    token = parse_qs(link.query)["token"][0]
    assert token in page.get_data(as_text=True)
    done = phone.request("POST", link.path, data={
        "token": token, "new_password": "a better one"})
    assert done.status_code == 200

    for browser in (client, laptop):
        assert browser.get("/profile").status_code == 403
    assert client.sign_in().status_code == 401
    assert client.sign_in(password="a better one").status_code == 200
    client.services.delivery.send_due()
    newest = phone.get("/dev/mailbox").get_json()["letters"][0]
    assert "was changed" in newest["subject"]
    assert newest["to"] == BOB["email"]
    assert "a better one" not in newest["text"]


def test_looking_at_the_link_spends_nothing(client: Client) -> None:
    """R062: scanners open links; the person's own click still works."""
    client.sign_up()
    client.post("/reset_password", {"email": BOB["email"]})
    link = _reset_link(client)
    for method in ("HEAD", "GET") * 5:
        assert client.request(method, link).status_code == 200
    token = parse_qs(urlsplit(link).query)["token"][0]
    done = client.request("POST", "/reset", data={
        "token": token, "new_password": "another"})
    assert done.status_code == 200


def test_the_page_says_what_is_wrong(client: Client) -> None:
    """A dead link and an unfit password: a sentence, and the form again."""
    dead = client.request("POST", "/reset", data={
        "token": "x", "new_password": "another"})
    assert dead.status_code == 403
    assert "not valid" in dead.get_data(as_text=True)
    odd = client.get('/reset?token="><script>alert(1)</script>')
    assert "<script>" not in odd.get_data(as_text=True)


def test_the_page_for_the_forgetful_tells_nobody_anything(
        client: Client) -> None:
    """R053: the same page for known and unknown; the letter is one's own."""
    client.sign_up()
    assert client.get("/forgot").status_code == 200
    pages = {client.request("POST", "/forgot", data={"email": email}).data
             for email in (BOB["email"], "nobody@example.com")}
    assert len(pages) == 1
    assert "/reset?token=" in _reset_link(client)
    letters = client.get("/dev/mailbox").get_json()["letters"]
    assert {letter["to"] for letter in letters} == {BOB["email"]}
    wrong = client.request("POST", "/forgot", data={"email": "no address"})
    assert wrong.status_code == 422
    assert "not an email address" in wrong.get_data(as_text=True)


def test_letters_are_shown_to_this_machine_alone(client: Client) -> None:
    """The development mailbox is not for the network."""
    for options in ({"environ_base": {"REMOTE_ADDR": "10.0.0.9"}},
                    {"headers": {"X-Forwarded-For": "10.0.0.9"}}):
        answer: Any = client.get("/dev/mailbox", **options)
        assert answer.status_code == 404


def test_production_has_no_mailbox(production: Client) -> None:
    """R150: the conveniences of development are not there."""
    assert production.get("/dev/mailbox").status_code == 404


def test_the_whole_way_works_over_the_wire(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """A running service with its delivery thread, by plain HTTP."""
    with Service(environ, tmp_path) as service:
        service.request("POST", "/users", BOB)
        cookie = service.request("POST", "/sessions", BOB).headers
        session = cookie["Set-Cookie"].partition(";")[0]
        service.request("POST", "/reset_password", {"email": BOB["email"]})
        token = _mailed_token(service)
        done = service.request("PUT", "/reset_password", {
            "reset_token": token, "new_password": "another"})
        assert done.json == {
            "email": BOB["email"], "message": "Password updated"}
        out = service.request("GET", "/profile", Cookie=session)
        assert out.status == 403
        again = service.request(
            "POST", "/sessions", dict(BOB, password="another"))
        assert again.status == 200
        assert service.terminate() == 0
        assert token not in service.log.read_text()


def test_what_was_acknowledged_survives_a_kill(
        environ: Dict[str, str], tmp_path: Path) -> None:
    """R001, R136: registered, killed, started again, logged in."""
    with Service(environ, tmp_path) as service:
        for life in range(3):
            people = [dict(BOB, email=f"bob{life}.{number}@example.com")
                      for number in range(10)]
            for person in people:
                answer = service.request("POST", "/users", person)
                assert answer.status == 200
            service.kill()
            service.start()
            for person in people:
                answer = service.request("POST", "/sessions", person)
                assert answer.status == 200


def _mailed_token(service: Service) -> str:
    """Wait for the delivery thread and return the token of its letter."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(0.1)
        text = service.request("GET", "/dev/mailbox").text
        found = re.search(r"/reset\?token=([A-Za-z0-9_-]{43})", text)
        if found:
            return found.group(1)
    raise AssertionError("no letter came")
