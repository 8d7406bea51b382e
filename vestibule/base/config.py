#!/usr/bin/env python3
"""Every setting: its type, its default, and why two sane people differ.

A setting comes from the environment, else from the TOML file that
``VESTIBULE_CONFIG`` names, else from its default; its name is the same
everywhere. ``VESTIBULE_X_FILE`` reads a secret ``VESTIBULE_X`` from a file.
What is unknown or unusable stops the start, all of it named at once.
"""

import difflib
import os
from datetime import timedelta
from pathlib import Path
from typing import (
    Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple)

import tomli

from vestibule.base.limits import DEFAULTS, Limits, limits
from vestibule.base.setting_values import (
    BaseURL, Bind, Network, Pepper, bcrypt_cost, base_url, bind, contact,
    duration, mail_address, networks, one_of, origins, password_length,
    pepper, peppers, plain, range_url, redis_url, secret_key, small_number,
    yes_no)

PREFIX = "VESTIBULE_"
CONFIG_FILE = "VESTIBULE_CONFIG"
DEVELOPMENT, PRODUCTION = "development", "production"
OPEN, CLOSED = "open", "closed"
OPTIONAL, REQUIRED = "optional", "required"
ON, OFF = "on", "off"
NICE, IDLE = "nice", "idle"
PRODUCTION_BCRYPT_COST = 10
PRODUCTION_PASSWORD_LENGTH = 15
LONGEST_SECRET_FILE = 64 * 1024
SHORTEST_IDLE = timedelta(minutes=5)
PRODUCTION_GRACE = timedelta(days=1)


