#!/usr/bin/env python3
"""The hunt for a dead session that is served from the cache.

Decision 44 says why there is none. Here real processes serve, are asked as
fast as they can answer, and are killed in the middle of changes. One thread
reads the database itself and sends the checks, in turn: so of each check it
is known what the database held before it began.
"""

import select
import signal
from collections import deque
from pathlib import Path
from random import Random
from time import monotonic
from typing import Callable, Deque, Dict, Optional, Tuple

from tests.support.hunt_blows import Theatre
from tests.support.hunt_changes import Changer
from tests.support.hunt_judge import (
    CHECK, PATHS, PROFILE, Asked, Person, Ticket)
from tests.support.hunt_line import Line, holder_of
from tests.support.hunt_people import Newcomers
from tests.support.hunt_stage import WORKERS, Stage, pause, send, staged
from tests.support.hunt_tally import Plan, Tally

LINES_PER_MACHINE = 4
BYSTANDERS = 3
# Whoever is gone is asked about for longer than any bound elsewhere.
MOURNING_SECONDS = 4.0
BY_HAND_EVERY_SECONDS = 1.0
# So many answers must surely be from a cache, or the hunt proves nothing.
ENOUGH_KEPT = 20
LONGEST_PROOF_SECONDS = 60
# Longer than what a machine that hears nothing may go on for.
LONGEST_SILENCE_SECONDS = 2.5
# The service hangs up on who is silent for 5 seconds.
SILENT_SECONDS = 4.0
ANSWERS_PER_LINE = 1000
ANSWERS_PER_LOOK = 100
TELL_EVERY_SECONDS = 10.0


