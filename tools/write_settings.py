#!/usr/bin/env python3
"""Writes what is generated from the settings, after one of them changed.

That is the page ``docs/reference/settings.md`` and the file
``.env.example``; both are committed, and a test fails where they are stale.
"""

import re
import textwrap
from pathlib import Path
from typing import Dict, FrozenSet, List

from vestibule.base.config import (
    CONFIG_FILE, PRODUCTION_BCRYPT_COST, PRODUCTION_PASSWORD_LENGTH, SETTINGS,
    ConfigError, Setting, Settings, load, require_service)
from vestibule.base.settings_shown import shown

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "settings.md"
EXAMPLE = ROOT / ".env.example"
WIDTH = 79

# A sane value of each setting. The key and the peppers alone are refused, for
# nobody is to use one that stands here.
EXAMPLES: Dict[str, str] = {
    "VESTIBULE_PROFILE": "development",
    "VESTIBULE_DEVELOPMENT_EXPOSED": "no",
    "VESTIBULE_BIND": "127.0.0.1:5001",
    "VESTIBULE_BASE_URL": "https://example.com/auth",
    "VESTIBULE_DATABASE_URL":
        "postgresql+psycopg2://vestibule:password@127.0.0.1/vestibule",
    "VESTIBULE_DATABASE_DIRECT_URL":
        "postgresql+psycopg2://vestibule:password@127.0.0.1:5433/vestibule",
    "VESTIBULE_PREPARED_STATEMENTS": "off",
    "VESTIBULE_SECRET_KEY": "change-me",
    "VESTIBULE_SMTP_URL":
        "smtp+starttls://user:password@mail.example.com:587",
    "VESTIBULE_MAIL_FROM": "mail@example.com",
    "VESTIBULE_SERVICE_NAME": "Example",
    "VESTIBULE_SUPPORT_ADDRESS": "help@example.com",
    "VESTIBULE_SECURITY_CONTACT": "security@example.com",
    "VESTIBULE_REGISTRATION": "closed",
    "VESTIBULE_EMAIL_VERIFICATION": "required",
    "VESTIBULE_PASSWORD_MIN_LENGTH": "12",
    "VESTIBULE_BREACH_URL": "https://ranges.example.com/range/",
    "VESTIBULE_BREACH_FAIL": "closed",
    "VESTIBULE_BCRYPT_COST": "13",
    "VESTIBULE_PEPPER": "2026a:change-me",
    "VESTIBULE_PEPPER_FALLBACKS": "2025a:change-me",
    "VESTIBULE_WORKERS": "2",
    "VESTIBULE_THREADS": "16",
    "VESTIBULE_HASHING": "idle",
    "VESTIBULE_HASHING_THREADS": "2",
    "VESTIBULE_HASHING_PLACES": "12",
    "VESTIBULE_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8",
    "VESTIBULE_LIMITS": "password_address=100/15m,failures=50",
    "VESTIBULE_REDIS_URL": "rediss://:password@redis.example.com:6379/0",
    "VESTIBULE_CORS_ORIGINS": "https://app.example.com",
    "VESTIBULE_SESSION_CACHE": "off",
    "VESTIBULE_SESSION_IDLE": "12h",
    "VESTIBULE_SESSION_LIFETIME": "14d",
    "VESTIBULE_DELETION_GRACE": "30d",
}
# What no table of the code says in words.
NOTES: Dict[str, str] = {
    "VESTIBULE_PROFILE": "`make run` chooses development.",
    "VESTIBULE_DEVELOPMENT_EXPOSED":
        "Whoever reaches such a service can take over every user of it.",
    "VESTIBULE_BASE_URL":
        "Without it the address of `VESTIBULE_BIND` is taken, in the "
        "development profile. Its scheme decides about the cookie's name "
        "and attributes. In production it is https, unless the host is this "
        "machine.",
    "VESTIBULE_DATABASE_URL":
        "A SQLite file is found from the folder that the program runs in; "
        "with four slashes the path is absolute.",
    "VESTIBULE_DATABASE_DIRECT_URL":
        "Not set, `VESTIBULE_DATABASE_URL` leads to the server itself. "
        "Each process keeps one connection on it.",
    "VESTIBULE_PREPARED_STATEMENTS":
        "PgBouncer with `pool_mode = transaction` is such a pooler; it wants "
        "`VESTIBULE_DATABASE_DIRECT_URL`, too.",
    "VESTIBULE_SECRET_KEY":
        "`python3 -c 'import secrets; print(secrets.token_urlsafe())'` "
        "prints one. The development profile makes its own and keeps it "
        "beside the database.",
    "VESTIBULE_SMTP_URL":
        "`smtps://` speaks TLS from the first byte; `smtp://` is clear text "
        "and for this machine only. Special characters are percent-encoded.",
    "VESTIBULE_EMAIL_VERIFICATION":
        "Not set, it is `required` in production and `optional` in "
        "development. Where it is required, registering does not tell that "
        "an address is taken.",
    "VESTIBULE_PASSWORD_MIN_LENGTH":
        f"Not set, it is {PRODUCTION_PASSWORD_LENGTH} in production and 1 in "
        "development. Production takes no less than 8.",
    "VESTIBULE_BREACH_URL":
        "The first five hex digits of a new password's SHA-1 are appended, "
        "and nothing else of it is sent; the answer is one of Have I Been "
        "Pwned's range protocol. Not set, nobody is asked. [What is refused "
        "without it](passwords.md).",
    "VESTIBULE_BREACH_FAIL":
        "Failing is also an answer that takes more than two seconds. When "
        "closed, registering and setting a password are answered 503 then.",
    "VESTIBULE_BCRYPT_COST":
        f"Production takes no less than {PRODUCTION_BCRYPT_COST}. "
        "`vestibule calibrate` suggests one for the machine at hand.",
    "VESTIBULE_PEPPER":
        "The id has up to 16 small letters and digits, the secret 32 random "
        "characters or more. Losing it loses all passwords: [how to keep and "
        "change it](../how-to/pepper.md).",
    "VESTIBULE_HASHING":
        "On Linux only; elsewhere hashing has the priority of all else. With "
        "`nice` it gets a tenth of a core beside one busy program of the same "
        "group of processes, with `idle` next to nothing. [More]"
        "(../decisions/0046-hashing-has-a-bound.md).",
    "VESTIBULE_HASHING_THREADS":
        "The machine hashes as many at once as this times "
        "`VESTIBULE_WORKERS`; more than it has cores gains nothing.",
    "VESTIBULE_THREADS":
        "It must be 2 or more, so that a flood of logins leaves one.",
    "VESTIBULE_HASHING_PLACES":
        "Not set, it is three quarters of `VESTIBULE_THREADS`. It must be "
        "less than `VESTIBULE_THREADS`, so that threads are left for "
        "everything else, and no less than `VESTIBULE_HASHING_THREADS`. "
        "Beyond it the answer is 503 with `Retry-After`; a third of the "
        "places, rounded down, is for known devices.",
    "VESTIBULE_SECURITY_CONTACT":
        "A mail address, or a URI that begins with `https://` or `mailto:`. "
        "Without it there is no such file.",
    "VESTIBULE_REDIS_URL":
        "Redis or Valkey. `rediss://` is TLS, whose certificate is verified, "
        "with `?ssl_ca_certs=/file` against your own authority; "
        "`unix:///run/redis.sock?db=0` is a socket. Special characters of "
        "the password are percent-encoded. While it is away, the database "
        "counts: [how to run it]"
        "(../how-to/run-in-production.md#redis-or-valkey).",
    "VESTIBULE_CORS_ORIGINS":
        "Such a page may do all that its user may. The cookie is "
        "`SameSite=Lax`, so that an origin of another site gains nothing by "
        "standing here.",
    "VESTIBULE_SESSION_CACHE":
        "A session that was ended is not served from the cache, in no process "
        "of the machine, and on other machines after a second at most; after "
        "SQL typed by hand, 30 seconds. [How that is "
        "so](../decisions/0044-a-cache-that-cannot-be-stale.md).",
    "VESTIBULE_SESSION_IDLE":
        "Use is noted once a minute, so that less than a few minutes makes "
        "little sense.",
    "VESTIBULE_SESSION_LIFETIME":
        "A session that is not to be remembered (`remember=false` at login) "
        "lasts 12 hours at most, whatever stands here.",
    "VESTIBULE_DELETION_GRACE":
        "Their address stays taken for as long. Less than the 7 days for "
        "which a change of address can be undone leaves less time to those "
        "whose account was stolen. Production takes no less than a day.",
}
PAGE_HEAD = f"""\
# Settings

<!-- Written by tools/write_settings.py; change vestibule/base/config.py. -->

A setting comes from the environment, else from the TOML file that
`{CONFIG_FILE}` names, else from its default. Its name is the same
everywhere; in the file it stands at the top level, in capitals:

```toml
VESTIBULE_BIND = "127.0.0.1:5001"
VESTIBULE_WORKERS = 2
```

Any setting can be read from a file of its own, which suits secrets:
`VESTIBULE_SECRET_KEY_FILE=/run/secrets/key` reads `VESTIBULE_SECRET_KEY`.

An unknown name or an unusable value stops every command, with a sentence for
each. `vestibule config show` prints all values and their sources, secrets
masked; `vestibule config check` says what keeps the service from starting.
There are {len(SETTINGS)} settings, and there will be no more than 60:
[why](../decisions/0015-few-settings-no-options.md).
"""
EXAMPLE_HEAD = """\
# Settings for `make run`, which reads the file .env: copy this one there and
# take away the # before the lines that you want. What the real environment
# says wins. Every value is an example and no default; those of the secret key
# and the peppers are refused on purpose. Other commands do not read .env.
# There is more in docs/reference/settings.md.
"""


