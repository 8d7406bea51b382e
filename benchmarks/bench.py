#!/usr/bin/env python3
"""A run: builds, fills, opens sessions, measures in turns, and cleans up."""

import contextlib
import dataclasses
import subprocess
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

from benchmarks.growing import Growing
from benchmarks.ours import BcryptAlone
from benchmarks.plan import (
    APART, FILL_SECONDS, GROWTH, OPEN_SECONDS, PURGE, Form, Step,
    check_steps, growth_seconds, interleaved, planned_seconds, sittings,
    steps, turn_seconds)
from benchmarks.postgres import Postgres, PostgresError, server_programs
from benchmarks.processes import (
    LOOPBACK, Command, DidNotStart, free_port, start, stop, wait_for_port)
from benchmarks.progress import Progress
from benchmarks.results import LEFT_OUT, STARTED, Results
from benchmarks.running import People, Wrong, open_sessions, running
from benchmarks.http_client import BROKEN
from benchmarks.subject import Site, Subject, plain_environ
from benchmarks.subjects import OURS_UNCACHED
from benchmarks.workshop import CannotBuild, Workshop, missing_programs

REDIS = "redis-server"
# Whatever keeps one service from being measured keeps no other from it.
TROUBLE = (CannotBuild, DidNotStart, PostgresError, Wrong, *BROKEN, KeyError,
           subprocess.CalledProcessError)


class Bench:
    """Measures services in one site, and writes down what comes of it."""

    def __init__(self, site: Site, form: Form, results: Results,
                 progress: Progress) -> None:
        """Measure as thoroughly as the form says."""
        self._site, self._form = site, form
        self._results, self._progress = results, progress

    def measure(self, subjects: Sequence[Subject]) -> None:
        """Measure everything of all services that can be had."""
        if set(self._form.parts) - APART:
            self._measure_in_turns(subjects)
        if GROWTH in self._form.parts:
            self._grow([each for each in subjects if each.more_rows])
        self._measure_apart(subjects)

    def _measure_apart(self, subjects: Sequence[Subject]) -> None:
        """Measure what is of us alone, on both kinds of databases."""
        growing = Growing(self._site, self._form, self._results,
                          self._progress)
        for subject in subjects:
            if subject.name == OURS_UNCACHED:
                for part, measure in ((GROWTH, growing.grow),
                                      (PURGE, growing.purge)):
                    if part in self._form.parts:
                        with self._leaving_out(subject):
                            measure()

    def _measure_in_turns(self, subjects: Sequence[Subject]) -> None:
        """Measure all but growth, one service after the other."""
        ready = self._prepared(self._site, subjects)
        people = People(self._site)
        for number, subject in interleaved(ready, self._form.rounds):
            self._turn(number, subject, people)

    def _prepared(self, site: Site, subjects: Sequence[Subject]
                  ) -> List[Subject]:
        """Fill the databases and open the sessions; who could be made ready.
        """
        filled, ready = set(), []
        for subject in subjects:
            with self._leaving_out(subject):
                if subject.database and subject.database not in filled:
                    self._progress.say(f"{subject.name}: users")
                    site.postgres.create(subject.database)
                    subject.fill(site)
                    site.postgres.sql(subject.database, "VACUUM ANALYZE")
                    filled.add(subject.database)
                    self._progress.did(FILL_SECONDS)
                self._progress.say(f"{subject.name}: sessions")
                open_sessions(site, subject)
                self._progress.did(OPEN_SECONDS if subject.login else 0)
                ready.append(subject)
        return ready

    def _turn(self, number: int, subject: Subject, people: People) -> None:
        """Take all measurements of one service in one round."""
        with self._leaving_out(subject):
            if isinstance(subject, BcryptAlone):
                for step in steps(subject, self._form):
                    self._say(number, subject, step)
                    self._keep(number, subject, step,
                               **subject.rates(self._site, step.seconds))
            else:
                for chosen in sittings(steps(subject, self._form)):
                    self._take(number, subject, people, chosen)
        self._progress.did(turn_seconds(subject, self._form))

    def _take(self, number: int, subject: Subject, people: People,
              chosen: Sequence[Step]) -> None:
        """Start a service and measure it.

        Only it runs then: no other service, idle or not, takes its cores.
        """
        with running(self._site, subject, people) as service:
            self._results.add(STARTED, subject.name, round=number,
                              printed=service.printed())
            for step in chosen:
                self._say(number, subject, step)
                service.verify()
                self._keep(number, subject, step, **step.take(service))

    def _grow(self, subjects: Sequence[Subject]) -> None:
        """Measure session checks as tables grow, beginning small.

        The same sessions are asked for at each size.
        """
        sizes = self._form.growth
        site = dataclasses.replace(self._site, users=max(
            sizes[0], self._site.sessions))
        ready = self._prepared(site, subjects)
        have = site.sessions
        for size in sizes:
            self._add_rows(site, ready, have + 1, size)
            have = max(have, size)
            chosen = check_steps(self._form.seconds, f"growth-{size}")
            for number, subject in interleaved(ready, self._form.rounds):
                with self._leaving_out(subject):
                    self._take(number, subject, People(site), chosen)
                self._progress.did(growth_seconds(
                    subject, size, self._form) / self._form.rounds)

    def _add_rows(self, site: Site, subjects: Sequence[Subject],
                  low: int, high: int) -> None:
        """Add rows with these numbers to each database, if there are any."""
        for database, statements in dict(
                (each.database, each.more_rows) for each in subjects).items():
            if low <= high:
                self._progress.say(f"{database}: rows up to {high:,}")
                site.postgres.sql(database, *(
                    statement.format(low=low, high=high)
                    for statement in statements))
            site.postgres.sql(database, "VACUUM ANALYZE", "CHECKPOINT")

    @contextlib.contextmanager
    def _leaving_out(self, subject: Subject) -> Iterator[None]:
        """Go on without a service that makes trouble, and write that down.
        """
        try:
            yield
        except TROUBLE as error:
            leave_out(self._results, self._progress, subject,
                      f"{type(error).__name__}: {error}")

    def _say(self, number: int, subject: Subject, step: Step) -> None:
        """Say what is being measured."""
        self._progress.say(f"round {number} of {self._form.rounds}: "
                           f"{subject.name}: {step.what}")

    def _keep(self, number: int, subject: Subject, step: Step,
              **found: Any) -> None:
        """Write down what a measurement found."""
        self._results.add(step.what, subject.name, round=number, **found)


