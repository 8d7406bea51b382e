#!/usr/bin/env python3
"""Whoever reads the tables or the log holds no key to any account."""

import logging
import re
from typing import Dict, List

import pytest

from tests.support.builders import everything
from tests.support.client import Client, cookie_of
from tests.support.post import Post
from vestibule.store.db import DB

BOB, NEW, EVE = "bob@example.com", "robert@example.com", "eve@example.com"
FIRST, SECOND, THIRD, WRONG = (
    "first password of Bob", "second password of Bob",
    "third password of Bob", "never anybody's password")
WORD = re.compile(r"[A-Za-z0-9_+/=.-]{16,}")


class Secrets:
    """All that was secret in the course of a story, and what is stored."""

    def __init__(self, post: Post) -> None:
        """Begin with the passwords."""
        self.found: List[str] = [FIRST, SECOND, THIRD, WRONG]
        self.dumps: List[str] = []
        self._post = post

    def dump(self) -> None:
        """Read all tables as they are at this moment."""
        self._post.client.services.refusals.flush()
        self.dumps.append(everything(self._post.client.services.db))

    def letter(self, to: str, words: str = "") -> str:
        """Return the token of a letter, and note it with its code."""
        self.dump()
        letter = self._post.letter(to, words)
        self.dump()
        self.found.append(letter.token)
        if "type this code" in letter.text:
            self.found += [letter.code,
                           f"{letter.code[:4]} {letter.code[4:]}"]
        return letter.token

    def cookies(self, answer: object) -> None:
        """Note the values of the cookies that an answer sets."""
        for header in getattr(answer, "headers").getlist("Set-Cookie"):
            value = header.partition("=")[2].partition(";")[0]
            self.found += [value, value.rpartition(".")[2]]


def _live(post: Post) -> Secrets:
    """Let Bob go through everything, and note what was secret."""
    secrets, bob = Secrets(post), post.client
    secrets.cookies(bob.sign_up(email=BOB, password=FIRST))
    bob.sign_in(email=BOB, password=FIRST)
    bob.sign_in(email=BOB, password=WRONG)
    token = secrets.letter(BOB)
    bob.another().put("/verify_email", {"token": token, "password": WRONG})
    bob.put("/verify_email", {"token": token})
    secrets.cookies(bob.sign_in(email=BOB, password=FIRST))
    secrets.cookies(bob.put("/password", {
        "current_password": FIRST, "new_password": SECOND}))
    undo = secrets.letter(BOB, "Your password")
    bob.put("/email", {"email": NEW})
    bob.put("/verify_email", {"token": secrets.letter(NEW)})
    secrets.letter(BOB, "Your address")
    bob.post("/reset_password", {"email": NEW})
    bob.put("/reset_password", {"reset_token": secrets.letter(NEW),
                                "new_password": THIRD})
    secrets.letter(NEW, "Your password")
    bob.post("/undo", {"token": undo})
    secrets.letter(BOB, "new password")
    bob.another().sign_up(email=EVE, password=WRONG)
    bob.put("/verify_email", {"token": secrets.letter(EVE),
                              "new_password": SECOND})
    secrets.dump()
    return secrets


def test_no_table_and_no_log_ever_holds_a_secret(
        mailed: Post, caplog: pytest.LogCaptureFixture) -> None:
    """R111, R113: passwords, tokens, codes and cookies, at any moment."""
    caplog.set_level(logging.DEBUG)
    secrets = _live(mailed)
    assert len(secrets.found) > 25
    # The mail server of the tests logs the letters themselves.
    logged = [record.getMessage() for record in caplog.records
              if not record.name.startswith("mail.")]
    written = "\n".join([*secrets.dumps, *logged])
    for secret in secrets.found:
        bounded = rf"(?<!\w){re.escape(secret)}(?!\w)"
        assert not re.search(bounded, written), secret


def test_nothing_that_is_stored_opens_anything(mailed: Post) -> None:
    """R057, R111: each stored word, tried as each kind of key."""
    client = mailed.client
    client.sign_up(email=BOB, password=FIRST)
    mailed.client.put("/verify_email", {"token": mailed.letter(BOB).token})
    session = str(cookie_of(client.sign_in(email=BOB, password=FIRST)))
    client.post("/reset_password", {"email": BOB})
    client.put("/email", {"email": NEW})
    client.another().sign_up(email=EVE, password=FIRST)
    mailed.deliver()
    client.services.refusals.flush()
    words = {word for word in WORD.findall(everything(client.services.db))
             if not word.isdigit()}
    assert len(words) > 20
    session_id = session.partition(".")[0]
    for word in words:
        _try(client, {"token": word, "reset_token": word, "email": BOB,
                      "code": word, "new_password": SECOND})
        for token in (word, f"{session_id}.{word}"):
            refused = client.program().get("/profile", headers={
                "Cookie": f"__Host-session_id={token}"})
            assert refused.status_code == 403
        assert client.another().sign_in(
            email=BOB, password=word).status_code == 401
    assert client.get("/profile").status_code == 200


def _try(client: Client, body: Dict[str, str]) -> None:
    """Send a stored word to whatever takes a token or a code."""
    stranger = client.another()
    by_code = {name: body[name] for name in ("email", "code", "new_password")}
    for sent in (body, by_code):
        for method, path in (("PUT", "/reset_password"),
                             ("PUT", "/verify_email"), ("POST", "/undo")):
            answer = stranger.request(method, path, json=sent)
            assert answer.status_code in (403, 422)


def test_a_registration_cookie_is_stored_nowhere(
        client: Client, db: DB) -> None:
    """R111: it is signed, and the table has nothing to compare with."""
    answer = client.sign_up()
    proof = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    expires, _, digest = proof.partition(".")
    assert expires not in everything(db) and digest not in everything(db)
