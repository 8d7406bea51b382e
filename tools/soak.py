#!/usr/bin/env python3
"""What `make soak` runs: the hunt for a dead session in the cache, at length.

One machine on SQLite, and then two on PostgreSQL that share the database
alone. Decision 44 says why there is nothing to be found.
"""

import argparse
import random
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Dict, Sequence

from tests.support.databases import POSTGRESQL, SQLITE, Databases
from tests.support.folders import folder_in_memory
from tests.support.hunt import hunted
from tests.support.hunt_tally import Plan, Tally
from tests.support.postgresql import NoPostgreSQL
from tests.support.roomy import ROOMY

MILLION = 1000000
INTERRUPTED = 130
# A change or a kill takes as long as many checks.
CHECKS_PER_CHANGE, CHECKS_PER_KILL = 500, 20000
EXAMPLE = """\
example:
  make soak ARGS="--checks 20000 --database postgresql --seed 7"
"""


def main(arguments: Sequence[str]) -> int:
    """Hunt as the arguments say; 1 if there was a find."""
    asked = parsed(arguments)
    kinds = [asked.database] if asked.database else [SQLITE, POSTGRESQL]
    share = -(-asked.checks // len(kinds))
    say(f"soak: {asked.checks} checks, seed {asked.seed}")
    try:
        results = [hunt(kind, share, asked.seed) for kind in kinds]
    except KeyboardInterrupt:
        say("soak: interrupted; nothing was found up to there.")
        return INTERRUPTED
    return 0 if all(results) else 1


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the arguments mean."""
    parser = argparse.ArgumentParser(
        prog="make soak", epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Look for a dead session that is served from the cache, "
        "while processes are killed. Ends with status 1 at a find.")
    parser.add_argument("--checks", type=int, default=MILLION,
                        help="how many checks in all (default: %(default)s)")
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL),
                        help="one kind of database instead of both")
    parser.add_argument("--seed", type=int,
                        default=random.randrange(MILLION),
                        help="what chance begins with; the operating system's "
                        "own part in it cannot be repeated")
    return parser.parse_args(arguments)


def hunt(kind: str, checks: int, seed: int) -> bool:
    """Hunt on one kind of database; say whether nothing was found."""
    with tempfile.TemporaryDirectory(
            prefix="vestibule-soak-", dir=folder_in_memory()) as name:
        databases = Databases(Path(name))
        try:
            url = databases.empty(kind, Path(name))
            plan = Plan(checks, checks // CHECKS_PER_CHANGE,
                        checks // CHECKS_PER_KILL, seed)
            done = hunted(settings(url), Path(name), plan,
                          partial(tell, kind, plan))
        except (NoPostgreSQL, ModuleNotFoundError) as reason:
            say(f"soak: {kind} cannot be had: {reason}")
            return False
        finally:
            databases.stop()
    say(f"soak: {kind}: {done.summary()}")
    for find in done.finds:
        say(f"soak: {kind}, seed {seed}: FOUND {find}")
    if not done.finds:
        say(f"soak: {kind}: nothing was found.")
    return not done.finds


def settings(url: str) -> Dict[str, str]:
    """Return the settings of a service that is asked very much."""
    return {"VESTIBULE_PROFILE": "development",
            "VESTIBULE_DATABASE_URL": url, "VESTIBULE_LIMITS": ROOMY,
            "VESTIBULE_SECRET_KEY": "a key for tests, 0123456789abcdef",
            "VESTIBULE_BCRYPT_COST": "4"}


def tell(kind: str, plan: Plan, tally: Tally) -> None:
    """Print how far a hunt is."""
    say(f"soak: {kind}: {tally.summary()}; about "
        f"{tally.seconds_left(plan) / 60:.0f} minutes left")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
