#!/usr/bin/env python3
"""The forms of pages take no more than the API does, and show nothing raw.

The pages are those of the router that take a form and stand in no document.
"""

from typing import Any, List

from hypothesis import given
from hypothesis import strategies as st

from tests.support.client import Client
from tests.support.contract import FORM
from tests.support.examples import examples
from tests.support.fields import CONTRACT, Sender, form, next_address

FIELDS = ("email", "token", "code", "password", "new_password")
SCRIPT = "<script>alert(1)</script>"
HOSTILE = (SCRIPT, f'"><b x="{SCRIPT}', f"bob@example.com{SCRIPT}", "'",
           "{{7*7}}", "</form>", "javascript:alert(1)", "x" * 5000, "\u202e",
           "' OR 1=1 --", "\uffff", "%s", "&lt;script&gt;", "")
HTML = {"Accept": "text/html"}


def pages(client: Client) -> List[str]:
    """Return the paths at which people send forms."""
    documented = {each.path for each in CONTRACT.operations.values()}
    found = [rule.rule for rule in client.app.url_map.iter_rules()
             if "POST" in (rule.methods or ())
             and rule.rule not in documented]
    return [*sorted(found), "/undo"]


def submit(sender: Sender, path: str, data: Any) -> Any:
    """Send a form as a browser does."""
    return sender.client.program().request(
        "POST", path, data=data, content_type=FORM, headers=HTML,
        environ_overrides={"REMOTE_ADDR": next_address()})


def rows_but_events(sender: Sender) -> List[str]:
    """Return all rows but those that say what happened."""
    return [row for row in sender.rows().splitlines()
            if not row.startswith("events ")]


def test_the_pages_are_found(sender: Sender) -> None:
    """A router that is asked wrongly would leave nothing to be tried."""
    assert set(pages(sender.client)) >= {
        "/forgot", "/reset", "/verify", "/verify/letter", "/undo",
        "/account/restore"}


def test_what_cannot_be_stored_is_refused(sender: Sender) -> None:
    """R089, R090: NUL and what is no UTF-8, in any field of any page.

    A page does not read every field: what is left may be a refused login.
    """
    before = rows_but_events(sender)
    for path in pages(sender.client):
        for field in FIELDS:
            others = {name: "a" for name in FIELDS if name != field}
            for raw in (b"%00", b"a%00b", b"%ff", b"\xff", b"%ed%a0%80"):
                data = f"{form(others)}&{field}=".encode() + raw
                answer = submit(sender, path, data)
                assert 400 <= answer.status_code < 500, (path, field, raw)
    assert rows_but_events(sender) == before


def test_people_are_told_on_a_page(sender: Sender) -> None:
    """R089: whatever they sent, as long as it is a form."""
    for path in pages(sender.client):
        for field in FIELDS:
            others = {name: "a" for name in FIELDS if name != field}
            answer = submit(sender, path, f"{form(others)}&{field}=a%00b")
            assert answer.mimetype == "text/html", (path, field)
            assert b"\0" not in answer.get_data()


def test_nothing_is_shown_as_it_was_sent(sender: Sender) -> None:
    """R096: what has a meaning in HTML is written so that it has none.

    The request id, which pages show, may have a 49 of its own.
    """
    for path in pages(sender.client):
        for text in HOSTILE:
            fields = dict.fromkeys(FIELDS, text)
            by_code = {name: text for name in FIELDS if name != "token"}
            for sent in (fields, by_code):
                answer = submit(sender, path, form(sent))
                page = answer.get_data(as_text=True).replace(
                    answer.headers["X-Request-Id"], "")
                assert answer.status_code in (200, 401, 403, 422)
                assert SCRIPT not in page and "49" not in page, path
            shown = sender.client.program().get(
                path, query_string={"token": text}, headers=HTML)
            assert shown.status_code in (200, 405)
            assert SCRIPT not in shown.get_data(as_text=True)


@given(st.data(), st.dictionaries(
    st.sampled_from(FIELDS) | st.text(max_size=5),
    st.sampled_from(HOSTILE) | st.text(max_size=20), max_size=4))
@examples(40)
def test_no_form_is_a_fault_of_ours(
        sender: Sender, data: Any, fields: Any) -> None:
    """R088, R102: whatever its fields are called and hold."""
    path = data.draw(st.sampled_from(pages(sender.client)))
    texts = {name.encode("utf-8", "replace").decode():
             value.encode("utf-8", "replace").decode()
             for name, value in fields.items()}
    assert submit(sender, path, form(texts)).status_code < 500
