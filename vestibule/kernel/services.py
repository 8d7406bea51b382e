#!/usr/bin/env python3
"""Services: the kernel put together from the settings, once a process."""

import threading
from typing import Callable, Dict, NamedTuple, Optional

from vestibule.base.clock import Clock
from vestibule.base.config import (
    CLOSED, IDLE, NICE, OFF, ON, ConfigError, Settings, require_service)
from vestibule.kernel.activity import Activity
from vestibule.kernel.address_change import AddressChange
from vestibule.kernel.auth import Auth, Rules
from vestibule.kernel.blocklist import Blocklist
from vestibule.kernel.breaches import Breaches
from vestibule.kernel.context_words import words_of_host, words_of_name
from vestibule.kernel.deletion import Deletion
from vestibule.kernel.delivery import Delivery
from vestibule.kernel.development_key import development_key
from vestibule.kernel.erasure import Erasure
from vestibule.kernel.export import Export
from vestibule.kernel.hashing import Bounds, Hashing
from vestibule.kernel.housekeeping import Housekeeping
from vestibule.kernel.idempotency import Idempotency
from vestibule.kernel.letter_writer import Letterhead, LetterWriter
from vestibule.kernel.password_policy import PasswordPolicy
from vestibule.kernel.passwords import Passwords
from vestibule.kernel.peppers import Peppers
from vestibule.kernel.profiles import Profiles
from vestibule.kernel.readiness import Readiness
from vestibule.kernel.refusals import Refusals
from vestibule.kernel.registration import Registration
from vestibule.kernel.sessions import Lifetimes, Sessions
from vestibule.kernel.sign_in import SignIn
from vestibule.kernel.throttle import Throttle
from vestibule.kernel.undo import Undo
from vestibule.kernel.users import Users
from vestibule.kernel.verification import Verification
from vestibule.mail.mailbox import MailboxMailer
from vestibule.mail.message import Mailer
from vestibule.mail.smtp import SmtpMailer
from vestibule.mail.smtp_address import parse_smtp_url
from vestibule.store.attempt import AttemptStore, DatabaseAttempts
from vestibule.store.attempt_fallback import FallbackAttempts
from vestibule.store.attempt_redis import RedisAttempts
from vestibule.store.db import DB
from vestibule.store.news import News, ServerNews
from vestibule.store.pepper_canary import PepperCanaryStore


Loop = Callable[[threading.Event], None]
# Whether hashing gives way to other programs, too.
GIVES_WAY = {NICE: False, IDLE: True}


class Services(NamedTuple):
    """Everything a request may need, made once and never changed.

    ``mailer`` sends letters, or keeps them where the development profile
    shows them.
    """

    settings: Settings
    db: DB
    auth: Auth
    hashing: Hashing
    sessions: Sessions
    registration: Registration
    sign_in: SignIn
    idempotency: Idempotency
    profiles: Profiles
    activity: Activity
    verification: Verification
    address_change: AddressChange
    undo: Undo
    users: Users
    mailer: Mailer
    delivery: Delivery
    housekeeping: Housekeeping
    deletion: Deletion
    export: Export
    refusals: Refusals
    readiness: Readiness
    news: Optional[News]

    def begin(self) -> Dict[str, Loop]:
        """Begin to serve: sessions are kept in memory from now on.

        Returns what has to run beside the requests, by its name; each ends
        soon after the event that it is given is set.
        """
        loops: Dict[str, Loop] = {
            "housekeeping": self.housekeeping.run,
            "delivery": self.delivery.run}
        if self.news is not None:
            self.sessions.cache.begin(self.news)
            loops["news"] = self.news.run
        return loops


def open_auth(settings: Settings, clock: Optional[Clock] = None,
              hashing: Optional[Hashing] = None) -> Auth:
    """Open the database and return the API on it, as the settings say.

    A service hands in where it hashes; a command does so in its own thread.
    Raises ``ConfigError`` for a database that cannot be opened so, or a
    Redis that cannot be used.
    """
    in_redis = open_redis(settings)
    try:
        db = DB(settings.database_url, clock,
                settings.prepared_statements == ON)
    except (ValueError, ModuleNotFoundError) as error:
        raise ConfigError(
            [f"VESTIBULE_DATABASE_URL: {error}."]) from error
    key = secret_key(settings)
    return Auth(
        db, Passwords(settings.bcrypt_cost, Peppers(
            settings.pepper, settings.pepper_fallbacks,
            PepperCanaryStore(db)), hashing), key,
        Lifetimes(settings.session_idle, settings.session_lifetime),
        Rules(password_policy(settings), settings.is_development,
              Throttle(db, key, settings.limits,
                       open_attempts(db, in_redis))))


