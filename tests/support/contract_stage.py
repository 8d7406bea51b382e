#!/usr/bin/env python3
"""How a service is put into the state that an answer of the document needs.

An arrangement prepares the service and returns the options of the request.
"""

import copy
import re
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple

from tests.support.client import BOB, Client
from tests.support.clock import SetClock
from vestibule.store.schema import EMPTY, downgrade

FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) "
                         "Gecko/20100101 Firefox/120.0"}
NEW_EMAIL = "robert@example.com"
NEW_PASSWORD = "four new words instead"
PROFILE = {"name": "Bob", "locale": "en",
           "picture": "https://example.com/bob.png",
           "metadata": {"theme": "dark"}}
PASSWORD = {"password": BOB["password"]}
PASSWORDS = {"current_password": BOB["password"],
             "new_password": NEW_PASSWORD}
TRIES = 5
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


class Stage(NamedTuple):
    """A service with a client, to be put into the state that a case needs."""

    client: Client
    folder: Path


Arrange = Callable[[Stage], Dict[str, Any]]


def sending(**options: Any) -> Arrange:
    """Return an arrangement that needs no preparation."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Return the options, which whoever gets them may change."""
        return copy.deepcopy(options)
    return arrange


def registered(**options: Any) -> Arrange:
    """Return an arrangement for which Bob is registered."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Register Bob and return the options."""
        stage.client.sign_up()
        return copy.deepcopy(options)
    return arrange


def with_key(state: str = "new", **options: Any) -> Arrange:
    """Return an arrangement for a request under an Idempotency-Key.

    The key is ``new``, or its request is ``running``, ``answered`` or
    ``another``.
    """
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Put the key into its state; return the options with it."""
        idempotency = stage.client.services.idempotency
        if state == "running":
            idempotency.begin(KEY["Idempotency-Key"], BOB)
        elif state == "answered":
            stage.client.post("/users", BOB, headers=KEY)
        elif state == "another":
            idempotency.begin(KEY["Idempotency-Key"], {})
        return dict(options, headers=KEY)
    return arrange


def verified(**options: Any) -> Arrange:
    """Return an arrangement for which Bob has proved his address."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Register Bob, count his address as proved, return the options."""
        stage.client.sign_up()
        users = stage.client.services.users
        users.verify(users.find(BOB["email"]))
        return copy.deepcopy(options)
    return arrange


def signed_in(**options: Any) -> Arrange:
    """Return an arrangement for which Bob is signed in."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Sign Bob in and return the options with his cookie."""
        return as_bob(stage, options)
    return arrange


def as_bob(stage: Stage, options: Dict[str, Any]) -> Dict[str, Any]:
    """Sign Bob up and in; return the options with his session."""
    stage.client.sign_up()
    answer = stage.client.post("/sessions", BOB, headers=FIREFOX)
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    headers = {**options.get("headers", {}), "Cookie": cookie}
    return {**options, "headers": headers}


def with_profile(stage: Stage) -> Dict[str, Any]:
    """Let Bob be signed in and have said of himself all that there is."""
    options = as_bob(stage, {})
    assert stage.client.request(
        "PATCH", "/profile", json=PROFILE).status_code == 200
    return options


def with_own_session(**options: Any) -> Arrange:
    """Return an arrangement in which the path names the session that asks.
    """
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Sign Bob in and put the session's id into the path."""
        arranged = as_bob(stage, options)
        session = stage.client.get("/session").get_json()
        return {**arranged, "session_id": session["id"]}
    return arrange


def with_other_session(stage: Stage) -> Dict[str, Any]:
    """Let the path name a session in Bob's other browser."""
    other = stage.client.another()
    options = as_bob(stage, {})
    other.sign_in()
    return {**options, "session_id": other.get("/session").get_json()["id"]}


def with_old_proof(**options: Any) -> Arrange:
    """Return an arrangement for which Bob signed in a while ago."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Sign Bob in and let six minutes go by."""
        arranged = as_bob(stage, options)
        clock = stage.client.services.db.clock
        assert isinstance(clock, SetClock)
        clock.advance(minutes=6)
        return arranged
    return arrange


def with_token(stage: Stage) -> Dict[str, Any]:
    """Let Bob have a reset token."""
    stage.client.sign_up()
    answer = stage.client.post("/reset_password", {"email": BOB["email"]})
    return {"json": {"email": BOB["email"], "new_password": NEW_PASSWORD,
                     "reset_token": answer.get_json()["reset_token"]}}


def with_code(stage: Stage) -> Dict[str, Any]:
    """Let Bob have been mailed a code for a reset."""
    stage.client.sign_up()
    stage.client.post("/reset_password", {"email": BOB["email"]})
    return {"json": {"email": BOB["email"], "new_password": NEW_PASSWORD,
                     "code": _mailed(stage, BOB["email"], "reset").code}}


