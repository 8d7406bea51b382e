#!/usr/bin/env python3
"""What a hunt counts, and what it finds."""

from collections import Counter
from time import monotonic
from typing import Counter as Counts, List, NamedTuple, Optional, Tuple

from tests.support.hunt_judge import Answer, Asked, find_of, lag_of
from tests.support.hunt_stage import Rows

# Answers may fail for so long after a process was killed.
TROUBLE_SECONDS = 10.0


class Plan(NamedTuple):
    """How much there has to be of everything, at the least, and chance.

    The operating system's own part in it cannot be repeated.
    """

    checks: int
    changes: int
    kills: int
    seed: int


class Tally:
    """What was counted."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.seconds = 0.0
        self.checks = self.good = self.refused = self.troubles = 0
        self.by_worker: Counts[Tuple[int, int]] = Counter()
        self.longest_elsewhere = 0.0
        self.changes = self.unanswered = 0
        self.kills = self.pauses = self.disturbances = 0
        self.finds: List[str] = []
        self._struck_at = 0.0
        # Of one person who was changed by hand: what was surely kept.
        self.asked_of_kept = self.surely_kept = 0
        # What PostgreSQL says how often it looked for sessions.
        self.looked_for: Optional[int] = None

    @property
    def kept_share(self) -> float:
        """Which share of the checks of that person was surely kept."""
        return self.surely_kept / max(1, self.asked_of_kept)

    @property
    def cached_share(self) -> Optional[float]:
        """Which share of good answers PostgreSQL knew nothing of.

        At least: changes, and checks that were refused, look as well.
        """
        if self.looked_for is None:
            return None
        return 1 - (self.looked_for - self.refused) / max(1, self.good)

    def summary(self) -> str:
        """Say in a line what there was so far."""
        share = ("" if self.cached_share is None else
                 f"; {self.cached_share:.0%} of good answers without a look "
                 "at the database")
        return (f"{self.checks} checks of {len(self.by_worker)} processes "
                f"in {self.seconds:.0f} s, {self.refused} refused, "
                f"{self.troubles} connections broke; {self.changes} "
                f"changes, {self.unanswered} of them cut "
                f"off; {self.kills} kills, {self.pauses} pauses, "
                f"{self.disturbances} disturbances of PostgreSQL; "
                f"{self.kept_share:.0%} surely from the cache{share}; "
                f"stale elsewhere for {self.longest_elsewhere * 1000:.1f} "
                "ms at most")

    def seconds_left(self, plan: Plan) -> float:
        """Return about how long it will go on."""
        share = min(self.checks / max(1, plan.checks),
                    self.changes / max(1, plan.changes),
                    self.kills / max(1, plan.kills))
        return self.seconds * (1 / max(share, 0.001) - 1)

    def struck(self) -> None:
        """Hear that a process was killed, so that some answers fail."""
        self._struck_at = monotonic()

    def judge(self, asked: Asked, answer: Answer, rows: Rows) -> None:
        """Count an answer, and remember what is wrong with it."""
        find = find_of(asked, answer)
        person = asked.ticket.person
        self.good += answer.is_good
        if find:
            self._found(find)
        elif person.machine is None:
            self._count_kept(asked, answer)
        elif answer.is_good:
            self.longest_elsewhere = max(
                self.longest_elsewhere, lag_of(asked, answer).seconds)
        if answer.status == 403:
            self.refused += 1
            rows.look(person)
            if asked.ticket.is_live:
                self._found(f"a live session was refused: {asked}; "
                            f"{asked.ticket.facts}; {answer!r}")
        elif answer.status >= 500:
            self.excuse(f"{answer!r}")

    def _count_kept(self, asked: Asked, answer: Answer) -> None:
        """Count what was changed by hand, and is shown as it was before."""
        if len(asked.ticket.facts) > 1 and answer.is_good:
            self.asked_of_kept += 1
            self.surely_kept += bool(lag_of(asked, answer).wrong)

    def excuse(self, what: str) -> None:
        """Let a failure pass shortly after a blow, and else report it."""
        if monotonic() > self._struck_at + TROUBLE_SECONDS:
            self._found(f"nobody was killed, and yet: {what}")

    def _found(self, find: str) -> None:
        """Remember a find; the hunt ends with the first."""
        self.finds.append(f"after {self.checks} checks, "
                          f"{self.changes} changes and "
                          f"{self.seconds:.1f} s: {find}")
