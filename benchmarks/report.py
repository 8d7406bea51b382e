#!/usr/bin/env python3
"""Writes what a run measured as tables in Markdown, and what charts show."""

import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from benchmarks.figures import ratio, spread, written
from benchmarks.goals import GOALS, against_every_peer
from benchmarks.results import Run
from benchmarks.subjects import OURS

Cells = List[str]
FLOOD = re.compile(r"flood-(\d+)")
GROWTH = re.compile(r"growth-(\d+)-(\d+)")
GROWN = re.compile(r"growth-(\d+)-([a-z]+)-([a-z]+)")


class Chart(NamedTuple):
    """A chart of bars: its file, its words, and a value for each name."""

    file: str
    title: str
    unit: str
    bars: Sequence[Tuple[str, float]]


def markdown(run: Run) -> str:
    """Return the whole report, one table a subject matter."""
    parts = [circumstances(run), goals(run), checks(run), logins(run),
             floods(run), growth(run), grown(run), purges(run),
             left_out(run)]
    return "\n\n".join(part for part in parts if part) + "\n"


def circumstances(run: Run) -> str:
    """Return where, when and how the run took place."""
    facts, form = run.facts, run.facts["form"]
    programs = ", ".join(
        f"{name} {version}" for name, version in facts["programs"].items()
        if version)
    return "\n".join([
        f"Measured on {facts['date']} at commit {facts['commit']}, on "
        f"{facts['cores']} cores of {facts['cpu']} with "
        f"{facts['ram_mib'] / 1024:.0f} GiB, Linux {facts['kernel']}; the "
        f"load before was {facts['load_before']}.",
        f"Python {facts['python']} but where it says another; {programs}.",
        f"Medians of {form['rounds']} rounds in alternating order, "
        f"{form['users']:,} users, {form['sessions']:,} sessions."])


def goals(run: Run) -> str:
    """Return what we mean to reach, and what was reached."""
    rows = []
    for goal in (*GOALS, *against_every_peer(run)):
        value = goal.value(run)
        if value is not None:
            rows.append([goal.sentence, f"{goal.sense} {goal.bound:g}",
                         written(value),
                         "yes" if goal.is_reached(value) else "no"])
    return table("What we mean to reach",
                 ["Figure", "Goal", "Measured", "Reached"], rows)


def checks(run: Run) -> str:
    """Return the table of session checks."""
    rows = []
    for name in run.subjects("check-64"):
        per_core = run.values("check-64", name, "per_core")
        rows.append([
            name, *_figures(run, name, (
                ("check-64", "per_core", False), ("check-64", "rate", None),
                ("check-1", "p50_ms", True), ("check-64", "pss_mib", None))),
            _percent(spread(per_core))])
    return table(
        "Session checks",
        ["Service", "per core and second", "ours is", "a second",
         "p50 on 1 connection, ms", "ours is lower", "memory, MiB",
         "rounds differ by"], rows)


def logins(run: Run) -> str:
    """Return the table of logins."""
    rows = [[name, *_figures(run, name, (
        ("logins", "logins_per_s", False), ("logins", "per_core", False),
        ("logins", "login_p50_ms", None)))]
        for name in run.subjects("logins")]
    return table("Logins", [
        "Service", "a second", "ours is", "per core and second", "ours is",
        "p50, ms"], rows)


def floods(run: Run) -> str:
    """Return a table for each flood, beside the quiet."""
    found = []
    for what in run.kinds():
        flood = FLOOD.fullmatch(what)
        if flood:
            found.append(table(
                f"100 checks a second while {flood.group(1)} clients log in",
                ["Service", "quiet p99, ms", "p50, ms", "p99, ms",
                 "times quiet", "ours is lower", "not answered",
                 "logins a second", "refused p99, ms", "health p99, ms",
                 "calm after, s"],
                [_flood_row(run, what, name) for name in run.subjects(what)]))
    return "\n\n".join(found)


def growth(run: Run) -> str:
    """Return how session checks fare as the tables grow."""
    found = [GROWTH.fullmatch(what) for what in run.kinds()]
    sizes = sorted({int(each.group(1)) for each in found if each})
    if not sizes:
        return ""
    names = run.subjects(f"growth-{sizes[0]}-1")
    rows = []
    for name in names:
        row = [name]
        for size in sizes:
            row.append(written(
                run.value(f"growth-{size}-1", name, "p50_ms")))
            row.append(written(
                run.value(f"growth-{size}-64", name, "per_core")))
        rows.append(row)
    heads = ["Service"]
    for size in sizes:
        heads += [f"p50 at {size:,} rows, ms", "per core"]
    return table("Session checks as tables grow", heads, rows)


def grown(run: Run) -> str:
    """Return how everything of ours fares as the tables grow."""
    found = [each for each in map(GROWN.fullmatch, run.kinds()) if each]
    sizes = sorted({int(each.group(1)) for each in found})
    rows = []
    for question, heat in dict.fromkeys(
            (each.group(2), each.group(3)) for each in found):
        for name in run.subjects(f"growth-{sizes[0]}-{question}-{heat}"):
            cells = [name, f"{question}, {heat}"]
            for size in sizes:
                cells += [written(run.value(
                    f"growth-{size}-{question}-{heat}", name, field))
                    for field in ("p50_ms", "p99_ms")]
            rows.append(cells)
    heads = ["Database", "Question"]
    for size in sizes:
        heads += [f"p50 at {size:,} rows, ms", "p99"]
    return table("Everything of ours as tables grow, the cache off", heads,
                 sorted(rows))