def verifying(encoding: str = "json", **claim: str) -> Arrange:
    """Return an arrangement that shows the token of Bob's first letter.

    ``claim`` are the fields beside it.
    """
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Register Bob and have the letter delivered."""
        stage.client.sign_up()
        token = _mailed(stage, BOB["email"], "verify").token
        return {encoding: dict(claim, token=token)}
    return arrange


def verifying_by_code(stage: Stage) -> Dict[str, Any]:
    """Let Bob type the code of his first letter, and his password."""
    stage.client.sign_up()
    code = _mailed(stage, BOB["email"], "verify").code
    return {"json": dict(BOB, code=code)}


def verifying_signed_in(stage: Stage) -> Dict[str, Any]:
    """Let Bob be signed in where he opens the link of his first letter."""
    options = as_bob(stage, {})
    token = _mailed(stage, BOB["email"], "verify").token
    return dict(options, json={"token": token})


def verifying_where_registered(stage: Stage) -> Dict[str, Any]:
    """Let Bob open the link in the browser in which he registered."""
    cookie = stage.client.sign_up().headers["Set-Cookie"].partition(";")[0]
    token = _mailed(stage, BOB["email"], "verify").token
    return {"json": {"token": token}, "headers": {"Cookie": cookie}}


def verifying_change(stage: Stage) -> Dict[str, Any]:
    """Let Bob have asked for another address, and been mailed there."""
    as_bob(stage, {})
    asked = stage.client.put("/email", {"email": NEW_EMAIL})
    assert asked.status_code == 202
    return {"json": {"token": _mailed(stage, NEW_EMAIL, "verify").token}}


def verifying_too_often(stage: Stage) -> Dict[str, Any]:
    """Let all the passwords be tried that a token takes, and Bob's after.
    """
    wrong = verifying(password="a wrong one")(stage)
    for _ in range(TRIES):
        refused = stage.client.program().request(
            "PUT", "/verify_email", **wrong)
        assert refused.status_code == 403
    return {"json": dict(wrong["json"], password=BOB["password"])}


def undoing(encoding: str = "json", **options: Any) -> Arrange:
    """Return an arrangement that shows the undo of a changed password."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Change Bob's password and have the letter about it delivered."""
        as_bob(stage, {})
        changed = stage.client.put("/password", PASSWORDS)
        assert changed.status_code == 204
        token = _mailed(stage, BOB["email"], "undo").token
        return dict(options, **{encoding: {"token": token}})
    return arrange


def closed(stage: Stage) -> Dict[str, Any]:
    """Let only the operator register users."""
    services = stage.client.services
    settings = services.settings._replace(registration="closed")
    stage.client.app.extensions["vestibule"] = services._replace(
        settings=settings)
    return {"json": BOB}


def other_schema(stage: Stage) -> Dict[str, Any]:
    """Take the database back to a schema that is not this version's."""
    downgrade(stage.client.services.db.engine, EMPTY)
    return {}


def without_database(**options: Any) -> Arrange:
    """Return an arrangement for which the database has gone."""
    def arrange(stage: Stage) -> Dict[str, Any]:
        """Take the folder of the database away."""
        stage.client.services.db.close()
        shutil.rmtree(stage.folder)
        return copy.deepcopy(options)
    return arrange


class _Mailed(NamedTuple):
    """What a letter holds: the token of its link, and a code if any."""

    token: str
    code: str


def _mailed(stage: Stage, email: str, page: str) -> _Mailed:
    """Deliver what is due; return the keys of the newest letter of a kind.

    That is the one to this address with a link to this page.
    """
    stage.client.services.delivery.send_due()
    link = re.compile(rf"/{page}\?token=([A-Za-z0-9_-]{{43}})\s")
    for letter in stage.client.get("/dev/mailbox").get_json()["letters"]:
        found = link.search(letter["text"])
        if letter["to"] == email and found is not None:
            code = re.search(r"^\d{4} \d{4}$", letter["text"], re.MULTILINE)
            return _Mailed(found.group(1), code.group() if code else "")
    raise AssertionError(f"no letter to {email} leads to /{page}")


def missing_pepper(stage: Stage) -> Dict[str, Any]:
    """Let Bob's hash need a pepper that is not set."""
    stage.client.sign_up()
    db = stage.client.services.db
    user = db.find_user_by(email=BOB["email"])
    db.update_user(
        user.id, hashed_password=f"{{v1:old}}{user.hashed_password}")
    assert stage.client.sign_in().status_code == 401
    return {}


def with_contact(stage: Stage) -> Dict[str, Any]:
    """Let the operator have said whom to tell of a weakness."""
    services = stage.client.services
    settings = services.settings._replace(
        security_contact="mailto:security@example.com")
    stage.client.app.extensions["vestibule"] = services._replace(
        settings=settings)
    return {}
