#!/usr/bin/env python3
"""The command line of the benchmarks: what is asked for, what is refused."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, List, NoReturn, Optional, Sequence

from benchmarks import bench, machine, report
from benchmarks.figures import duration
from benchmarks.plan import FULL, PARTS, QUICK, Form, planned_seconds
from benchmarks.postgres import PLACES, server_programs
from benchmarks.results import LEFT_OUT, RUN, Results, read
from benchmarks.subject import Subject
from benchmarks.subjects import (
    BCRYPT, FLASK_LOGIN, NGINX, OURS, SUBJECTS)
from benchmarks.workshop import CannotBuild, Workshop, missing_programs

HERE = Path(__file__).resolve().parent
COMMANDS = {
    "all": "measure everything, in two hours",
    "quick": "measure the essential, in three minutes once it is built",
    "build": "install what is measured, and measure nothing",
    "list": "print the services that can be measured",
    "report": "write the report of a run again",
    "clean": "remove the work folder, with what was built and measured",
}
TAKEN_BY_QUICK = (OURS, FLASK_LOGIN, NGINX, BCRYPT)
EXAMPLES = """\
examples:
  python3 -m benchmarks quick
  python3 -m benchmarks all --only vestibule --only flask-login
  python3 -m benchmarks all --part growth --largest 10000000
