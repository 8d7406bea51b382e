#!/usr/bin/env python3
"""What people change of themselves: the profile and the password."""

import json
from typing import Any

import pytest

from tests.support.client import BOB, Client, cookie_of

BETTER = "a much better password"


@pytest.fixture
def bob(client: Client) -> Client:
    """Return Bob's browser, signed in."""
    client.sign_up()
    client.sign_in()
    return client


def _patch(client: Client, changes: Any, **options: Any) -> Any:
    """Change the profile."""
    return client.request("PATCH", "/profile", json=changes, **options)


def test_attributes_are_set_and_removed(bob: Client) -> None:
    """JSON and merge-patch: null takes an attribute away."""
    sent = {"name": "Bob B. Bobson", "locale": "de-AT",
            "picture": "https://example.com/bob.png",
            "metadata": {"theme": "dark", "list": [1, 2.5, None, "é"]}}
    answer = _patch(bob, sent)
    assert answer.status_code == 200
    assert answer.get_json() == dict(sent, email=BOB["email"])
    assert bob.get("/profile").get_json() == dict(sent, email=BOB["email"])
    removed = bob.request(
        "PATCH", "/profile", data='{"name": null, "metadata": null}',
        content_type="application/merge-patch+json")
    assert removed.status_code == 200
    assert set(bob.get("/profile").get_json()) == {
        "email", "locale", "picture"}


@pytest.mark.parametrize("patch, result", [
    ({"theme": "light"}, {"theme": "light", "seen": {"tour": 1, "tip": 2}}),
    ({"seen": {"tip": None}}, {"theme": "dark", "seen": {"tour": 1}}),
    ({"seen": [None]}, {"theme": "dark", "seen": [None]}),
    ({"theme": {"a": {"b": None}}},
     {"theme": {"a": {}}, "seen": {"tour": 1, "tip": 2}}),
    ({}, {"theme": "dark", "seen": {"tour": 1, "tip": 2}})])
@pytest.mark.parametrize("media_type", [
    "application/json", "application/merge-patch+json"])
def test_metadata_is_merged_member_by_member(
        bob: Client, patch: Any, result: Any, media_type: str) -> None:
    """After RFC 7396, whichever media type it comes in."""
    _patch(bob, {"metadata": {
        "theme": "dark", "seen": {"tour": 1, "tip": 2}}})
    answer = bob.request("PATCH", "/profile", content_type=media_type,
                         data=json.dumps({"metadata": patch}))
    assert answer.get_json()["metadata"] == result
    assert bob.get("/profile").get_json()["metadata"] == result


def test_metadata_is_bounded_as_a_whole(bob: Client) -> None:
    """Many small changes do not make it larger than one may."""
    for name in "abc":
        answer = _patch(bob, {"metadata": {name: "x" * 2700}})
        assert answer.status_code == 200
    before = bob.get("/profile")
    answer = _patch(bob, {"metadata": {"d": "x" * 2700}, "name": "Bob"})
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == {"metadata": ["too_long"]}
    assert bob.get("/profile").get_json() == before.get_json()


@pytest.mark.parametrize("levels, statuses", [
    (31, {200}), (32, {422}), (900, {422}), (950, {400, 422}),
    (970, {400, 422}), (990, {400, 422}), (2000, {400, 422})])
def test_deep_metadata_is_refused_before_it_is_anybodys_limit(
        bob: Client, levels: int, statuses: Any) -> None:
    """R092: what the reader just takes, the writer might not."""
    answer = bob.request(
        "PATCH", "/profile", content_type="application/json",
        data='{"metadata": {"a": %s%s}}' % ("[" * levels, "]" * levels))
    assert answer.status_code in statuses
    assert bob.get("/profile").status_code == 200


@pytest.mark.parametrize("name", [
    "山田　太郎", "می\u200cخواهم", "Zoë\u00a0Bø", "👩\u200d🚀", "🥲", "\U0001fae8"])
def test_names_of_all_scripts_are_taken(bob: Client, name: str) -> None:
    """Blanks of other scripts, joiners, and letters newer than Python."""
    assert _patch(bob, {"name": name}).get_json()["name"] == name


