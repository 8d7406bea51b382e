#!/usr/bin/env python3
"""A peer on fastapi-users: sessions in a table, or JWT in a cookie.

``PEER_STRATEGY`` says which. Run as a program it fills its database.
"""

import asyncio
import os
import uuid
from typing import Any, AsyncIterator, Dict

import bcrypt
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin
from fastapi_users.authentication import (
    AuthenticationBackend, CookieTransport, JWTStrategy)
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.db import (
    SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase)
from fastapi_users.password import PasswordHelper
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase, SQLAlchemyBaseAccessTokenTableUUID)
from pwdlib import PasswordHash
from pwdlib.hashers.bcrypt import BcryptHasher
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from benchmarks.peers import told

LIFETIME_SECONDS = 86400
JWT = "jwt"

engine = create_async_engine(told.database("asyncpg"), **told.POOL)
make_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """What the models of this peer have in common."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """A user, as the library defines it."""


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    """A session, as the library defines it."""


class UserManager(UUIDIDMixin, BaseUserManager):
    """The library's manager, with its defaults."""

    reset_password_token_secret = told.SECRET
    verification_token_secret = told.SECRET


async def open_session() -> AsyncIterator[Any]:
    """Yield a database session for one request."""
    async with make_session() as session:
        yield session


async def open_users(
        session: Any = Depends(open_session)) -> AsyncIterator[Any]:
    """Yield the store of users."""
    yield SQLAlchemyUserDatabase(session, User)


async def open_tokens(
        session: Any = Depends(open_session)) -> AsyncIterator[Any]:
    """Yield the store of sessions."""
    yield SQLAlchemyAccessTokenDatabase(session, AccessToken)


async def open_manager(
        users: Any = Depends(open_users)) -> AsyncIterator[UserManager]:
    """Yield a manager that hashes with bcrypt, at the agreed cost."""
    hashing = PasswordHash((BcryptHasher(rounds=told.COST),))
    yield UserManager(users, PasswordHelper(hashing))


def in_database(tokens: Any = Depends(open_tokens)) -> Any:
    """Return the strategy of sessions in a table."""
    return DatabaseStrategy(tokens, lifetime_seconds=LIFETIME_SECONDS)


def signed() -> Any:
    """Return the strategy of signed tokens, which are stored nowhere."""
    return JWTStrategy(told.SECRET, LIFETIME_SECONDS)


backend: Any = AuthenticationBackend(
    name="cookie",
    transport=CookieTransport(cookie_max_age=LIFETIME_SECONDS),
    get_strategy=(signed if os.environ.get("PEER_STRATEGY") == JWT
                  else in_database))
people: Any = FastAPIUsers[User, uuid.UUID](open_manager, [backend])


async def profile(
        user: Any = Depends(people.current_user(active=True))
        ) -> Dict[str, str]:
    """Answer the session check with the user's address."""
    return {"email": user.email}


async def fill() -> None:
    """Make the tables and the users, with one hash for each group."""
    low, high = (bcrypt.hashpw(told.PASSWORD.encode(), bcrypt.gensalt(cost))
                 for cost in (told.LOW, told.HIGH))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(text(
            'INSERT INTO "user" (id, email, hashed_password, is_active, '
            "is_superuser, is_verified) SELECT md5('user' || g)::uuid, "
            "'user' || g || '@example.com', "
            "CASE WHEN g <= :sessions THEN :low ELSE :high END, "
            "true, false, false FROM generate_series(1, :users) g"),
            {"sessions": told.SESSIONS, "users": told.USERS,
             "low": low.decode(), "high": high.decode()})
    await engine.dispose()


app = FastAPI()
app.include_router(people.get_auth_router(backend), prefix="/auth")
app.add_api_route("/profile", profile)

if __name__ == "__main__":
    asyncio.run(fill())
