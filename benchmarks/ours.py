#!/usr/bin/env python3
"""Vestibule as a service under test: its settings, its tables, its start."""

import functools
import json
import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, FrozenSet, Mapping, Optional, Sequence

from benchmarks.kinds import run_to_end
from benchmarks.machine import cores
from benchmarks.processes import LOOPBACK, Command
from benchmarks.subject import (
    COST, OPENING_COST, PASSWORD, WORKERS, Site, Subject, plain_environ)
from benchmarks.workshop import CannotBuild, Workshop

HASHING = Path(__file__).with_name("bcrypt_alone.py")
# One machine plays all the people there are: nobody's tries are limited.
# What a version does not know yet is left out.
ROOMY = {
    "VESTIBULE_LIMITS": ",".join(f"{name}=off" for name in (
        "password_address", "password_identifier", "password_device")),
}
# Production needs a way to send mail. Logins write no letters here, and
# nobody listens there.
NOWHERE = f"smtp://{LOOPBACK}:9"
NOW = "(extract(epoch FROM now()) * 1000000)::bigint"
# The rows of a numbered user and of a numbered session, found again by their
# number; the digest is none of any secret.
USERS = f"""
    INSERT INTO users (id, email, email_verified_at, hashed_password,
        version, created_at, updated_at)
    SELECT md5('user' || g)::uuid::text, 'user' || g || '@example.com',
        {NOW}, CASE WHEN g <= {{sessions}} THEN '{{low}}' ELSE '{{high}}' END,
        1, {NOW}, {NOW}
    FROM generate_series({{low_number}}, {{high_number}}) AS g
"""
MORE_USERS = f"""
    INSERT INTO users (id, email, email_verified_at, version, created_at,
        updated_at)
    SELECT md5('user' || g)::uuid::text, 'user' || g || '@example.com',
        {NOW}, 1, {NOW}, {NOW}
    FROM generate_series(
        greatest({{low}}, (SELECT count(*) + 1 FROM users)), {{high}}) AS g
"""
MORE_SESSIONS = f"""
    INSERT INTO sessions (id, secret_digest, user_id, amr, created_at,
        authenticated_at, last_seen_at, idle_expires_at, expires_at,
        remembered)
    SELECT md5('session' || g)::uuid::text,
        md5('one' || g) || md5('other' || g),
        md5('user' || g)::uuid::text, 'pwd', {NOW}, {NOW}, {NOW},
        {NOW} + 7 * 86400000000, {NOW} + 30 * 86400000000, true
    FROM generate_series({{low}}, {{high}}) AS g
"""


@dataclass(frozen=True)
class Vestibule(Subject):
    """Our service as ``vestibule serve`` starts it, in production.

    ``settings`` are set besides what it needs; a version that does not know
    one of them is not measured. ``python`` is a version of Python, or
    nothing for the one that the peers run on.
    """

    health: Sequence[str] = ("/health/live", "/health/ready")
    more_rows: Sequence[str] = (MORE_USERS, MORE_SESSIONS)
    python: Optional[str] = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def build(self, workshop: Workshop) -> None:
        """Make our own environment, and see that it knows the settings."""
        unknown = sorted(set(self.settings) - self._known(workshop))
        if unknown:
            raise CannotBuild(f"this version has no {', '.join(unknown)}")

    def fill(self, site: Site) -> None:
        """Make the tables by the migrations, and the users directly."""
        self.migrate(site)
        low, high = (self.hashed(site, cost) for cost in (OPENING_COST, COST))
        site.postgres.sql(self.database, USERS.format(
            sessions=site.sessions, low=low, high=high,
            low_number=1, high_number=site.users))

    def migrate(self, site: Site) -> None:
        """Make the tables by the migrations."""
        program = site.workshop.ours(self.python) / "vestibule"
        run_to_end(Command(
            [str(program), "migrate"], self._environ(site, 0, COST),
            site.work, self.log(site)))

    def command(self, site: Site, port: int, cost: int) -> Command:
        """Return ``vestibule serve``; of low cost, in development."""
        program = site.workshop.ours(self.python) / "vestibule"
        return Command([str(program), "serve"],
                       self._environ(site, port, cost), site.work,
                       self.log(site))

    def _environ(self, site: Site, port: int, cost: int) -> Dict[str, str]:
        """Return the settings; production would refuse a low cost."""
        values = {
            "VESTIBULE_PROFILE": ("production" if cost == COST
                                  else "development"),
            "VESTIBULE_BIND": f"{LOOPBACK}:{port}",
            "VESTIBULE_BASE_URL": f"http://{LOOPBACK}:{port}",
            "VESTIBULE_DATABASE_URL": self.database_url(site),
            "VESTIBULE_SECRET_KEY": _secret_key(site.work),
            "VESTIBULE_SMTP_URL": NOWHERE,
            "VESTIBULE_MAIL_FROM": "vestibule@example.com",
            "VESTIBULE_WORKERS": str(WORKERS),
            "VESTIBULE_BCRYPT_COST": str(cost),
            **{name: value for name, value in ROOMY.items()
               if name in self._known(site.workshop)},
            **self.settings}
        if not port:
            del values["VESTIBULE_BIND"], values["VESTIBULE_BASE_URL"]
        return plain_environ(**values)

    def database_url(self, site: Site) -> str:
        """Return where the rows are, with the driver that we use."""
        return site.postgres.url(self.database).replace(
            "postgresql:", "postgresql+psycopg2:", 1)

    def _known(self, workshop: Workshop) -> FrozenSet[str]:
        """Return the names of the settings that this version has."""
        return _settings_of(workshop.ours(self.python) / "vestibule")

    def hashed(self, site: Site, cost: int) -> str:
        """Return a hash of the password that all users have."""
        python = site.workshop.ours(self.python) / "python"
        done = subprocess.run(
            [str(python), str(HASHING), "hash", PASSWORD, str(cost)],
            stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().strip()


@dataclass(frozen=True)
class BcryptAlone(Subject):
    """No service: bcrypt itself, on all cores, in our environment."""

    def build(self, workshop: Workshop) -> None:
        """Make our own environment."""
        workshop.ours()

    def rates(self, site: Site, seconds: float) -> Dict[str, float]:
        """Return how many passwords are checked, named as logins are."""
        python = site.workshop.ours() / "python"
        done = subprocess.run(
            [str(python), str(HASHING), "check", PASSWORD, str(COST),
             str(cores()), str(seconds)], stdout=subprocess.PIPE, check=True)
        a_second, per_core = done.stdout.split()
        return {"logins_per_s": float(a_second), "per_core": float(per_core)}


@functools.lru_cache(maxsize=None)
def _settings_of(program: Path) -> FrozenSet[str]:
    """Return the names of the settings that a program of ours prints."""
    done = subprocess.run(
        [str(program), "config", "show", "--json"],
        env=plain_environ(VESTIBULE_PROFILE="development"),
        stdout=subprocess.PIPE, check=True)
    return frozenset(row["name"] for row in json.loads(done.stdout.decode()))


def _secret_key(work: Path) -> str:
    """Return the key of all services of ours in this work folder."""
    file = work / "secret-key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe())
    return file.read_text()
