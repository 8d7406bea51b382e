#!/usr/bin/env python3
"""Everything that is measured: one entry for each.

To add a service: an entry here; for one of others' making also a module in
``peers`` and, where it needs other packages, a file in ``requirements``.
"""

from typing import Tuple

from benchmarks.kinds import Constant, NodePeer, Peer
from benchmarks.ours import BcryptAlone, Vestibule
from benchmarks.subject import (
    Subject, app_token, cookies, form_login, json_login)

OURS, OURS_UNCACHED, OURS_OLD = (
    "Vestibule", "Vestibule, cache off", "Vestibule, Python 3.7")
FLASK_LOGIN, BETTER_AUTH_CACHED = "Flask-Login", "Better Auth, cookie cache"
NGINX, BCRYPT = "nginx, constant", "bcrypt alone"
CSRF = "abcdefghijklmnopqrstuvwxyzABCDEF"
ALLAUTH = "allauth_site.wsgi:application"
ALLAUTH_SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.peers.allauth_site.settings"}
MORE_DJANGO_SESSIONS = (
    "INSERT INTO django_session SELECT md5('s' || g), 'x', now() + interval "
    "'30 days' FROM generate_series({low}, {high}) AS g",)
MORE_ACCESS_TOKENS = (
    "INSERT INTO accesstoken (token, created_at, user_id) SELECT "
    "md5('s' || g), now(), (SELECT id FROM \"user\" LIMIT 1) "
    "FROM generate_series({low}, {high}) AS g",)
MORE_BETTER_SESSIONS = (
    'INSERT INTO session (id, "expiresAt", token, "createdAt", "updatedAt", '
    "\"userId\") SELECT md5('s' || g), now() + interval '7 days', "
    "md5('s' || g), now(), now(), md5('u' || 1) "
    "FROM generate_series({low}, {high}) AS g",)

SUBJECTS: Tuple[Subject, ...] = (
    Vestibule(
        OURS, "as `serve` starts it", database="vestibule",
        login=json_login("/sessions"), session=cookies("session_id")),
    Vestibule(
        OURS_UNCACHED, "every check reads the database",
        database="vestibule", login=json_login("/sessions"),
        session=cookies("session_id"),
        settings={"VESTIBULE_SESSION_CACHE": "off"}),
    Vestibule(
        OURS_OLD, "as `serve` starts it there", database="vestibule",
        login=json_login("/sessions"), session=cookies("session_id"),
        more_rows=(), python="3.7"),
    Peer(
        FLASK_LOGIN, "signed cookie, not revocable; gunicorn",
        database="flask_login", login=json_login("/sessions"),
        session=cookies("session"), requirements="flask_login",
        application="flask_login_app:app", filling="flask_login_app"),
    Peer(
        "Flask-Login, granian", "the same on granian",
        database="flask_login", login=json_login("/sessions"),
        session=cookies("session"), requirements="flask_login",
        server="granian", application="flask_login_app:app",
        filling="flask_login_app"),
    Peer(
        "Flask-Security-Too", "signed cookie, user row each time; gunicorn",
        database="flask_security", login=json_login("/login"),
        session=cookies("session"), requirements="flask_security",
        application="flask_security_app:app", filling="flask_security_app"),
    Peer(
        "django-allauth, app", "sessions in the database; gunicorn",
        database="allauth", login=json_login("/_allauth/app/v1/auth/login"),
        session=app_token, check="/_allauth/app/v1/auth/session",
        more_rows=MORE_DJANGO_SESSIONS, requirements="allauth",
        application=ALLAUTH, filling="allauth_site.fill",
        environ=ALLAUTH_SETTINGS),
    Peer(
        "django-allauth, browser", "sessions in Redis; gunicorn",
        ("redis-server",), database="allauth",
        login=json_login("/_allauth/browser/v1/auth/login", (
            f"Cookie: csrftoken={CSRF}", f"X-CSRFToken: {CSRF}")),
        session=cookies("sessionid"),
        check="/_allauth/browser/v1/auth/session", requirements="allauth",
        application=ALLAUTH, filling="allauth_site.fill",
        environ={**ALLAUTH_SETTINGS, "PEER_SESSION_ENGINE": "cached_db"}),
    Peer(
        "fastapi-users, database", "token row, then user row; uvicorn",
        database="fastapi_users", login=form_login("/auth/login"),
        session=cookies("fastapiusersauth"), more_rows=MORE_ACCESS_TOKENS,
        requirements="fastapi_users", server="uvicorn",
        application="fastapi_users_app:app", filling="fastapi_users_app"),
    Peer(
        "fastapi-users, JWT", "signed token, not revocable; uvicorn",
        database="fastapi_users", login=form_login("/auth/login"),
        session=cookies("fastapiusersauth"), requirements="fastapi_users",
        server="uvicorn", application="fastapi_users_app:app",
        filling="fastapi_users_app", environ={"PEER_STRATEGY": "jwt"}),
    NodePeer(
        "Better Auth", "session row, then user row; Node",
        database="better_auth", login=json_login("/api/auth/sign-in/email"),
        session=cookies("better-auth.session_token"),
        more_rows=MORE_BETTER_SESSIONS),
    NodePeer(
        BETTER_AUTH_CACHED, "signed cookie, stale until it ends; Node",
        database="better_auth", login=json_login("/api/auth/sign-in/email"),
        session=cookies("better-auth.session_token",
                        "better-auth.session_data"),
        environ={"PEER_COOKIE_CACHE": "1"}),
    Constant(NGINX, "the same answer to everybody: the limit"),
    BcryptAlone(BCRYPT, "no service: the limit of logins"),
)