def open_news(settings: Settings, db: DB) -> Optional[News]:
    """Return what tells a cache of sessions about changes, if there is one.

    Raises ``ConfigError`` for an unusable URL.
    """
    if settings.session_cache == OFF:
        return None
    if db.is_sqlite:
        return News(db)
    try:
        return ServerNews(db, settings.database_direct_url)
    except ValueError as error:
        raise ConfigError(
            [f"VESTIBULE_DATABASE_DIRECT_URL: {error}."]) from error


def open_redis(settings: Settings) -> Optional[RedisAttempts]:
    """Return the attempts in Redis, if the settings name one.

    Nothing is connected. Raises ``ConfigError`` where it cannot be used.
    """
    if settings.redis_url is None:
        return None
    try:
        return RedisAttempts(settings.redis_url)
    except ModuleNotFoundError as error:
        raise ConfigError([f"VESTIBULE_REDIS_URL {error}."]) from error
    except ValueError as error:
        raise ConfigError([f"VESTIBULE_REDIS_URL: {error}."]) from error


def open_attempts(db: DB, in_redis: Optional[RedisAttempts]) -> AttemptStore:
    """Return where tries are counted: while Redis is away, the database."""
    in_database = DatabaseAttempts(db)
    if in_redis is None:
        return in_database
    return FallbackAttempts(in_redis, in_database)


def password_policy(settings: Settings) -> PasswordPolicy:
    """Return what may become a password.

    In development any will do, but for what was set on purpose.
    """
    breaches = None
    if settings.breach_url is not None:
        breaches = Breaches(
            settings.breach_url, settings.breach_fail == CLOSED)
    if settings.is_development:
        return PasswordPolicy(
            settings.minimum_password_length, breaches=breaches)
    return PasswordPolicy(
        settings.minimum_password_length, Blocklist(),
        words_of_name(settings.service_name)
        | words_of_host(settings.public_url.host), breaches)


def secret_key(settings: Settings) -> str:
    """Return the secret key; in development it is made when it is missing.

    Empty where an operator's command runs without one.
    """
    if settings.secret_key is None and settings.is_development:
        return development_key(settings.data_file)
    return settings.secret_key or ""


def build_services(settings: Settings,
                   clock: Optional[Clock] = None) -> Services:
    """Put the kernel together.

    Raises ``ConfigError`` for all that the service cannot run with.
    """
    require_service(settings)
    mailer = open_mailer(settings)
    hashing = Hashing(Bounds(
        settings.hashing_threads, settings.places_for_hashing,
        idle=GIVES_WAY[settings.hashing]))
    auth = open_auth(settings, clock, hashing)
    db, key = auth.db, secret_key(settings)
    refusals = Refusals(db)
    verified_only = settings.verification_required
    address_change = AddressChange(db, auth)
    sign_in = SignIn(db, auth, verified_only)
    letterhead = Letterhead(
        settings.service_name, str(settings.public_url),
        settings.support_address)
    return Services(
        settings=settings, db=db, auth=auth, hashing=hashing,
        sessions=auth.sessions,
        registration=Registration(
            db, auth, key, tells_taken=not verified_only),
        sign_in=sign_in, idempotency=Idempotency(db, key),
        profiles=Profiles(db, auth.audit), activity=Activity(db, key),
        verification=Verification(db, auth, key, address_change),
        address_change=address_change, undo=Undo(db, auth),
        users=Users(db, auth), mailer=mailer,
        delivery=Delivery(
            db, LetterWriter(db, auth.tokens, letterhead), mailer),
        housekeeping=Housekeeping(
            db, auth.sessions.last_seen, Erasure(db, auth), refusals),
        deletion=Deletion(db, auth, sign_in, settings.deletion_grace),
        export=Export(db, auth), refusals=refusals,
        readiness=Readiness(db, auth.passwords.peppers),
        news=open_news(settings, db))


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
