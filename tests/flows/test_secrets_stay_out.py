#!/usr/bin/env python3
"""Every flow, with marked secrets: the log and the tables hold none of them.

A real service in production, two processes, letters by SMTP. What it says on
stdout and stderr, and each column of each table, is searched.
"""

import base64
import json
import re
import socket
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest

from tests.support.builders import everything
from tests.support.post import CODE, LINK
from tests.support.service import Reply, Service
from tests.support.smtp_sink import SmtpSink
from vestibule.store.db import DB

# A service that mails at once, and fails with what it was sent.
FAILING = """
import os
from flask import request
from vestibule import server
from vestibule.base.config import load
from vestibule.kernel import delivery
delivery.POLL_SECONDS = 0.1
class Panic(BaseException): pass
make = server.create_app
def create_app(settings):
    app = make(settings)
    app.add_url_rule("/fail/<kind>", "fail", fail, methods=["POST"])
    return app
def fail(kind):
    raise (Panic if kind == "panic" else ValueError)(
        request.get_data(as_text=True), dict(request.headers), request.url)
server.create_app = create_app
server.serve(load(os.environ).settings)
"""
BOB, NEW, EVE, NOBODY = (
    "bob@example.com", "robert@example.com", "eve@example.com",
    "nobody@example.com")
FIRST, SECOND, THIRD, WRONG = (
    "MarkedFirstPassword-pq71", "MarkedSecondPassword-rs82",
    "MarkedThirdPassword-tu93", "MarkedWrongPassword-vw04")
SETTINGS = {
    "SECRET_KEY": "mK7xR2mT9kW4nQ8vL1sY6dF3hJ5gC0zA-secret-key",
    "PEPPER": "2026a:mP3Vd8Zq1Xw6Tn9Rb4Lm7Ys2Hf5Jg0CpA"}
SMTP_PASSWORD, DATABASE_PASSWORD = (
    "mSmtpPassword5Jg0CpA", "mDatabasePassword9Rb4Lm7")
HEADER, TOKEN, KEY = (
    "mHeaderSecret6dF3hJ5gC0zA1b", "mTokenThatNobodyWasGiven8vL1sY6dF3hJ5gC0z",
    "mIdempotencyKey9kW4nQ8vL1s")
LOGIN = ("vestibule", SMTP_PASSWORD)


class Secrets:
    """All that is secret, by what it is, noted as it comes into being."""

    def __init__(self) -> None:
        """Begin with what an operator and the people have thought of."""
        self.found: Dict[str, str] = {
            "first": FIRST, "second": SECOND, "third": THIRD, "wrong": WRONG,
            "key": SETTINGS["SECRET_KEY"], "smtp": SMTP_PASSWORD,
            "database": DATABASE_PASSWORD, "header": HEADER, "token": TOKEN,
            "pepper": SETTINGS["PEPPER"].partition(":")[2],
            "idempotency": KEY}

    def note(self, kind: str, secret: str) -> None:
        """Note one more secret; an expired cookie is none."""
        if secret:
            self.found[f"{kind} {len(self.found)}"] = secret

    def seen_in(self, text: str) -> List[str]:
        """Return which secrets a text holds, also in pieces or in base64.

        Codes have few digits, and are looked for as whole words.
        """
        return [kind for kind, secret in self.found.items()
                if any(re.search(form, text) for form in _forms(secret))]


def _forms(secret: str) -> Iterator[str]:
    """Yield the patterns that would give a secret away."""
    if secret.isdigit():
        yield rf"(?<!\w){secret}(?!\w)"
        yield rf"(?<!\w){secret[:4]} {secret[4:]}(?!\w)"
        return
    coded = base64.b64encode(secret.encode()).decode()
    for form in (secret, secret[:12], secret[-12:], coded[:16],
                 secret.encode().hex()[:24]):
        yield re.escape(form)