"""


class Refused(Exception):
    """The benchmarks cannot do what is asked; the text says why."""


def main(words: Optional[Sequence[str]] = None) -> int:
    """Do what the command line says; 1 where it is refused."""
    asked = parser().parse_args(words)
    try:
        _do(asked)
    except Refused as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: stopped", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    found = argparse.ArgumentParser(
        prog="python3 -m benchmarks", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures Vestibule and its peers side by side, on "
        "PostgreSQL on this machine.\n\n" + "\n".join(
            f"  {name:8}{what}" for name, what in COMMANDS.items()))
    add = found.add_argument
    add("command", choices=list(COMMANDS), metavar="COMMAND",
        help=", ".join(COMMANDS))
    add("run", nargs="?", type=Path, help="the file of results, for report")
    add("--only", action="append", default=[], metavar="NAME",
        help="measure those services whose name begins so; again for more")
    add("--without", action="append", default=[], metavar="NAME",
        help="leave out those whose name begins so")
    add("--part", action="append", choices=PARTS,
        help="measure this part alone; again for more")
    add("--rounds", type=_positive(int), help="how often each is measured")
    add("--seconds", type=_positive(float),
        help="how long a measurement lasts, the longer ones in proportion")
    add("--users", type=_positive(int), help="how many users there are")
    add("--sessions", type=_positive(int),
        help="how many sessions are asked for in turn")
    add("--largest", type=_positive(int), metavar="ROWS",
        help="how large tables grow (default: 1000000)")
    add("--expired", type=_positive(int), metavar="ROWS",
        help="how many rows the purge removes (default: 1000000)")
    add("--python", help="the Python for all but our service on 3.7")
    add("--work", type=Path, default=HERE / "made",
        help="the folder for all that is made")
    return found


def form(asked: argparse.Namespace) -> Form:
    """Return how thoroughly to measure; raises ``Refused`` for nonsense."""
    found = QUICK if asked.command == "quick" else FULL
    named = {name: getattr(asked, name)
             for name in ("rounds", "seconds", "users", "sessions",
                          "expired")
             if getattr(asked, name) is not None}
    found = found._replace(**named)
    if asked.part:
        found = found._replace(parts=tuple(asked.part))
    if asked.largest:
        smaller = [size for size in found.growth if size < asked.largest]
        found = found._replace(growth=(*smaller, asked.largest))
    if found.users <= found.sessions:
        raise Refused(f"{found.users} users are too few for {found.sessions} "
                      "sessions: those who log in have no session yet")
    return found


def chosen(asked: argparse.Namespace) -> List[Subject]:
    """Return the services asked for; raises ``Refused`` for unknown names.
    """
    for name in (*asked.only, *asked.without):
        if not any(_is_named(each, name) for each in SUBJECTS):
            raise Refused(f"no service's name begins with {name!r}; see "
                          "python3 -m benchmarks list")
    only = asked.only or (
        TAKEN_BY_QUICK if asked.command == "quick" else ())
    found = [each for each in SUBJECTS
             if not only or any(
                 _is_named(each, name) if asked.only else each.name == name
                 for name in only)]
    found = [each for each in found if not any(
        _is_named(each, name) for name in asked.without)]
    if not found:
        raise Refused("nothing is left to measure")
    return found


def require_programs(places: str = PLACES) -> None:
    """Raise ``Refused`` for a system on which nothing can be measured.

    ``places`` is where PostgreSQL's programs may be, besides PATH.
    """
    if not sys.platform.startswith("linux"):
        raise Refused("they need Linux, whose /proc they read")
    problems = []
    if missing_programs("wrk"):
        problems.append("wrk is missing (on Debian: apt-get install wrk)")
    if server_programs(places) is None:
        problems.append("PostgreSQL's server programs are missing "
                        "(on Debian: apt-get install postgresql)")
    if problems:
        raise Refused("; ".join(problems))


def _do(asked: argparse.Namespace) -> None:
    """Carry out a command."""
    if asked.command == "list":
        for each in SUBJECTS:
            print(f"{each.name:26}{each.note}")
    elif asked.command == "clean":
        shutil.rmtree(str(asked.work), ignore_errors=True)
    elif asked.command == "report":
        _write_again(asked)
    else:
        _measure(asked)


def _measure(asked: argparse.Namespace) -> None:
    """Build, and measure unless only that was asked for."""
    subjects, thorough = chosen(asked), form(asked)
    if asked.command != "build":
        require_programs()
    work = asked.work.resolve()
    workshop = Workshop(work, _python(asked.python))
    ready, refused = bench.built(workshop, subjects, _say)
    for subject, reason in refused:
        _say(f"LEFT OUT: {subject.name}: {reason}")
    if not ready:
        raise Refused("nothing of it can be built")
    if asked.command == "build":
        return
    file = _new_file(work)
    results = Results(file)
    programs = server_programs()
    facts = report.facts_of(machine.describe(
        {"postgres": str(programs / "postgres")} if programs else {}),
        thorough, machine.version(workshop.python, "--version") or "")
    results.add(RUN, "", **facts)
    for subject, reason in refused:
        results.add(LEFT_OUT, subject.name, reason=reason)
    _say("this takes about "
         f"{duration(planned_seconds(ready, thorough))}; results go to "
         f"{file}")
    signal.signal(signal.SIGTERM, _end)
    try:
        bench.run(workshop, thorough, results, ready)
    finally:
        _write(workshop, file)


def _write_again(asked: argparse.Namespace) -> None:
    """Write the report and the charts of a run that is over."""
    if asked.run is None:
        raise Refused("report needs a file of results, as in: python3 -m "
                      "benchmarks report benchmarks/made/runs/…/results.jsonl")
    try:
        _write(Workshop(asked.work.resolve(), _python(asked.python)),
               asked.run)
    except (OSError, ValueError) as error:
        raise Refused(str(error)) from error


def _write(workshop: Workshop, file: Path) -> None:
    """Write the report beside the results, and charts where they can be."""
    found = read(file)
    text = report.markdown(found)
    (file.parent / "report.md").write_text(text, encoding="utf-8")
    print(text)
    charts = [chart._asdict() for chart in report.charts(found)]
    try:
        python = workshop.environment("charts") / "python"
        subprocess.run(
            [str(python), str(HERE / "charts.py"), str(file.parent)],
            input=json.dumps(charts).encode(), check=True)
    except (CannotBuild, subprocess.CalledProcessError) as error:
        _say(f"no charts: {error}")
    _say(f"report and charts are in {file.parent}")


def _new_file(work: Path) -> Path:
    """Return a file for the results of a run that begins now."""
    began = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%SZ")
    folder = work / "runs" / began
    folder.mkdir(parents=True)
    (work / "logs").mkdir(exist_ok=True)
    return folder / "results.jsonl"


def _python(name: Optional[str]) -> Optional[str]:
    """Return the path of a Python; raises ``Refused`` if there is none."""
    if name is None:
        return None
    found = shutil.which(name)
    if found is None:
        raise Refused(f"there is no Python {name!r}")
    return os.path.abspath(found)


def _is_named(subject: Subject, name: str) -> bool:
    """Say whether a name, or its beginning, means this service."""
    return subject.name.lower().startswith(name.lower())


def _positive(kind: Any) -> Any:
    """Return what reads a number above zero."""

    def number(text: str) -> Any:
        """Read one; raises ``ValueError`` for anything else."""
        value = kind(text)
        if value <= 0:
            raise ValueError(text)
        return value
    number.__name__ = f"positive {kind.__name__}"
    return number


def _say(sentence: str) -> None:
    """Print what is going on."""
    print(sentence, file=sys.stderr, flush=True)


def _end(*details: Any) -> NoReturn:
    """End as on Ctrl-C, so that all services are stopped."""
    raise KeyboardInterrupt