def main() -> None:
    """Write both files."""
    PAGE.write_text(page(), encoding="utf-8")
    EXAMPLE.write_text(example(), encoding="utf-8")


def page() -> str:
    """Return the reference page of all settings."""
    return "\n".join([PAGE_HEAD, *(_section(each) for each in SETTINGS)])


def example() -> str:
    """Return the example file, every line of it commented out."""
    return "\n".join([EXAMPLE_HEAD, *(_lines(each) for each in SETTINGS)])


def _section(setting: Setting) -> str:
    """Return what the page says about one setting."""
    default = _defaults()[setting.name]
    facts = [f"Takes {_taken(setting)}.",
             f"Default: `{default}`." if default else "No default."]
    if setting.name in _required():
        facts.append("Production does not start without it.")
    if setting.secret:
        facts.append("Its value is a secret and is shown masked.")
    blocks = [f"## {setting.name}", _filled(_reason(setting)),
              _filled(" ".join(facts))]
    if setting.name in NOTES:
        blocks.append(_filled(NOTES[setting.name]))
    return "\n\n".join(blocks) + "\n"


def _lines(setting: Setting) -> str:
    """Return a setting's lines of the example file."""
    comment = textwrap.wrap(_reason(setting), WIDTH - 2)
    return "\n".join([*(f"# {line}" for line in comment),
                      f"#{setting.name}={EXAMPLES[setting.name]}", ""])