class Browser:
    """Talks to the service, keeps its cookies, and notes what is secret."""

    def __init__(self, service: Service, sink: SmtpSink,
                 secrets: Secrets) -> None:
        """Begin without cookies."""
        self.service = service
        self.secrets = secrets
        self._sink = sink
        self._cookies: Dict[str, str] = {}
        self._read = 0

    def another(self) -> "Browser":
        """Return a browser without cookies."""
        return Browser(self.service, self._sink, self.secrets)

    def ask(self, method: str, path: str,
            body: Optional[Dict[str, Any]] = None, **headers: str) -> Reply:
        """Send a request that could not be more talkative."""
        cookies = "; ".join(f"{name}={value}" for name, value
                            in self._cookies.items())
        sent = dict({"Cookie": cookies, "Authorization": f"Bearer {HEADER}",
                     "X_Api_Key": HEADER, "Referer": f"/?token={TOKEN}"},
                    **headers)
        answer = self.service.request(method, path, body, **sent)
        for line in answer.headers.get("Set-Cookie", "").split("\n"):
            name, _, rest = line.partition("=")
            self._cookies[name] = value = rest.partition(";")[0]
            self.secrets.note(name, value.partition(".")[2])
        return answer

    def mail(self, to: str, words: str) -> Dict[str, str]:
        """Return the token and the code of the next such letter to come."""
        while True:
            self._read += 1
            letter = self._sink.wait_for(self._read)[self._read - 1]
            if letter.recipients == (to,) and words in str(
                    letter.message["Subject"]):
                break
        link, = set(LINK.findall(letter.text))
        found = {"token": link.partition("?token=")[2]}
        self.secrets.note("token", found["token"])
        for code in CODE.findall(letter.text):
            found["code"] = "".join(code)
            self.secrets.note("code", found["code"])
        return found


def tell(browser: Browser) -> None:
    """Register, sign in rightly and wrongly, and verify."""
    registration = {"email": BOB, "password": FIRST}
    for _ in range(2):
        answer = browser.ask(
            "POST", "/users", registration, Idempotency_Key=KEY)
        assert answer.status == 200
    for email, password in ((BOB, WRONG), (NOBODY, WRONG), (WRONG, FIRST),
                            (f"{WRONG}@x", FIRST)):
        assert browser.ask("POST", "/sessions", {
            "email": email, "password": password}).status == 401
    mail = browser.mail(BOB, "Welcome")
    wrong = f"{(int(mail['code']) + 1) % 10**8:08}"
    browser.secrets.note("code", wrong)
    assert browser.ask("PUT", "/verify_email", {
        "email": BOB, "code": wrong}).status == 403
    browser.ask("GET", f"/verify?token={mail['token']}")
    assert browser.ask("PUT", "/verify_email", {
        "email": BOB, "code": mail["code"]}).status == 200
    assert browser.another().ask("POST", "/users", {
        "email": BOB, "password": WRONG}).status == 200
    assert browser.ask("POST", "/sessions", registration).status == 200
    assert browser.ask("GET", "/profile").status == 200


def change(browser: Browser) -> None:
    """Prove oneself, and change password and address, and undo that."""
    for password, status in ((WRONG, 401), (FIRST, 200)):
        assert browser.ask("POST", "/session/reauthenticate", {
            "password": password}).status == status
    for password, status in ((WRONG, 403), (FIRST, 204)):
        assert browser.ask("PUT", "/password", {
            "current_password": password,
            "new_password": SECOND}).status == status
    browser.mail(BOB, "Your password")
    assert browser.ask("PUT", "/email", {"email": NEW}).status == 202
    token = browser.mail(NEW, "Confirm")["token"]
    assert browser.ask("PUT", "/verify_email", {
        "token": token}).status == 200
    undo = browser.mail(BOB, "Your address")["token"]
    browser.ask("GET", f"/undo?token={undo}")
    assert browser.ask("POST", "/undo", {"token": undo}).status == 200
    browser.mail(BOB, "new password")


def recover(browser: Browser) -> None:
    """Lose the password and choose another, by link and by code."""
    assert browser.ask("POST", "/reset_password", {
        "email": BOB}).status == 200
    mail = browser.mail(BOB, "new password")
    browser.ask("GET", f"/reset?token={mail['token']}")
    assert browser.ask("PUT", "/reset_password", {
        "reset_token": TOKEN, "new_password": THIRD}).status == 403
    assert browser.ask("PUT", "/reset_password", {
        "email": BOB, "code": mail["code"],
        "new_password": THIRD}).status == 200
    assert browser.ask("POST", "/sessions", {
        "email": BOB, "password": THIRD}).status == 200


def leave(browser: Browser) -> None:
    """Take the data home, leave, come back, and sign out."""
    back = {"email": BOB, "password": THIRD}
    assert browser.ask("GET", "/profile/export").status == 200
    assert browser.ask("DELETE", "/profile").status == 202
    assert browser.ask("POST", "/sessions", back).status == 403
    assert browser.ask("POST", "/profile/restore", back).status == 200
    assert browser.ask("DELETE", "/sessions").status == 303


def take_over(browser: Browser) -> None:
    """Register somebody's address, who then takes it over."""
    assert browser.ask("POST", "/users", {
        "email": EVE, "password": WRONG}).status == 200
    token = browser.mail(EVE, "Welcome")["token"]
    assert browser.another().ask("PUT", "/verify_email", {
        "token": token, "new_password": SECOND}).status == 200