def purges(run: Run) -> str:
    """Return how checks fare while what has expired is removed."""
    return table(
        "Session checks beside the purge, the cache off",
        ["Database", "rows removed", "a second", "quiet p50, ms", "p50, ms",
         "quiet p99, ms", "p99, ms", "times quiet", "not answered"],
        [_purge_row(run, name) for name in run.subjects("purge")])


def _purge_row(run: Run, name: str) -> Cells:
    """Return what one kind of database did."""
    cells = [name, written(run.value("purge", name, "rows")),
             written(run.value("purge", name, "rows_per_s"))]
    for field in ("checks.p50_ms", "checks.p99_ms"):
        cells += [written(run.value(what, name, field))
                  for what in ("purge-quiet", "purge")]
    times = ratio(run.value("purge", name, "checks.p99_ms"),
                  run.value("purge-quiet", name, "checks.p99_ms"))
    bad = sum(run.values("purge", name, "checks.bad"))
    return [*cells, _times(times), written(bad)]


def left_out(run: Run) -> str:
    """Return what was not measured, and why, each service once a reason."""
    lines = dict.fromkeys(
        f"- {row['subject']}: {_one_line(row['reason'])}"
        for row in run.left_out())
    if not lines:
        return ""
    return "\n".join(["### Left out", "", *lines])


def charts(run: Run) -> List[Chart]:
    """Return what charts show; those without any value are left out."""
    found = [
        Chart("checks.svg", "Session checks per core and second",
              "checks per CPU second of service and database",
              _bars(run, "check-64", "per_core")),
        Chart("latency.svg", "A session check on one connection, p50",
              "milliseconds", _bars(run, "check-1", "p50_ms")),
        Chart("logins.svg", "Logins a second", "logins a second",
              _bars(run, "logins", "logins_per_s")),
        Chart("flood.svg", "p99 of session checks while 32 clients log in",
              "milliseconds", _bars(run, "flood-32", "checks.p99_ms")),
        Chart("memory.svg", "Memory of the service", "MiB",
              _bars(run, "check-64", "pss_mib"))]
    return [chart for chart in found if chart.bars]


def table(title: str, heads: Cells, rows: Sequence[Cells]) -> str:
    """Return a table under its heading, nothing without rows."""
    if not rows:
        return ""
    aligned = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join([
        f"### {title}", "",
        *(f"| {' | '.join(cells)} |" for cells in (heads, aligned, *rows))])


def _figures(run: Run, name: str,
             fields: Sequence[Tuple[str, str, Optional[bool]]]) -> Cells:
    """Return figures, most of them with how many times ours is better.

    The third of each says whether less is better; ``None``, that nothing is
    compared.
    """
    cells = []
    for what, field, less_is_better in fields:
        value = run.value(what, name, field)
        cells.append(written(value))
        if less_is_better is not None:
            ours = run.value(what, OURS, field)
            better = (ratio(value, ours) if less_is_better
                      else ratio(ours, value))
            cells.append(_times(None if name == OURS else better))
    return cells


def _flood_row(run: Run, what: str, name: str) -> Cells:
    """Return what one service did in one flood."""
    quiet = run.value("quiet", name, "checks.p99_ms")
    p99 = run.value(what, name, "checks.p99_ms")
    ours = run.value(what, OURS, "checks.p99_ms")
    bad = sum(run.values(what, name, "checks.bad"))
    asked = sum(run.values(what, name, "checks.count"))
    calm = run.value(what, name, "calm_after_s")
    return [name, written(quiet),
            written(run.value(what, name, "checks.p50_ms")), written(p99),
            _times(ratio(p99, quiet)),
            _times(None if name == OURS else ratio(p99, ours)),
            f"{bad:,.0f} of {asked:,.0f}",
            written(run.value(what, name, "flood.logins_per_s")),
            written(run.value(what, name, "flood.refused_p99_ms")),
            written(run.value(what, name, "health.p99_ms")), written(calm)]


def _bars(run: Run, what: str, field: str) -> List[Tuple[str, float]]:
    """Return each service with its median, those without one left out."""
    found = [(name, run.value(what, name, field))
             for name in run.subjects(what)]
    return [(name, value) for name, value in found if value is not None]


def _times(value: Optional[float]) -> str:
    """Write a ratio."""
    return "" if value is None else f"{written(value)} ×"


def _percent(value: Optional[float]) -> str:
    """Write a share."""
    return "" if value is None else f"{value:.0%}"


def _one_line(text: str) -> str:
    """Return a reason without line breaks, and not too much of it."""
    words = " ".join(text.split())
    return words if len(words) <= 300 else f"{words[:300]}…"


def facts_of(machine: Dict[str, Any], form: Any,
             python: str) -> Dict[str, Any]:
    """Return what the first line of a file of results holds."""
    return {**machine, "python": python, "form": form._asdict()}