def leave_out(results: Results, progress: Progress, subject: Subject,
              reason: str) -> None:
    """Say, and write down, why a service is not measured."""
    progress.say(f"LEFT OUT: {subject.name}: {reason}")
    results.add(LEFT_OUT, subject.name, reason=reason)


def built(workshop: Workshop, subjects: Sequence[Subject],
          say: Callable[[str], None]
          ) -> Tuple[List[Subject], List[Tuple[Subject, str]]]:
    """Build what is not there yet; who can be had, and who cannot and why.
    """
    ready: List[Subject] = []
    refused: List[Tuple[Subject, str]] = []
    for subject in subjects:
        missing = missing_programs(*subject.programs)
        if missing:
            refused.append((subject, f"{', '.join(missing)} is missing"))
            continue
        say(f"building {subject.name}")
        try:
            subject.build(workshop)
        except CannotBuild as error:
            refused.append((subject, str(error)))
        else:
            ready.append(subject)
    return ready, refused


@contextlib.contextmanager
def open_site(workshop: Workshop, form: Form) -> Iterator[Site]:
    """Start the databases for a run, and end them after it."""
    programs = server_programs()
    assert programs is not None
    logs = workshop.work / "logs"
    logs.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(
            Postgres(programs, logs / "postgres.log"))
        port, pid = free_port(), None
        if not missing_programs(REDIS):
            pid = _start_redis(stack, workshop, port)
        yield Site(workshop, postgres, port, pid, form.users, form.sessions)


def run(workshop: Workshop, form: Form, results: Results,
        subjects: Sequence[Subject]) -> None:
    """Do a whole run with services that are built."""
    progress = Progress(planned_seconds(subjects, form))
    with open_site(workshop, form) as site:
        Bench(site, form, results, progress).measure(subjects)
    progress.say("done")


def _start_redis(stack: contextlib.ExitStack, workshop: Workshop,
                 port: int) -> Optional[int]:
    """Start a Redis server that keeps nothing; its process's id."""
    process = start(Command(
        [REDIS, "--port", str(port), "--bind", LOOPBACK, "--save", "",
         "--appendonly", "no"], plain_environ(), workshop.work,
        workshop.work / "logs" / "redis.log"))
    stack.callback(stop, process)
    wait_for_port(process, port)
    return process.pid