def test_a_form_will_do_for_texts(bob: Client) -> None:
    """R012: the same reader, the same rules."""
    answer = bob.request("PATCH", "/profile", data={"name": "Bob"})
    assert answer.get_json()["name"] == "Bob"


def test_merge_patch_is_for_patch_alone(bob: Client) -> None:
    """R098: elsewhere the type is not ours."""
    answer = bob.request("PUT", "/password", data="{}",
                         content_type="application/merge-patch+json")
    assert answer.status_code == 415


@pytest.mark.parametrize("changes, reasons", [
    ({"is_admin": True}, {"is_admin": ["unknown_field"]}),
    ({"role": "admin"}, {"role": ["unknown_field"]}),
    ({"hashed_password": "x"}, {"hashed_password": ["unknown_field"]}),
    ({"app_metadata": {}}, {"app_metadata": ["unknown_field"]}),
    ({"disabled_at": None}, {"disabled_at": ["unknown_field"]}),
    ({"emailVerified": True}, {"emailVerified": ["unknown_field"]}),
    ({"user.id": "x"}, {"user.id": ["unknown_field"]}),
    ({"id": "x"}, {"id": ["read_only"]}),
    ({"email": "eve@example.com"}, {"email": ["read_only"]}),
    ({"email_verified": True}, {"email_verified": ["read_only"]}),
    ({"created_at": "2020-01-01"}, {"created_at": ["read_only"]}),
    ({"name": ""}, {"name": ["unusable"]}),
    ({"name": "x" * 201}, {"name": ["too_long"]}),
    ({"name": "a\nb"}, {"name": ["unusable"]}),
    ({"name": "a\0b"}, {"name": ["unusable"]}),
    ({"name": "\u202eboB"}, {"name": ["unusable"]}),
    ({"name": "a\u2028b"}, {"name": ["unusable"]}),
    ({"name": "B\u200bob"}, {"name": ["unusable"]}),
    ({"name": "\ud800"}, {"name": ["unusable"]}),
    ({"name": "\u3000"}, {"name": ["unusable"]}),
    ({"name": 5}, {"name": ["not_a_text"]}),
    ({"locale": "not a locale"}, {"locale": ["unusable"]}),
    ({"picture": "http://example.com/x"}, {"picture": ["unusable"]}),
    ({"picture": "javascript:alert(1)"}, {"picture": ["unusable"]}),
    ({"picture": "https://["}, {"picture": ["unusable"]}),
    ({"metadata": []}, {"metadata": ["not_an_object"]}),
    ({"metadata": "{}"}, {"metadata": ["not_an_object"]}),
    ({"metadata": {"a": "x" * 8200}}, {"metadata": ["too_long"]}),
    ({"metadata": {"a": ["\0"]}}, {"metadata": ["unusable"]}),
    ({"metadata": {"\ud800": 1}}, {"metadata": ["unusable"]}),
])
def test_unfit_changes_change_nothing(
        bob: Client, changes: Any, reasons: Any) -> None:
    """R068: unknown and read-only fields too are named, the row stays."""
    db = bob.services.db
    before = db.find_user_by(email=BOB["email"])
    answer = _patch(bob, dict(changes, locale=changes.get("locale", "de")))
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == reasons
    after = db.find_user_by(email=BOB["email"])
    assert (after.version, after.locale) == (before.version, None)


@pytest.mark.parametrize("number", ["1e999", "NaN", "9" * 2000])
def test_numbers_beyond_json_are_refused(bob: Client, number: str) -> None:
    """R092: what other readers would not take is not kept."""
    answer = bob.request(
        "PATCH", "/profile", data='{"metadata": {"n": %s}}' % number,
        content_type="application/json")
    assert answer.status_code in (400, 422)