class ConfigError(Exception):
    """The configuration does not hold: ``problems`` are whole sentences."""

    def __init__(self, problems: List[str]) -> None:
        """Keep every problem found, so that all can be mended at once."""
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(NamedTuple):
    """All settings, parsed and judged; the field is the name in lower case.

    ``None`` stands for what was not set and has no default of its own.
    """

    profile: str = PRODUCTION
    development_exposed: bool = False
    bind: Bind = Bind("127.0.0.1", 5000)
    base_url: Optional[BaseURL] = None
    database_url: str = "sqlite:///vestibule.db"
    database_direct_url: Optional[str] = None
    prepared_statements: str = ON
    secret_key: Optional[str] = None
    smtp_url: Optional[str] = None
    mail_from: Optional[str] = None
    service_name: str = "Vestibule"
    support_address: Optional[str] = None
    security_contact: Optional[str] = None
    registration: str = OPEN
    email_verification: Optional[str] = None
    password_min_length: Optional[int] = None
    breach_url: Optional[str] = None
    breach_fail: str = OPEN
    bcrypt_cost: int = 12
    pepper: Optional[Pepper] = None
    pepper_fallbacks: Tuple[Pepper, ...] = ()
    workers: Optional[int] = None
    threads: int = 8
    hashing: str = NICE
    hashing_threads: int = 1
    hashing_places: Optional[int] = None
    trusted_proxies: Tuple[Network, ...] = ()
    limits: Limits = DEFAULTS
    redis_url: Optional[str] = None
    cors_origins: Tuple[str, ...] = ()
    session_cache: str = ON
    session_idle: timedelta = timedelta(days=7)
    session_lifetime: timedelta = timedelta(days=30)
    deletion_grace: timedelta = timedelta(days=14)

    @property
    def is_development(self) -> bool:
        """Whether the conveniences of the development profile are on."""
        return self.profile == DEVELOPMENT

    @property
    def public_url(self) -> BaseURL:
        """Where people reach the service: the base URL, or the bind's."""
        return self.base_url or BaseURL("http", self.bind.reachable, "")

    @property
    def minimum_password_length(self) -> int:
        """How many code points a password needs (NIST SP 800-63B-4 3.1.1.2).
        """
        if self.password_min_length is not None:
            return self.password_min_length
        return 1 if self.is_development else PRODUCTION_PASSWORD_LENGTH

    @property
    def verification_required(self) -> bool:
        """Whether people prove their address before they can sign in."""
        if self.email_verification is not None:
            return self.email_verification == REQUIRED
        return not self.is_development

    @property
    def places_for_hashing(self) -> int:
        """How many requests may be hashed or wait for it in each process.

        The rest of the threads is for everything else.
        """
        if self.hashing_places is not None:
            return self.hashing_places
        return max(1, self.threads * 3 // 4)

    @property
    def data_file(self) -> Path:
        """The file beside which the development profile keeps its own."""
        kind, _, rest = self.database_url.partition(":///")
        name = rest.partition("?")[0]
        if not kind.startswith("sqlite") or name in ("", ":memory:"):
            name = "vestibule.db"
        return Path(name)


class Setting(NamedTuple):
    """One setting: its field, parser, why it exists, and how to mask it."""

    field: str
    parse: Callable[[str], Any]
    reason: str
    secret: bool = False

    @property
    def name(self) -> str:
        """The setting's one name, in the environment and in the file."""
        return PREFIX + self.field.upper()


SETTINGS: Tuple[Setting, ...] = (
    Setting("profile", one_of(DEVELOPMENT, PRODUCTION),
            "development has conveniences that production must not have"),
    Setting("development_exposed", yes_no,
            "lets the development profile listen beyond this machine"),
    Setting("bind", bind, "the address and port to listen on"),
    Setting("base_url", base_url,
            "where people reach the service; links and cookies need it"),
    Setting("database_url", plain,
            "sqlite:///file or postgresql+psycopg2://…", secret=True),
    Setting("database_direct_url", plain,
            "leads to PostgreSQL past a pooler, to hear of changes",
            secret=True),
    Setting("prepared_statements", one_of(ON, OFF),
            "off: for a pooler that shares connections out by transactions"),
    Setting("secret_key", secret_key,
            "keys what is signed or masked; 32 random characters or more",
            secret=True),
    Setting("smtp_url", plain,
            "how mail is sent: smtp+starttls://user:password@host:587",
            secret=True),
    Setting("mail_from", mail_address, "the address that letters come from"),
    Setting("service_name", plain, "what people know the service as"),
    Setting("support_address", mail_address,
            "whom people may write to when something is wrong"),
    Setting("security_contact", contact,
            "whom to tell of a weakness, for /.well-known/security.txt"),
    Setting("registration", one_of(OPEN, CLOSED),
            "closed: only an operator makes users"),
    Setting("email_verification", one_of(OPTIONAL, REQUIRED),
            "required: only who proved their address signs in"),
    Setting("password_min_length", password_length,
            "code points a password needs; 15 in production"),
    Setting("breach_url", range_url,
            "a service that knows passwords from data breaches"),
    Setting("breach_fail", one_of(OPEN, CLOSED),
            "closed: no new password while that service fails"),
    Setting("bcrypt_cost", bcrypt_cost,
            "how slow hashing is; each step doubles it"),
    Setting("pepper", pepper,
            "id:secret, mixed into passwords; kept out of the database",
            secret=True),
    Setting("pepper_fallbacks", peppers,
            "older peppers that hashes may still need: id:secret,…",
            secret=True),
    Setting("workers", small_number,
            "processes; chosen for the machine when not set"),
    Setting("threads", small_number, "threads in each process"),
    Setting("hashing", one_of(NICE, IDLE),
            "idle: logins also give way to other programs of the machine"),
    Setting("hashing_threads", small_number,
            "how many passwords each process hashes at once"),
    Setting("hashing_places", small_number,
            "how many requests may wait for that in each process, or be at "
            "it"),
    Setting("trusted_proxies", networks,
            "networks whose X-Forwarded-For is believed: 10.0.0.0/8,…"),
    Setting("limits", limits,
            "how often things may be tried: password_address=100/15m,…"),
    Setting("redis_url", redis_url,
            "where tries are counted instead of in the database",
            secret=True),
    Setting("cors_origins", origins,
            "origins of the same site whose pages may call with the cookie"),
    Setting("session_cache", one_of(ON, OFF),
            "off: every session check asks the database"),
    Setting("session_idle", duration,
            "how long a session may lie unused: 30m, 12h, 7d"),
    Setting("session_lifetime", duration,
            "how long a session lasts at most, used or not"),
    Setting("deletion_grace", duration,
            "how long people can take the deletion of their account back"),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


class Loaded(NamedTuple):
    """Settings, the texts they came from, and where each was found."""

    settings: Settings
    texts: Dict[str, str]
    sources: Dict[str, str]


class _Texts:
    """The settings as texts, gathered from all sources, with problems."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.texts: Dict[str, str] = {}
        self.sources: Dict[str, str] = {}
        self.problems: List[str] = []

    def take(self, name: str, text: str, source: str) -> None:
        """Take a value, unless an earlier source had one."""
        if name not in BY_NAME:
            self.problems.append(_unknown(name, source))
        elif name not in self.texts:
            self.texts[name] = text
            self.sources[name] = source


def load(environ: Mapping[str, str]) -> Loaded:
    """Gather and parse all settings; nothing is asked for as yet.

    Raises ``ConfigError`` for everything that is unknown or unusable.
    """
    found = _Texts()
    _take_environment(environ, found)
    _take_file(environ.get(CONFIG_FILE), found)
    values: Dict[str, Any] = {}
    for name, text in found.texts.items():
        setting = BY_NAME[name]
        try:
            values[setting.field] = setting.parse(text)
        except ValueError as error:
            found.problems.append(f"{name} {error}.")
    settings = Settings(**values)
    found.problems.extend(_clashes(settings))
    if found.problems:
        raise ConfigError(found.problems)
    return Loaded(settings, found.texts, found.sources)


def require_service(settings: Settings) -> None:
    """Raise ``ConfigError`` for all that a running service still lacks."""
    if settings.is_development:
        return
    problems = []
    for name in ("base_url", "secret_key", "smtp_url", "mail_from"):
        if getattr(settings, name) is None:
            setting = BY_NAME[PREFIX + name.upper()]
            problems.append(f"{setting.name} is not set: {setting.reason}.")
    if problems:
        raise ConfigError(problems)


def _take_environment(environ: Mapping[str, str], found: _Texts) -> None:
    """Take what the environment says, and the files that it points to."""
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == CONFIG_FILE:
            continue
        secret_of = name[:-len("_FILE")] if name.endswith("_FILE") else ""
        if secret_of not in BY_NAME:
            found.take(name, environ[name], "environment")
        elif secret_of in environ:
            found.problems.append(f"{secret_of} and {name} are both set.")
        else:
            _take_secret_file(secret_of, environ[name], found)


def _take_secret_file(name: str, path: str, found: _Texts) -> None:
    """Take a setting's value from a file of its own, its line end dropped."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LONGEST_SECRET_FILE)
    except (OSError, UnicodeDecodeError) as error:
        found.problems.append(f"{name}_FILE cannot be read: {error}.")
        return
    found.take(name, text.rstrip("\r\n"), f"file {path}")


def _take_file(path: Optional[str], found: _Texts) -> None:
    """Take what the TOML file says, when there is one."""
    if path is None:
        return
    try:
        with open(path, "rb") as file:
            table = tomli.load(file)
    except (OSError, tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        found.problems.append(f"{CONFIG_FILE} cannot be read: {error}.")
        return
    for name, value in table.items():
        if isinstance(value, bool):
            value = "yes" if value else "no"
        if isinstance(value, (str, int)):
            found.take(name, str(value), os.path.basename(path))
        else:
            found.problems.append(f"{name} must be a text or a number.")


def _clashes(settings: Settings) -> List[str]:
    """Name what each setting allows, and another setting does not."""
    problems = []
    if settings.session_idle < SHORTEST_IDLE:
        problems.append("VESTIBULE_SESSION_IDLE must be at least 5m: the use "
                        "of a session is noted once a minute.")
    if settings.session_idle > settings.session_lifetime:
        problems.append("VESTIBULE_SESSION_IDLE must not be longer than "
                        "VESTIBULE_SESSION_LIFETIME.")
    if settings.threads == 1:
        problems.append(
            "VESTIBULE_THREADS must be 2 or more: a flood of logins would "
            "keep out all other requests.")
    elif settings.places_for_hashing >= settings.threads:
        problems.append(
            "VESTIBULE_HASHING_PLACES must be less than VESTIBULE_THREADS: "
            f"with {settings.places_for_hashing} places for logins and "
            f"{settings.threads} threads, a flood of logins would keep out "
            "all other requests.")
    if settings.hashing_threads > settings.places_for_hashing:
        problems.append(
            "VESTIBULE_HASHING_THREADS must not be more than "
            "VESTIBULE_HASHING_PLACES, which is "
            f"{settings.places_for_hashing}.")
    ids = [each.key_id for each in settings.pepper_fallbacks]
    if settings.pepper is not None:
        ids.append(settings.pepper.key_id)
    if len(set(ids)) < len(ids):
        problems.append("VESTIBULE_PEPPER and VESTIBULE_PEPPER_FALLBACKS use "
                        "an id twice: each pepper needs one of its own.")
    return problems + _clashes_with_profile(settings)


def _clashes_with_profile(settings: Settings) -> List[str]:
    """Name what each setting allows and the profile does not."""
    if settings.is_development:
        if settings.bind.is_loopback or settings.development_exposed:
            return []
        return ["VESTIBULE_BIND is reachable from other machines, and the "
                "development profile hands out reset tokens: bind to "
                "127.0.0.1, or set VESTIBULE_DEVELOPMENT_EXPOSED=yes."]
    problems = []
    if settings.development_exposed:
        problems.append("VESTIBULE_DEVELOPMENT_EXPOSED is for the "
                        "development profile only.")
    if settings.bcrypt_cost < PRODUCTION_BCRYPT_COST:
        problems.append("VESTIBULE_BCRYPT_COST must be at least "
                        f"{PRODUCTION_BCRYPT_COST} in production.")
    if settings.minimum_password_length < 8:
        problems.append("VESTIBULE_PASSWORD_MIN_LENGTH must be at least 8 in "
                        "production (NIST SP 800-63B-4).")
    if settings.deletion_grace < PRODUCTION_GRACE:
        problems.append("VESTIBULE_DELETION_GRACE must be at least 1d in "
                        "production: a thief may have asked for it.")
    url = settings.base_url
    if url is not None and url.scheme == "http" and not url.is_loopback:
        problems.append("VESTIBULE_BASE_URL must begin with https:// in "
                        "production, since cookies travel on it.")
    return problems


def _unknown(name: str, source: str) -> str:
    """Return the sentence about a name that is no setting."""
    near = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.8)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{name} ({source}) is not a setting of Vestibule.{hint}"
