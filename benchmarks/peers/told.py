#!/usr/bin/env python3
"""What every peer is told by the environment that it is started in."""

import os

DATABASE = os.environ["PEER_DATABASE"]
COST = int(os.environ["PEER_COST"])
USERS = int(os.environ["PEER_USERS"])
# The first so many users have a hash of low cost, so that opening a session
# for each of them takes seconds.
SESSIONS = int(os.environ["PEER_SESSIONS"])
PASSWORD = os.environ["PEER_PASSWORD"]
LOW, HIGH = 4, 12
# Of no worth to anybody: it signs the cookies of a benchmark.
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
POOL = {"pool_size": 16, "max_overflow": 16}


def database(driver: str) -> str:
    """Return the URL of the database, for a driver of SQLAlchemy's."""
    return DATABASE.replace("postgresql:", f"postgresql+{driver}:", 1)
