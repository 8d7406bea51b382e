#!/usr/bin/env python3
"""A peer in plain Flask-Login and SQLAlchemy, as tutorials write it.

Run as a program it fills its database.
"""

from typing import Any, Dict, Optional, Tuple, Union

import bcrypt
from flask import Flask, request
from flask_login import LoginManager, UserMixin, current_user
from flask_login import login_required, login_user, logout_user
from sqlalchemy import String, create_engine, select, text
from sqlalchemy.orm import (
    DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker)

from benchmarks.peers import told

Answer = Union[Dict[str, Any], Tuple[Dict[str, Any], int]]

engine = create_engine(told.database("psycopg2"), **told.POOL)
Session = scoped_session(sessionmaker(engine))
app = Flask(__name__)
app.secret_key = told.SECRET
login_manager = LoginManager(app)


class Base(DeclarativeBase):
    """What the models of this peer have in common."""


class User(Base, UserMixin):
    """A person who can sign in."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(250), unique=True)
    hashed_password: Mapped[str] = mapped_column(String(250))


@app.post("/sessions")
def login() -> Answer:
    """Log in; the session is a signed cookie, and nothing is stored."""
    data = request.get_json()
    user = Session.scalar(select(User).where(User.email == data["email"]))
    if user is None or not bcrypt.checkpw(
            data["password"].encode(), user.hashed_password.encode()):
        return {"message": "unauthorized"}, 401
    login_user(user)
    return {"email": user.email}


def logout() -> Answer:
    """Log out, which makes the browser forget the cookie."""
    logout_user()
    return {}


def profile() -> Answer:
    """Answer the session check with the user's address."""
    return {"email": current_user.email}


def load_user(user_id: str) -> Optional[User]:
    """Return the user that the signed cookie names."""
    found: Optional[User] = Session.get(User, int(user_id))
    return found


@app.teardown_appcontext
def end_transaction(error: Optional[BaseException]) -> None:
    """Give the database connection back after each request."""
    Session.remove()


def fill() -> None:
    """Make the table and the users, with one hash for each group."""
    Base.metadata.create_all(engine)
    low, high = (bcrypt.hashpw(told.PASSWORD.encode(), bcrypt.gensalt(cost))
                 for cost in (told.LOW, told.HIGH))
    with engine.begin() as connection:
        connection.execute(text(
            "INSERT INTO users (email, hashed_password) "
            "SELECT 'user' || g || '@example.com', "
            "CASE WHEN g <= :sessions THEN :low ELSE :high END "
            "FROM generate_series(1, :users) g"),
            {"sessions": told.SESSIONS, "users": told.USERS,
             "low": low.decode(), "high": high.decode()})


login_manager.user_loader(load_user)
app.add_url_rule("/profile", view_func=login_required(profile))
app.add_url_rule("/sessions", view_func=login_required(logout),
                 methods=["DELETE"])

if __name__ == "__main__":
    fill()
