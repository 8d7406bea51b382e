#!/usr/bin/env python3
"""Fills the database of the peer on django-allauth."""

import django
from django.core.management import call_command
from django.db import connection

from benchmarks.peers import told
from benchmarks.peers.allauth_site.hasher import Hasher

USERS = """
    INSERT INTO auth_user (username, email, password, is_active, is_staff,
        is_superuser, first_name, last_name, date_joined)
    SELECT 'user' || g, 'user' || g || '@example.com',
        CASE WHEN g <= %s THEN %s ELSE %s END, true, false, false, '', '',
        now()
    FROM generate_series(1, %s) g
"""
ADDRESSES = """
    INSERT INTO account_emailaddress (email, verified, "primary", user_id)
    SELECT email, true, true, id FROM auth_user
"""


def fill() -> None:
    """Make the tables and the users, with one hash for each group."""
    django.setup()
    call_command("migrate", verbosity=0)
    low, high = (_hash(cost) for cost in (told.LOW, told.HIGH))
    with connection.cursor() as cursor:
        cursor.execute(USERS, [told.SESSIONS, low, high, told.USERS])
        cursor.execute(ADDRESSES)


def _hash(cost: int) -> str:
    """Return a hash of the password that all users have."""
    hasher = Hasher()
    hasher.rounds = cost
    encoded: str = hasher.encode(told.PASSWORD, hasher.salt())
    return encoded


if __name__ == "__main__":
    fill()