def blunder(browser: Browser) -> None:
    """Send secrets where they do not belong, and make the service fail."""
    service, secret = browser.service, {"password": WRONG, "email": WRONG}
    for path in (f"/reset/{TOKEN}", f"/reset%3Ftoken={TOKEN}",
                 f"/nowhere?password={WRONG}", f"/sessions/{TOKEN}",
                 f"/users/{BOB}"):
        for method in ("GET", "DELETE", "POST"):
            browser.ask(method, path, secret if method == "POST" else None)
    for cookie in (f"__Host-session_id={TOKEN}", f"session_id={TOKEN}",
                   f"__Host-session_id={TOKEN}; __Host-session_id={WRONG}",
                   f"__Host-registration={TOKEN}.{TOKEN}", TOKEN):
        browser.ask("GET", "/profile", Cookie=cookie)
    bodies: List[Dict[str, Any]] = [
        {"email": WRONG}, {"password": [WRONG]}, {WRONG: WRONG},
        {"email": BOB, "password": WRONG + "\ud800\x00"},
        {"email": f"{WRONG}\r\n{WRONG}", "password": WRONG * 99}]
    for body in bodies:
        for path in ("/users", "/sessions", "/reset_password"):
            browser.ask("POST", path, body)
        browser.ask("PUT", "/reset_password", body)
    for kind in ("panic", "error"):
        answer = browser.ask("POST", f"/fail/{kind}?token={TOKEN}", secret)
        assert answer.status == 500
    for data in (f'{{"password": "{WRONG}"', WRONG, f"password={WRONG}"):
        send(service, "POST /sessions HTTP/1.1", data)
    for line in (f"GET /reset?token={TOKEN} HTP/1.1", f"{TOKEN} / HTTP/1.1",
                 f"GET /reset?token={TOKEN} HTTP/1.1\r\nCookie : {TOKEN}",
                 f"GET / HTTP/1.1\r\nTransfer-Encoding: {TOKEN}",
                 f"GET / HTTP/1.1\r\n {TOKEN}", f"GET / HTTP/{TOKEN}"):
        send(service, line, "")


def send(service: Service, line: str, data: str) -> None:
    """Send a request as it is, which may be none."""
    with socket.create_connection(
            ("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(
            f"{line}\r\nHost: 127.0.0.1:{service.port}\r\n"
            f"Content-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
            f"{data}".encode())
        while connection.recv(4096):
            pass


def settings_for(database_url: str, sink: SmtpSink,
                 pepper: bool) -> Dict[str, str]:
    """Return the environment of the service, each secret in its place."""
    environ = {
        "PROFILE": "production", "WORKERS": "2", "BCRYPT_COST": "10",
        "BASE_URL": "https://example.com", "MAIL_FROM": "mail@example.com",
        "SECRET_KEY": SETTINGS["SECRET_KEY"], "SMTP_URL": sink.url,
        "DATABASE_URL": database_url.replace(
            "@", f":{DATABASE_PASSWORD}@", 1)}
    if pepper:
        environ["PEPPER"] = SETTINGS["PEPPER"]
    return {f"VESTIBULE_{name}": value for name, value in environ.items()}


def stored(database_url: str) -> str:
    """Return all rows of all tables, and what SQLite has of older ones."""
    db = DB(database_url)
    rows = everything(db)
    db.close()
    kind, _, name = database_url.partition(":///")
    files = Path(name).parent.glob("vestibule.db*") if kind == "sqlite" else ()
    return rows + "".join(
        file.read_bytes().decode("latin-1") for file in files)


@pytest.mark.parametrize("pepper", [False, True], ids=["plain", "peppered"])
def test_no_flow_leaves_a_secret_behind(
        database_url: str, tmp_path: Path, pepper: bool,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R113, R117, R123: in what was written, and in what was stored."""
    monkeypatch.chdir(tmp_path)
    secrets, dumps = Secrets(), []
    with SmtpSink(login=LOGIN) as sink, Service(
            settings_for(database_url, sink, pepper), tmp_path,
            (sys.executable, "-c", FAILING)) as service:
        browser = Browser(service, sink, secrets)
        for part in (tell, change, recover, leave, take_over, blunder):
            part(browser)
            dumps.append(stored(database_url))
        assert service.request("GET", "/health/ready").status == 200
        assert service.terminate() == 0
        said = service.log.read_text("utf-8")
    assert len(secrets.found) > 25
    assert secrets.seen_in(said) == []
    for dump in dumps:
        assert secrets.seen_in(dump) == []
    lines = [line for line in said.splitlines()
             if not line.startswith(("Vestibule", "  "))]
    told = [json.loads(line) for line in lines]
    assert len(told) > 80
    assert sum("traceback" in line for line in told) == 2
