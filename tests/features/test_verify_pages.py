#!/usr/bin/env python3
"""The pages that letters lead to, used without any script."""

from typing import Any

import pytest

from tests.support.builders import everything
from tests.support.client import BOB, Client
from tests.support.pages import HTML, Page, open_page
from tests.support.post import Post, Received

EMAIL, PASSWORD = BOB["email"], BOB["password"]
NEW = "robert@example.com"
MINE = "a password of my own"
PAGES = ("/verify", "/verify?token=x", "/undo", "/undo?token=x", "/reset",
         "/reset?token=x")


@pytest.fixture
def letter(post: Post) -> Received:
    """Let Bob register, and return the letter that greets him."""
    assert post.client.sign_up().status_code == 200
    return post.letter(EMAIL, "Welcome")


def _read(answer: Any) -> Page:
    """Return the page that was answered, checked."""
    page = Page(answer)
    page.check()
    return page


def test_one_press_confirms_where_one_registered(
        client: Client, letter: Received) -> None:
    """The link, the button, done."""
    done = _read(open_page(client, letter.path).send(client))
    assert done.status == 200
    assert EMAIL in done.html
    assert done.forms == []


def test_elsewhere_the_page_asks_who_registered(
        client: Client, letter: Received) -> None:
    """R005: 403 with two forms, for those who did and those who did not."""
    phone = client.another()
    asked = _read(open_page(phone, letter.path).send(phone))
    assert asked.status == 403
    assert asked.alert == ""
    assert [list(form.visible) for form in asked.forms] == [
        ["password"], ["new_password"]]
    wrong = _read(asked.send(phone, password="a guess"))
    assert wrong.status == 403
    assert "not the password" in wrong.alert
    assert len(wrong.forms) == 2
    assert _read(wrong.send(phone, password=PASSWORD)).status == 200


def test_the_page_makes_the_account_the_mailboxs(
        client: Client, letter: Received) -> None:
    """R005: with a password of one's own."""
    phone = client.another()
    asked = _read(open_page(phone, letter.path).send(phone))
    assert _read(asked.send(phone, 1, new_password=MINE)).status == 200
    assert client.sign_in().status_code == 401
    assert client.sign_in(password=MINE).status_code == 200


def test_after_five_wrong_passwords_the_page_asks_to_wait(
        client: Client, letter: Received) -> None:
    """R070: 429 with Retry-After; the account can still be made one's own.
    """
    phone = client.another()
    asked = _read(open_page(phone, letter.path).send(phone))
    for _ in range(5):
        asked = _read(asked.send(phone, password="a guess"))
    late = asked.send(phone, password=PASSWORD)
    assert late.status_code == 429
    assert int(late.headers["Retry-After"]) > 0
    assert "Too many tries" in _read(late).alert
    assert _read(_read(late).send(phone, 1, new_password=MINE)).status == 200


def test_the_page_without_a_token_takes_the_code(
        client: Client, letter: Received) -> None:
    """Typed as it stands in the letter, and kept over the second question.
    """
    phone = client.another()
    page = open_page(phone, "/verify")
    assert list(page.forms[0].visible) == ["email", "code"]
    wrong = _read(page.send(phone, email=EMAIL, code="0000 0000"))
    assert wrong.status == 403
    assert "code is not valid" in wrong.alert
    assert wrong.forms[0].visible["email"]["value"] == EMAIL
    typed = f"{letter.code[:4]} {letter.code[4:]}"
    asked = _read(wrong.send(phone, code=typed))
    assert asked.status == 403
    assert asked.forms[0].hidden == {"email": EMAIL, "code": typed}
    assert _read(asked.send(phone, password=PASSWORD)).status == 200


def test_the_page_confirms_a_changed_address(
        client: Client, post: Post, letter: Received) -> None:
    """By one press, on any device: who asked had proved themselves."""
    client.put("/verify_email", {"token": letter.token})
    client.sign_in()
    client.put("/email", {"email": NEW})
    phone = client.another()
    page = open_page(phone, post.letter(NEW).path)
    done = _read(page.send(phone))
    assert done.status == 200
    assert NEW in done.html
    undo = open_page(phone, post.letter(EMAIL, "Your address").path)
    undone = _read(undo.send(phone))
    assert undone.status == 200
    assert EMAIL in undone.html
    assert _read(undo.send(phone)).status == 403


def test_the_page_resets_by_code(
        client: Client, post: Post, letter: Received) -> None:
    """Without a token the page asks for address, code and password."""
    client.post("/reset_password", {"email": EMAIL})
    reset = post.letter(EMAIL, "new password")
    page = open_page(client, "/reset")
    wrong = _read(page.send(client, email=EMAIL, code="0", new_password=MINE))
    assert wrong.status == 403
    assert "new_password" in wrong.forms[0].visible
    assert MINE not in wrong.html
    done = wrong.send(client, code=reset.code, new_password=MINE)
    assert done.status_code == 200
    assert client.sign_in(password=MINE).status_code == 200


