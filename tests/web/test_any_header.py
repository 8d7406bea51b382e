#!/usr/bin/env python3
"""Whatever a header holds, nobody is let in by it and nothing falls over."""

from typing import Any, Dict

from hypothesis import given
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.fields import CONTRACT, Sender, assert_documented
from vestibule.web.hosts import allowed_hosts

# A server hands bytes on as Latin-1, without ends of lines.
BYTES = st.text(st.characters(
    max_codepoint=255, blacklist_characters="\r\n"), max_size=60)
UUID = "12345678-1234-4234-8234-123456789012"
PIECES = st.sampled_from([
    "session_id=", "__Host-session_id=", ";", "; ", "=", '"', "%", "%00",
    "\\073", "a" * 43, UUID, UUID + "." + "a" * 43, ".", ",", "$Version=1",
    "Basic ", "Bearer ", "Digest ", "Og==", "%%%", "a" * 8000, "\0", "\xff",
    "é", "' OR 1=1 --", "multipart/form-data; boundary=x", "text/html",
    "application/json", "application/x-www-form-urlencoded", "charset=utf-8",
    "charset=utf-7", "*/*", "q=", "1e999", "nan", "-1", "W/", "*", "127.0.0.1",
    ":5000", "@", "[", "]", "evil.org", "localhost", "http://", "\\", "#"])
ODD = st.lists(PIECES | BYTES, max_size=6).map("".join)
# Our own names, with something before or behind them.
NEARLY_OURS = st.tuples(
    PIECES | BYTES | st.just(""),
    st.sampled_from(["127.0.0.1:5000", "127.0.0.1", "localhost", "[::1]"]),
    PIECES | BYTES | st.just("")).map("".join)
GOOD_JSON = b'{"email": "bob@example.com", "password": "a wrong one"}'
# All that the service or the libraries below it read.
HEADERS = (
    "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cookie",
    "Content-Encoding", "Expect", "Forwarded", "From", "Idempotency-Key",
    "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Origin",
    "Range", "Referer", "Sec-Fetch-Site", "User-Agent", "X-Forwarded-For",
    "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Proto",
    "X-Http-Method-Override", "X-Original-Url", "X-Request-Id",
    "X-Rewrite-Url", "Access-Control-Request-Method", "Te", "Upgrade", "Via")
ASKED = ("user_profile", "log_out", "log_in", "basic_flask_app",
         "api_document", "list_activity", "register_user")


@given(st.sampled_from(ASKED),
       st.dictionaries(st.sampled_from(HEADERS), ODD, max_size=4))
@examples(80)
def test_any_headers_get_a_documented_answer(
        sender: Sender, name: str, headers: Dict[str, str]) -> None:
    """R100: of somebody who is not signed in, whatever the headers say."""
    operation = CONTRACT.operations[name]
    headers.setdefault("Cookie", "")
    data = GOOD_JSON if operation.content else None
    answer = sender.send(operation, data, **headers)
    assert_documented(operation, answer)
    assert answer.status_code != 200 or not operation.needs_session
    told = str(answer.headers) + answer.get_data(as_text=True)
    assert "evil.org" not in told.replace(
        answer.headers["X-Request-Id"], "")


@given(st.lists(PIECES | BYTES, max_size=4), ODD)
@examples(40)
def test_a_good_session_stands_whatever_stands_beside_it(
        sender: Sender, cookies: Any, authorization: str) -> None:
    """R100: other cookies, and an Authorization, are nothing to us."""
    beside = [each for each in cookies
              if ";" not in each and "session_id" not in each]
    for header in ("; ".join([*beside, sender.cookie]),
                   "; ".join([sender.cookie, *beside])):
        answer = sender.send(
            CONTRACT.operations["user_profile"], None, Cookie=header,
            Authorization=authorization)
        assert answer.status_code == 200


@given(ODD | st.builds("{}.{:032x}".format, st.integers(1, 10 ** 21),
                       st.integers(0, 16 ** 32 - 1)))
@examples(20)
def test_a_cursor_that_was_not_given_out_is_refused(
        sender: Sender, cursor: str) -> None:
    """R095: it is sealed, and nothing else is looked for in the database."""
    before = sender.rows()
    browser = sender.client.program()
    for query in ({"cursor": cursor}, {"cursor": cursor, "limit": "1"}):
        answer = browser.get("/profile/activity", query_string=query,
                             headers={"Cookie": sender.cookie})
        assert answer.status_code == 422
        assert answer.get_json()["errors"] == {"cursor": ["unusable"]}
    assert sender.rows() == before


@given(ODD | NEARLY_OURS)
@examples(60)
def test_a_host_that_is_not_ours_is_refused(
        sender: Sender, host: str) -> None:
    """R097: before anything else, on pages of errors too."""
    settings = sender.client.services.settings
    if host.lower() in allowed_hosts(settings):
        return
    for name in ("user_profile", "basic_flask_app", "log_in"):
        operation = CONTRACT.operations[name]
        answer = sender.send(operation, None, Host=host)
        assert answer.status_code == 421
        assert "Set-Cookie" not in answer.headers


@given(ODD)
@examples(60)
def test_a_content_type_that_is_not_ours_is_refused(
        sender: Sender, kind: str) -> None:
    """R098: only what begins with JSON's name or a form's can be taken."""
    answer = sender.send(CONTRACT.operations["log_in"], GOOD_JSON, kind)
    named = kind.partition(";")[0].strip().lower()
    if named not in ("application/json", "application/x-www-form-urlencoded"):
        assert answer.status_code == 415
    assert answer.status_code in (400, 401, 415, 422)