def _reason(setting: Setting) -> str:
    """Return why there is this setting, as a sentence where it is words."""
    text = setting.reason
    if text.partition(" ")[0].rstrip(";").isalpha():
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "…")) else f"{text}."


def _taken(setting: Setting) -> str:
    """Return what a setting's parser takes, in its own words.

    Its docstring says it, but for a choice of words, which only a refusal
    names.
    """
    said = (setting.parse.__doc__ or "").strip().split("\n")[0]
    match = re.fullmatch(r"Take (.+?)\.?", said)
    assert match is not None, f"{setting.name}: its parser says {said!r}"
    if match.group(1) != "one of the words":
        return match.group(1).replace("``", "`")
    try:
        setting.parse("")
    except ValueError as refusal:
        words = str(refusal)[len("must be "):-len(", not ''")].split(" or ")
        return " or ".join(f"`{word}`" for word in words)
    raise AssertionError(f"{setting.name} takes the empty word")


def _defaults() -> Dict[str, str]:
    """Return each setting's default as one would write it, or nothing."""
    return {name: value for name, value, _ in shown(load({}))}


def _required() -> FrozenSet[str]:
    """Return the settings that production does not start without."""
    try:
        require_service(Settings())
    except ConfigError as error:
        return frozenset(problem.split()[0] for problem in error.problems)
    return frozenset()


def _filled(text: str) -> str:
    """Return a paragraph, no line of it too long, no word of it broken."""
    lines: List[str] = textwrap.wrap(
        text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