class Hunt(Theatre):
    """Asks and looks in one thread, while a changer changes in another."""

    def __init__(self, stage: Stage, plan: Plan,
                 tell: Callable[[Tally], None]) -> None:
        """Hunt on these machines until there was enough; ``run`` begins."""
        self.focus: Optional[Person] = None
        self.when_seen: Optional[Callable[[], None]] = None
        self.turns = 0
        self.tally = Tally()
        self._stage = stage
        self._plan = plan
        self._tell = tell
        self._random = Random(plan.seed)
        self._newcomers = Newcomers(stage.machines)
        self._changer = Changer(self, stage.machines, self._newcomers,
                                Random(plan.seed + 1))
        self._buried: Deque[Tuple[float, Person]] = deque()
        self._lines = [Line(machine.number, machine.port)
                       for machine in stage.machines
                       for _ in range(LINES_PER_MACHINE)]
        self._wanted = ""
        self._begun_at = self._changed_by_hand_at = 0.0

    def run(self) -> None:
        """Hunt; what was found is in ``tally.finds``."""
        self._invite()
        self._begun_at = told_at = monotonic()
        self._changed_by_hand_at = monotonic()
        self._changer.start()
        try:
            while self._changer.is_alive() and not self.tally.finds:
                self._turn()
                if monotonic() > told_at + TELL_EVERY_SECONDS:
                    told_at = monotonic()
                    self._tell(self.tally)
        finally:
            for line in self._lines:
                line.close()
        if self._changer.error is not None and not self.tally.finds:
            raise self._changer.error

    def is_over(self) -> bool:
        """Say whether there has been enough, or a find."""
        tally, plan = self.tally, self._plan
        proves = (tally.surely_kept >= ENOUGH_KEPT and len(tally.by_worker)
                  >= WORKERS * len(self._stage.machines))
        return bool(tally.finds) or (
            tally.checks >= plan.checks and tally.changes >= plan.changes
            and tally.kills >= plan.kills
            and (proves or tally.seconds > LONGEST_PROOF_SECONDS))

    def bury(self, person: Person) -> None:
        """Go on asking about somebody for a while."""
        self._buried.append((monotonic(), person))

    def disturb(self, kind: str) -> None:
        """Have a connection to PostgreSQL cut or silenced at the next turn.
        """
        self._wanted = kind

    def _invite(self) -> None:
        """Let those come whom nobody changes, or only by hand."""
        self._bystanders = [self._newcomers.arrive(self._stage.machines[0], 2)
                            for _ in range(BYSTANDERS)]
        self._by_hand = self._newcomers.arrive(None, 1)
        for person in (*self._bystanders, self._by_hand):
            self._stage.rows.look(person)

    def _turn(self) -> None:
        """Look, ask whom nobody is being asked, and hear what comes."""
        self._look()
        for line in self._lines:
            if line.asked is None:
                self._ask(line)
        waiting = [line for line in self._lines if line.asked is not None]
        for line in select.select(waiting, [], [], 0.01)[0]:
            self._hear(line)
        self.turns += 1
        self.tally.seconds = monotonic() - self._begun_at

    def _look(self) -> None:
        """Read the database; let the blow fall that waits for news."""
        if self.focus is not None and self._stage.rows.look(self.focus):
            action, self.when_seen = self.when_seen, None
            if action is not None:
                action()
        if self._wanted:
            self._disturb()
        now = monotonic()
        if now > self._changed_by_hand_at + BY_HAND_EVERY_SECONDS:
            self._changed_by_hand_at = now
            self._stage.rows.change_by_hand(self._by_hand)
            self._stage.rows.look(self._by_hand)
        while self._buried and self._buried[0][0] < now - MOURNING_SECONDS:
            self._buried.popleft()

    def _disturb(self) -> None:
        """Cut connections to PostgreSQL, or let them be silent.

        It is one that is used by requests, or those that bring the news.
        """
        kind, self._wanted = self._wanted, ""
        brings_news = kind == "silence" or self._random.random() < 0.7
        pids = self._stage.rows.connected(brings_news)
        if not pids:
            return
        self.tally.struck()
        self.tally.disturbances += 1
        seconds = self._random.uniform(0.5, LONGEST_SILENCE_SECONDS)
        for pid in pids if brings_news else [self._random.choice(pids)]:
            if kind == "cut":
                send(pid, signal.SIGTERM)
            else:
                pause(pid, seconds)

    def _ask(self, line: Line) -> None:
        """Ask about somebody, on a new connection now and then."""
        ticket, path = self._whom()
        if line.answers >= ANSWERS_PER_LINE:
            line.close()
        try:
            if line.socket is None:
                line.open()
            line.ask(Asked(ticket, path, line.machine, monotonic()))
        except OSError:
            self._trouble(line)

    def _whom(self) -> Tuple[Ticket, str]:
        """Choose whom to ask about, and what: mostly who is changing."""
        focus, draw = self.focus, self._random.random()
        path = self._random.choice((CHECK, CHECK, *PATHS))
        if draw < 0.05:
            return self._by_hand.tickets[0], PROFILE
        person = self._random.choice(self._bystanders)
        if draw < 0.3 and self._buried:
            person = self._random.choice(self._buried)[1]
        elif draw > 0.4 and focus is not None:
            person = focus
        return self._random.choice(person.tickets), path

    def _hear(self, line: Line) -> None:
        """Take in an answer, or a part of it, and judge it."""
        try:
            answer = line.take()
        except OSError:
            self._trouble(line)
            return
        if answer is None or line.asked is None:
            return
        asked, line.asked = line.asked, None
        self.tally.checks += 1
        self._spread(line)
        if line.holder is not None:
            self.tally.by_worker[line.machine, line.holder] += 1
        self.tally.judge(asked, answer, self._stage.rows)

    def _spread(self, line: Line) -> None:
        """See to it that both workers are asked, where there are two."""
        if line.answers % ANSWERS_PER_LOOK != 1 or line.socket is None:
            return
        machine = self._stage.machines[line.machine]
        if line.holder is None:
            line.holder = holder_of(line.socket, machine.workers())
            if line.holder is not None:
                machine.heard_of.add(line.holder)
        others = [each.holder for each in self._lines if each is not line
                  and each.machine == line.machine]
        if (others.count(line.holder) > len(others) / 2
                and self._random.random() < 0.7):
            line.close()

    def _trouble(self, line: Line) -> None:
        """Give up a connection that broke; who was killed is an excuse."""
        was_silent = monotonic() - line.used_at > SILENT_SECONDS
        line.close()
        self.tally.troubles += 1
        if not was_silent:
            self.tally.excuse("a connection broke")


def hunted(environ: Dict[str, str], folder: Path, plan: Plan,
           tell: Callable[[Tally], None] = lambda tally: None) -> Tally:
    """Hunt with services of these settings; return what came of it."""
    with staged(environ, folder) as stage:
        hunt = Hunt(stage, plan, tell)
        before = None if stage.rows.is_sqlite else stage.rows.scans()
        hunt.run()
        for machine in stage.machines:
            machine.end()
        if before is not None:
            hunt.tally.looked_for = stage.rows.scans_of_the_ended() - before
    return hunt.tally