@pytest.mark.parametrize("path", ["/verify", "/undo", "/reset"])
def test_a_dead_link_offers_no_button(client: Client, path: str) -> None:
    """A sentence and a way on instead: pressing again leads nowhere."""
    page = open_page(client, f"{path}?token=dead")
    if path == "/reset":
        refused = _read(page.send(client, new_password=MINE))
    else:
        refused = _read(page.send(client))
    assert refused.status == 403
    assert "not valid" in refused.alert
    assert not any(form.hidden for form in refused.forms)


def test_a_dead_link_leads_to_a_new_letter(
        post: Post, letter: Received) -> None:
    """The newest is the one that works; nobody learns who is known."""
    client = post.client
    refused = _read(open_page(client, "/verify?token=dead").send(client))
    pages = {_read(refused.send(client, email=email)).html
             for email in (EMAIL, "nobody@example.com")}
    assert len(pages) == 1
    newer = post.letter(EMAIL, "Welcome")
    assert newer.path != letter.path
    assert open_page(client, newer.path).send(client).status_code == 200
    wrong = refused.send(client, email="no address")
    assert _read(wrong).status == 422


def test_an_undo_page_without_a_token_says_where_it_is(
        client: Client) -> None:
    """There is no code for it, so there is nothing to press."""
    page = open_page(client, "/undo")
    assert page.forms == []
    assert "letter" in page.html


@pytest.mark.parametrize("path", PAGES)
def test_looking_changes_nothing(client: Client, path: str) -> None:
    """R062: GET and HEAD; no cookie, no Referer, no cache, no frame."""
    client.sign_up()
    before = everything(client.services.db)
    for method in ("GET", "HEAD"):
        seen = client.another().request(method, path, headers=HTML)
        assert seen.status_code == 200
        assert "Set-Cookie" not in seen.headers
        assert seen.headers["Referrer-Policy"] == "no-referrer"
        assert seen.headers["Cache-Control"] == "no-store"
        policy = seen.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
    open_page(client, path)
    assert everything(client.services.db) == before


@pytest.mark.parametrize("path", ["/verify", "/undo", "/reset"])
def test_what_comes_in_never_becomes_markup(
        client: Client, path: str) -> None:
    """From the query and from the form: it is a value, whatever it holds."""
    evil = '"><script>alert(1)</script><input name="x'
    page = Page(client.get(path, query_string={"token": evil}))
    assert page.forms[0].hidden == {"token": evil}
    for sent in ({"token": evil, "new_password": "x"},
                 {"email": evil, "code": evil, "new_password": "x"}):
        answer = client.request("POST", path, data=sent, headers=HTML)
        assert answer.status_code in (403, 422)
        assert "<script>" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/verify", "/reset"])
@pytest.mark.parametrize("sent", [
    {}, {"token": ""}, {"code": "12345678"}, {"email": EMAIL},
    {"email": "nobody", "code": "12345678"}])
def test_an_unfit_form_comes_back(
        client: Client, path: str, sent: Any) -> None:
    """A page with the form again, and never a fault or a bare JSON."""
    page = _read(client.request(
        "POST", path, data=dict(sent, new_password=MINE), headers=HTML))
    assert page.status in (403, 422)
    assert page.alert
    assert len(page.forms) == 1


def test_a_short_password_is_named_as_such(mailed: Post) -> None:
    """The rule is told; the link stays good for a longer one."""
    client = mailed.client
    client.sign_up()
    phone = client.another()
    asked = _read(open_page(phone, mailed.letter(EMAIL).path).send(phone))
    short = _read(asked.send(phone, 1, new_password="short"))
    assert short.status == 422
    assert "15 characters" in short.alert
    assert _read(short.send(phone, 1, new_password=MINE)).status == 200
    client.post("/reset_password", {"email": EMAIL})
    page = open_page(phone, mailed.letter(EMAIL, "new password").path)
    short = _read(page.send(phone, new_password="short"))
    assert "15 characters" in short.alert
    assert short.links == []
    assert short.send(phone, new_password=PASSWORD).status_code == 200


@pytest.mark.parametrize("path", ["/verify", "/undo", "/reset"])
def test_a_form_of_another_site_is_refused(
        client: Client, letter: Received, path: str) -> None:
    """R093: the browser says where it came from."""
    before = everything(client.services.db)
    refused = client.request("POST", path, headers={
        "Sec-Fetch-Site": "cross-site"}, data={
            "token": letter.token, "new_password": MINE})
    assert refused.status_code == 403
    assert everything(client.services.db) == before
