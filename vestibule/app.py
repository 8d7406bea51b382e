#!/usr/bin/env python3
"""The whole service on one page: what it does, and what it stands on."""

from typing import Any, Iterable, Optional

from flask import Flask

from vestibule.base.config import Settings
from vestibule.features.account import routes as account
from vestibule.features.account.shown import profile_answer
from vestibule.features.activity import routes as activity
from vestibule.features.api_document import routes as api_document
from vestibule.features.deletion import pages as deletion_pages
from vestibule.features.deletion import routes as deletion
from vestibule.features.export import routes as export
from vestibule.features.health import routes as health
from vestibule.features.login import routes as login
from vestibule.features.mailbox import routes as mailbox
from vestibule.features.recovery import pages as recovery_pages
from vestibule.features.recovery import routes as recovery
from vestibule.features.registration import routes as registration
from vestibule.features.sessions import routes as sessions
from vestibule.features.sessions.shown import check_answer, session_answer
from vestibule.features.undo import routes as undo
from vestibule.features.verification import pages as verification_pages
from vestibule.features.verification import routes as verification
from vestibule.features.welcome import routes as welcome
from vestibule.features.well_known import routes as well_known
from vestibule.kernel.services import Services, build_services
from vestibule.web import (
    access, body, cors, errors, headers, hosts, room, session_check)
from vestibule.web.access import WSGI
from vestibule.web.context import EXTENSION

FEATURES = (welcome, registration, verification, verification_pages, login,
            sessions, account, activity, recovery, recovery_pages, undo,
            health, api_document, deletion, deletion_pages, export, well_known)
DEVELOPMENT_FEATURES = (mailbox,)
# These are answered past Flask where a live session asks.
ASKED_ALL_DAY = {"/session/check": check_answer, "/profile": profile_answer,
                 "/session": session_answer}
# Anybody may ask for these, and nothing comes of them without a hash.
LOGINS = ("/sessions",)
# In this order each request passes them before its view.
SHARED = (access, headers, hosts, cors, body, errors)


def create_app(settings: Settings,
               services: Optional[Services] = None) -> Flask:
    """Return the WSGI application that these settings describe.

    Raises ``ConfigError`` for all that they lack.
    """
    app = Flask(__name__)
    app.extensions[EXTENSION] = services or build_services(settings)
    app.url_map.merge_slashes = False
    for part in SHARED:
        part.init_app(app)
    for feature in FEATURES:
        app.register_blueprint(feature.routes)
    if settings.is_development:
        for feature in DEVELOPMENT_FEATURES:
            app.register_blueprint(feature.routes)
    within = room.refused_first(
        app, _under_prefix(app.wsgi_app, settings.public_url.prefix), LOGINS)
    ordinary = access.logged(settings, errors.last_resort(app, within))
    outermost: Any = session_check.answered_first(
        app, ordinary, ASKED_ALL_DAY)
    app.wsgi_app = outermost  # type: ignore[method-assign]
    return app


def _under_prefix(inner: WSGI, prefix: str) -> WSGI:
    """Serve the application under a path prefix as well as at the root.

    A proxy may hand the prefix on or strip it; both are understood, and
    links lead below the prefix either way.
    """
    def outer(environ: Any, start_response: Any) -> Iterable[bytes]:
        """Name the prefix as the script, and take it from the path."""
        path = environ.get("PATH_INFO", "")
        environ["SCRIPT_NAME"] = prefix
        if prefix and (path + "/").startswith(prefix + "/"):
            environ["PATH_INFO"] = path[len(prefix):] or "/"
        return inner(environ, start_response)
    return outer
