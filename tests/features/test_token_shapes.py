#!/usr/bin/env python3
"""Nothing but the very token of a letter does what the letter is for.

Keycloak CVE-2026-18963, Devise CVE-2019-16109 (a blank token), Zitadel
CVE-2026-27840 (a truncated one).
"""

from typing import Any, Dict, List, NamedTuple, Tuple

import pytest

from tests.support.builders import all_but_tries
from tests.support.client import BOB, Client
from tests.support.post import Post
from vestibule.base.digest import digest_of

EMAIL = BOB["email"]
NEW = "robert@example.com"
MINE = "a password of my own"
# Method, path, and the field of the token.
DOORS = {"reset": ("PUT", "/reset_password", "reset_token"),
         "verify": ("PUT", "/verify_email", "token"),
         "change": ("PUT", "/verify_email", "token"),
         "undo": ("POST", "/undo", "token"),
         "reset page": ("POST", "/reset", "token"),
         "verify page": ("POST", "/verify", "token"),
         "change page": ("POST", "/verify", "token")}
ABSENT = object()


class Held(NamedTuple):
    """A token of each purpose, of two users, and who holds them all."""

    client: Client
    tokens: Dict[str, str]
    codes: Dict[str, str]


@pytest.fixture
def held(post: Post) -> Held:
    """Have each kind of letter sent, and leave all their tokens good."""
    client = post.client
    client.sign_up()
    client.put("/verify_email", {"token": post.letter(EMAIL).token})
    session = client.sign_in()
    client.put("/password", {"current_password": BOB["password"],
                             "new_password": "another"})
    found = {"undo": post.letter(EMAIL)}
    client.put("/email", {"email": NEW})
    found["change"] = post.letter(NEW)
    client.another().sign_up(email="eve@example.com")
    found["verify"] = post.letter("eve@example.com")
    client.post("/reset_password", {"email": EMAIL})
    found["reset"] = post.letter(EMAIL)
    tokens = {name: letter.token for name, letter in found.items()}
    codes = {name: found[name].code for name in ("change", "verify", "reset")}
    tokens["session"] = session.headers["Set-Cookie"].split(";")[0]
    return Held(client.program(), tokens, codes)


def _variants(token: str) -> List[Any]:
    """Return what is not the token, and what is no text at all."""
    return [
        ABSENT, None, "", " ", [], [token], {}, {"token": token}, 0, 1, 1.5,
        True, False, token.swapcase(), token.upper(), token.lower(),
        token[:-1], token[1:], token[:16], token + "A", "A" + token,
        token + "=", token + "==", token + " ", " " + token, token + "\n",
        token + "\t", token + "\u200b", token + token, token[::-1],
        token + "%00", token.replace(token[0], "%" + token[0]),
        "A" * 43, "*", "%", "_" * 43, "' OR '1'='1", digest_of(token),
        digest_of(token).upper(), "null", "undefined", "\u0130" * 43,
        token + "\0", "\ud800" + token]


def _body(door: str, value: Any) -> Dict[str, Any]:
    """Return a whole request's body, with this for a token."""
    body = {"email": EMAIL if door.startswith("reset") else NEW,
            DOORS[door][2]: value, "new_password": MINE}
    return {name: each for name, each in body.items() if each is not ABSENT}


@pytest.mark.parametrize("door", sorted(DOORS))
def test_no_other_shape_of_a_token_is_taken(held: Held, door: str) -> None:
    """R060, R061: 403 or 422, nothing changed; the token itself is good."""
    method, path, _ = DOORS[door]
    token = held.tokens[door.partition(" ")[0]]
    before = all_but_tries(held.client.services.db)
    for value in _variants(token):
        if value == token:
            continue
        refused = held.client.request(method, path, json=_body(door, value))
        assert refused.status_code in (403, 422), value
        assert "Set-Cookie" not in refused.headers
    assert all_but_tries(held.client.services.db) == before
    done = held.client.request(method, path, json=_body(door, token))
    assert done.status_code == 200


