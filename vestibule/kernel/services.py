#!/usr/bin/env python3
"""Services: the kernel put together from the settings, once a process."""

from typing import NamedTuple, Optional

from vestibule.base.clock import Clock
from vestibule.base.config import ConfigError, Settings, require_service
from vestibule.kernel.audit import Audit
from vestibule.kernel.auth import Auth
from vestibule.kernel.delivery import Delivery, Sender
from vestibule.kernel.development_key import development_key
from vestibule.kernel.housekeeping import Housekeeping
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.profiles import Profiles
from vestibule.kernel.sessions import Lifetimes, Sessions
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.users import Users
from vestibule.mail.mailbox import MailboxMailer
from vestibule.mail.message import Mailer
from vestibule.mail.smtp import SmtpMailer
from vestibule.mail.smtp_address import parse_smtp_url
from vestibule.store.db import DB


class Services(NamedTuple):
    """Everything a request may need, made once and never changed.

    ``mailer`` sends letters, or keeps them where the development profile
    shows them.
    """

    settings: Settings
    db: DB
    auth: Auth
    sessions: Sessions
    sign_in: SignIn
    profiles: Profiles
    users: Users
    mailer: Mailer
    delivery: Delivery
    housekeeping: Housekeeping


def open_auth(settings: Settings, clock: Optional[Clock] = None) -> Auth:
    """Open the database and return the API on it, as the settings say.

    Raises ``ConfigError`` for a database that cannot be opened so.
    """
    try:
        db = DB(settings.database_url, clock)
    except (ValueError, ModuleNotFoundError) as error:
        raise ConfigError(
            [f"VESTIBULE_DATABASE_URL: {error}."]) from error
    key = settings.secret_key
    if key is None and settings.is_development:
        key = development_key(settings.data_file)
    passwords = Passwords(settings.bcrypt_cost,
                          settings.minimum_password_length)
    audit = Audit(db, key or "")
    sessions = Sessions(db, audit, Lifetimes(
        settings.session_idle, settings.session_lifetime))
    return Auth(db, passwords, audit, sessions,
                local_names=settings.is_development)


def build_services(settings: Settings,
                   clock: Optional[Clock] = None) -> Services:
    """Put the kernel together.

    Raises ``ConfigError`` for all that the service cannot run with.
    """
    require_service(settings)
    mailer = open_mailer(settings)
    auth = open_auth(settings, clock)
    db = auth.db
    sender = Sender(mailer, settings.service_name, str(settings.public_url),
                    settings.support_address)
    return Services(
        settings, db, auth, auth.sessions, SignIn(db, auth),
        Profiles(db, auth.audit), Users(db, auth), mailer,
        Delivery(db, auth, sender),
        Housekeeping(db, auth.sessions.last_seen))


def mailbox_folder(settings: Settings) -> str:
    """Return the folder of the development mailbox, beside the database."""
    return str(settings.data_file.with_suffix(".mailbox"))


def open_mailer(settings: Settings) -> Mailer:
    """Return what takes letters out of the house, or keeps them in it.

    Nothing is connected. Raises ``ConfigError`` for unusable settings.
    """
    if settings.is_development:
        return MailboxMailer(mailbox_folder(settings))
    try:
        address = parse_smtp_url(settings.smtp_url or "")
    except ValueError as error:
        raise ConfigError([f"VESTIBULE_SMTP_URL: {error}."]) from error
    sender = f"{settings.service_name} <{settings.mail_from}>"
    try:
        return SmtpMailer(address, sender)
    except ValueError as error:
        raise ConfigError([
            "VESTIBULE_SERVICE_NAME and VESTIBULE_MAIL_FROM do not make a "
            f"sender: {error}."]) from error