def test_a_lost_update_is_noticed(bob: Client) -> None:
    """R071: of two changes made from one version, one succeeds."""
    version = bob.get("/profile").headers["ETag"]
    first = _patch(bob, {"name": "one"}, headers={"If-Match": version})
    second = _patch(bob, {"name": "two"}, headers={"If-Match": version})
    assert (first.status_code, second.status_code) == (200, 412)
    answer = bob.get("/profile")
    assert answer.get_json()["name"] == "one"
    assert answer.headers["ETag"] == first.headers["ETag"] != version


@pytest.mark.parametrize("tag, status", [
    ("*", 200), ('"99"', 412), ("garbage", 412), ('W/"1"', 412), ("", 412),
    ('""', 412), ('"01"', 412), ('"7", "1"', 200), ('W/"a,b", ""', 412)])
def test_if_match_is_taken_at_its_word(
        bob: Client, tag: str, status: int) -> None:
    """R071: a star is any version, and a weak tag matches none."""
    answer = _patch(bob, {"name": "Bob"}, headers={"If-Match": tag})
    assert answer.status_code == status


def test_an_id_in_the_body_is_not_believed(bob: Client) -> None:
    """R070: whose profile it is, the session alone says."""
    bob.sign_up(email="eve@example.com")
    eve = bob.services.db.find_user_by(email="eve@example.com")
    answer = _patch(bob, {"user_id": eve.id, "name": "x"})
    assert answer.status_code == 422
    assert bob.services.db.find_user_by(id=eve.id).name is None


def _change(client: Client, current: str, new: str) -> Any:
    """Change the password."""
    return client.put("/password", {
        "current_password": current, "new_password": new})


def test_a_new_password_ends_what_the_old_one_began(bob: Client) -> None:
    """R035: other sessions and reset tokens end, this one goes on."""
    phone = bob.another()
    old = cookie_of(phone.sign_in())
    mine = cookie_of(bob.sign_in())
    token = bob.post("/reset_password", {"email": BOB["email"]})
    answer = _change(bob, BOB["password"], BETTER)
    assert answer.status_code == 204
    renewed = cookie_of(answer)
    program = bob.program()
    for cookie, status in ((old, 403), (mine, 403), (renewed, 200)):
        seen = program.get("/session",
                           headers={"Cookie": f"session_id={cookie}"})
        assert seen.status_code == status
    assert str(mine).split(".")[0] == str(renewed).split(".")[0]
    spent = bob.put("/reset_password", {
        "reset_token": token.get_json()["reset_token"],
        "new_password": "x"})
    assert spent.status_code == 403
    assert bob.another().sign_in().status_code == 401
    assert bob.another().sign_in(password=BETTER).status_code == 200


def test_the_owner_is_told_of_a_new_password(bob: Client) -> None:
    """R035: by a letter without it."""
    _change(bob, BOB["password"], BETTER)
    bob.services.delivery.send_due()
    letter = bob.get("/dev/mailbox").get_json()["letters"][0]
    assert "was changed" in letter["subject"]
    assert BETTER not in letter["text"]


def test_a_wrong_current_password_logs_nobody_out(bob: Client) -> None:
    """R066: 403 with its own code, and the session stays."""
    answer = bob.put(
        "/password", {"current_password": "wrong", "new_password": BETTER},
        headers={"Accept": "application/problem+json"})
    assert answer.status_code == 403
    assert answer.get_json()["code"] == "wrong_password"
    assert "Set-Cookie" not in answer.headers
    assert bob.get("/session").status_code == 200
    assert bob.another().sign_in().status_code == 200


@pytest.mark.parametrize("body, field", [
    ({"current_password": "x"}, "new_password"),
    ({"new_password": "x"}, "current_password"),
    ({"current_password": "x", "new_password": ""}, "new_password"),
    ({"current_password": "x" * 2000, "new_password": "y"},
     "current_password"),
    ({"current_password": "x", "new_password": "y" * 300}, "new_password"),
    ({"current_password": "x", "new_password": "a\0b"}, "new_password")])
def test_unfit_passwords_are_named_first(
        bob: Client, body: Any, field: str) -> None:
    """R084: before the current password is looked at."""
    answer = bob.put("/password", body)
    assert answer.status_code == 422
    assert field in answer.get_json()["errors"]
