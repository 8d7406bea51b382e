#!/usr/bin/env python3
"""What `make soak` runs: mixed load for an hour, and a hunt in the cache.

The load is on SQLite and on PostgreSQL at once; what a service holds of the
machine must not grow meanwhile (requirement R130). The hunt is for a dead
session: one machine on SQLite, and then two on PostgreSQL that share the
database alone. Decision 44 says why there is nothing to be found.
"""

import argparse
import random
import sys
from typing import Sequence

from tests.support.databases import POSTGRESQL, SQLITE
from tools.soak_parts import hunt, load, say

MILLION = 1000000
HUNT, LOAD = "hunt", "load"
INTERRUPTED = 130
EXAMPLE = """\
example:
  make soak ARGS="--only load --minutes 5"
  make soak ARGS="--only hunt --checks 20000 --database postgresql --seed 7"
"""


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; 1 if anything was found."""
    asked = parsed(arguments)
    kinds = [asked.database] if asked.database else [SQLITE, POSTGRESQL]
    share = -(-asked.checks // len(kinds))
    results = []
    try:
        if asked.only != HUNT:
            say(f"soak: load for {asked.minutes:g} minutes, "
                f"seed {asked.seed}")
            results.append(load(kinds, asked.minutes * 60, asked.seed))
        if asked.only != LOAD:
            say(f"soak: {asked.checks} checks, seed {asked.seed}")
            results += [hunt(kind, share, asked.seed) for kind in kinds]
    except KeyboardInterrupt:
        say("soak: interrupted; nothing was found up to there.")
        return INTERRUPTED
    return 0 if all(results) else 1


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the arguments mean."""
    parser = argparse.ArgumentParser(
        prog="make soak", epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Let people do everything for an hour, and see that the "
        "service holds no more at the end; then look for a dead session that "
        "is served from the cache, while processes are killed. Ends with "
        "status 1 at a find.")
    parser.add_argument("--only", choices=(LOAD, HUNT),
                        help="one of the two parts")
    parser.add_argument("--minutes", type=minutes, default=60.0,
                        help="how long the load lasts (default: 60)")
    parser.add_argument("--checks", type=int, default=MILLION,
                        help="how many checks the hunt makes in all "
                        "(default: %(default)s)")
    parser.add_argument("--database", choices=(SQLITE, POSTGRESQL),
                        help="one kind of database instead of both")
    parser.add_argument("--seed", type=int,
                        default=random.randrange(MILLION),
                        help="what chance begins with; the operating system's "
                        "own part in it cannot be repeated")
    return parser.parse_args(arguments)


def minutes(text: str) -> float:
    """Return a number of minutes that is more than nothing."""
    found = float(text)
    if not 0 < found < float("inf"):
        raise ValueError(text)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