@pytest.mark.parametrize("door", sorted(DOORS))
def test_no_shape_of_a_form_is_taken(held: Held, door: str) -> None:
    """R060, R012: the query and doubled fields least of all."""
    method, path, field = DOORS[door]
    token = held.tokens[door.partition(" ")[0]]
    before = all_but_tries(held.client.services.db)
    bodies: List[Tuple[str, str]] = [
        (f"?{field}={token}", "new_password=mine"),
        ("", f"{field}=&new_password=mine"), ("", f"{field}&new_password=a"),
        ("", f"{field}[]={token}&new_password=mine"),
        ("", f"{field.upper()}={token}&new_password=mine"),
        ("", f"{field}={token}&{field}={token}&new_password=mine"),
        ("", f"{field}=x&{field}={token}&new_password=mine"),
        ("", f"{field}={token}%00&new_password=mine"),
        ("", f"{field}={token};new_password=mine")]
    for query, text in bodies:
        refused = held.client.request(
            method, path + query, data=text,
            content_type="application/x-www-form-urlencoded")
        assert refused.status_code in (400, 403, 422), text
    assert all_but_tries(held.client.services.db) == before


@pytest.mark.parametrize("door", sorted(DOORS))
def test_a_token_of_another_purpose_is_refused(
        held: Held, door: str) -> None:
    """R061: each opens its own door and no other, sessions included."""
    method, path, _ = DOORS[door]
    before = all_but_tries(held.client.services.db)
    for purpose, token in held.tokens.items():
        if DOORS.get(purpose, ("", "", ""))[1] == DOORS[door.split()[0]][1]:
            continue
        refused = held.client.request(method, path, json=_body(door, token))
        assert refused.status_code == 403, purpose
        assert "Set-Cookie" not in refused.headers
    assert all_but_tries(held.client.services.db) == before


CODE_DOORS = ("reset", "verify", "change")


@pytest.mark.parametrize("door", CODE_DOORS)
def test_no_other_shape_of_a_code_is_taken(held: Held, door: str) -> None:
    """R060: unfit ones cost no try, and a wrong address finds nothing."""
    method, path, field = DOORS[door]
    email = {"reset": EMAIL, "verify": "eve@example.com", "change": NEW}[door]
    code = held.codes[door]
    body: Dict[str, Any] = {"email": email, "new_password": MINE}
    unfit: List[Dict[str, Any]] = [
        {}, {"code": None}, {"code": [code]}, {"code": int(code)},
        {"code": {"code": code}}, {"code": code, "email": None},
        {"code": code, "email": [email]}, {"code": code, "email": ""},
        {"code": code, "email": "*"}, {"code": code, field: None},
        {"code": code, field: ""}, {"code": code, field: []},
        {"code": code, field: code},
        {"code": code, "email": "nobody@example.com"},
        {"code": "\0" + code}]
    for changes in unfit:
        refused = held.client.request(
            method, path, json={**body, **changes})
        assert refused.status_code in (403, 422), changes
    without = held.client.request(
        method, path, json={"code": code, "new_password": MINE})
    assert without.status_code == 422
    done = held.client.request(method, path, json=dict(body, code=code))
    assert done.status_code == 200


@pytest.mark.parametrize("door", CODE_DOORS)
def test_a_wrong_code_is_refused_in_every_shape(
        held: Held, door: str) -> None:
    """R061: shortened, prolonged, in other digits, of another purpose."""
    method, path, _ = DOORS[door]
    email = {"reset": EMAIL, "verify": "eve@example.com", "change": NEW}[door]
    code = held.codes[door]
    arabic = "".join(chr(0x660 + int(digit)) for digit in code)
    others = [held.codes[name] for name in CODE_DOORS if name != door]
    for wrong in ("", code[:-1], code + "0", arabic, *others):
        refused = held.client.request(method, path, json={
            "email": email, "code": wrong, "new_password": MINE})
        assert refused.status_code == 403, wrong


@pytest.mark.parametrize("door", sorted(DOORS))
def test_a_spent_token_stays_spent(held: Held, door: str) -> None:
    """R104: the same request again is refused, and changes nothing."""
    method, path, _ = DOORS[door]
    body = _body(door, held.tokens[door.partition(" ")[0]])
    first = held.client.request(method, path, json=body)
    before = all_but_tries(held.client.services.db)
    again = held.client.request(method, path, json=body)
    assert (first.status_code, again.status_code) == (200, 403)
    assert all_but_tries(held.client.services.db) == before
