#!/usr/bin/env python3
"""A peer on Flask-Security-Too, with its own models and views.

Run as a program it fills its database.
"""

from typing import Any, Dict

from flask import Flask
from flask_security import (
    Security, SQLAlchemyUserDatastore, auth_required, current_user,
    hash_password)
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

from benchmarks.peers import told

app = Flask(__name__)
app.config.update(
    SECRET_KEY=told.SECRET,
    SECURITY_PASSWORD_SALT="146585145368132386173505678016728509634",
    SECURITY_PASSWORD_HASH="bcrypt",
    SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS={"bcrypt__rounds": told.COST},
    SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
    WTF_CSRF_ENABLED=False,
    SQLALCHEMY_DATABASE_URI=told.database("psycopg2"),
    SQLALCHEMY_ENGINE_OPTIONS=told.POOL,
)
database: Any = SQLAlchemy(app)
Model: Any = database.Model
fsqla_v3.FsModels.set_db_info(database)


class Role(Model, fsqla_v3.FsRoleMixin):
    """A role, as the library's models define it."""


class User(Model, fsqla_v3.FsUserMixin):
    """A user, as the library's models define it."""


security = Security(app, SQLAlchemyUserDatastore(database, User, Role))


def profile() -> Dict[str, str]:
    """Answer the session check with the user's address."""
    return {"email": current_user.email}


def fill() -> None:
    """Make the tables and the users, with one hash for each group."""
    with app.app_context():
        database.create_all()
        hashes = []
        for cost in (told.LOW, told.HIGH):
            security.pwd_context.update(bcrypt__rounds=cost)
            hashes.append(hash_password(told.PASSWORD))
        database.session.execute(text(
            'INSERT INTO "user" (email, password, active, fs_uniquifier) '
            "SELECT 'user' || g || '@example.com', "
            "CASE WHEN g <= :sessions THEN :low ELSE :high END, true, "
            "md5('one' || g) || md5('other' || g) "
            "FROM generate_series(1, :users) g"),
            {"sessions": told.SESSIONS, "users": told.USERS,
             "low": hashes[0], "high": hashes[1]})
        database.session.commit()


app.add_url_rule("/profile", view_func=auth_required("session")(profile))

if __name__ == "__main__":
    fill()
