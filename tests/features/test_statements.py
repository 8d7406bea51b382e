#!/usr/bin/env python3
"""How many statements each call costs: a change of these is no accident."""

from typing import Any, Callable, Dict, List, Tuple

import pytest

from tests.support.builders import overheard
from tests.support.client import BOB, Client

pytestmark = pytest.mark.uncached
NEW = "another good password"


def register(client: Client) -> Any:
    """Register Eve in another browser."""
    return client.another().sign_up(email="eve@example.com")


def log_in(client: Client) -> Any:
    """Sign Bob in on another device."""
    return client.another().sign_in()


def refused(client: Client) -> Any:
    """Try a wrong password."""
    return client.another().sign_in(password="a wrong password")


def change(client: Client) -> Any:
    """Change the password."""
    return client.put("/password", {
        "current_password": BOB["password"], "new_password": NEW})


def reset(client: Client) -> Any:
    """Ask for a reset token, and spend it."""
    token = client.post(
        "/reset_password", {"email": BOB["email"]}).get_json()["reset_token"]
    return client.put("/reset_password", {
        "reset_token": token, "new_password": NEW})


# By call: what it is, and how many statements on SQLite and on PostgreSQL.
CALLS: Dict[str, Tuple[Callable[[Client], Any], int, int]] = {
    "check": (lambda client: client.get("/session/check"), 1, 1),
    "profile": (lambda client: client.get("/profile"), 1, 1),
    "session": (lambda client: client.get("/session"), 1, 1),
    "list": (lambda client: client.get("/sessions"), 2, 2),
    "register": (register, 9, 9),
    "log in": (log_in, 14, 16),
    "refused": (refused, 9, 11),
    "log out": (lambda client: client.delete("/sessions"), 3, 4),
    "change": (change, 27, 32),
    "reset": (reset, 30, 36),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_costs_so_many_statements(
        client: Client, name: str) -> None:
    """R087: no more, and whoever makes it fewer says so here."""
    call, on_sqlite, on_postgresql = CALLS[name]
    client.sign_up()
    client.sign_in()
    with overheard(client.services.db.engine) as statements:
        answer = call(client)
    assert answer.status_code < 500
    expected = on_sqlite if client.services.db.is_sqlite else on_postgresql
    sent: List[str] = [" ".join(each.split())[:100] for each in statements]
    assert len(sent) == expected, "\n" + "\n".join(sent)
