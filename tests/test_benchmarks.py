#!/usr/bin/env python3
"""The benchmarks' own arithmetic, order, report and command line.

No service is started here, and nothing is measured.
"""

import io
import json
import math
from pathlib import Path
from typing import Any, Dict, List, Optional, Set

import pytest

from benchmarks import command_line, figures, plan, report
from benchmarks.command_line import (
    Refused, chosen, form, main, parser, require_programs)
from benchmarks.goals import (
    GOALS, LEAST, OUR_STORES, against_every_peer)
from benchmarks.http_client import Reply, Request
from benchmarks.plan import FULL, QUICK, interleaved, steps
from benchmarks.progress import Progress
from benchmarks.results import Results, Run, read
from benchmarks.subject import app_token, cookies, form_login, json_login
from benchmarks.subjects import (
    BCRYPT, FLASK_LOGIN, NGINX, OURS, OURS_UNCACHED, SUBJECTS)

PEER = "fastapi-users, JWT"


def named(name: str) -> Any:
    """Return the service of this name."""
    return next(each for each in SUBJECTS if each.name == name)


def facts() -> Dict[str, Any]:
    """Return what the first line of a file of results says."""
    machine = {"date": "2026-03-01 12:00 UTC", "commit": "abc1234",
               "cores": 2, "cpu": "Example", "ram_mib": 24576,
               "kernel": "6.1", "load_before": 0.1,
               "programs": {"wrk": "4.1.0", "nginx": None}}
    return report.facts_of(machine, FULL, "3.11.9")


def a_run(folder: Path) -> Run:
    """Return a run of one round more for us, written and read again."""
    results = Results(folder / "results.jsonl")
    results.add("run", "", **facts())
    for number, (ours, peer) in enumerate(
            ((900.0, 100.0), (1100.0, 110.0), (1000.0, 90.0)), 1):
        results.add("check-64", OURS, round=number, per_core=ours)
        results.add("check-64", FLASK_LOGIN, round=number, per_core=peer)
    for name, quiet, flood in ((OURS, 5.0, 10.0), (PEER, 10.0, 8000.0)):
        results.add("quiet", name, checks={"p99_ms": quiet})
        results.add("flood-32", name, checks={
            "p99_ms": flood, "bad": 0, "count": 600})
    results.add("left-out", "Better Auth", reason="node\nis missing")
    return read(results.file)


@pytest.mark.parametrize("share, value", [
    (0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_the_nearest_rank(share: float, value: int) -> None:
    """Of a hundred values p99 is the last but one, not the greatest."""
    assert figures.percentile(list(range(100, 0, -1)), share) == value


def test_a_percentile_of_one_value_is_that_value() -> None:
    """And of none at all it is no number, instead of an exception."""
    assert figures.percentile([7.0], 0.99) == 7.0
    assert math.isnan(figures.percentile([], 0.99))


@pytest.mark.parametrize("values, middle", [
    ([3, 1, 2], 2), ([4, 1, 2, 3], 2.5), ([5, None, math.nan], 5),
    ([], None), ([None], None)])
def test_a_median_leaves_out_what_is_missing(
        values: List[Optional[float]], middle: Optional[float]) -> None:
    """A round that failed does not count as one of zero."""
    assert figures.median(values) == middle


def test_ratios_and_spreads_survive_nothing_at_all() -> None:
    """A peer that was left out is no reason to lose the report."""
    assert figures.ratio(6, 3) == 2
    assert figures.ratio(6, 0) is None
    assert figures.ratio(None, 3) is None
    assert figures.spread([90, 100, 110]) == pytest.approx(0.2)
    assert figures.spread([]) is None


@pytest.mark.parametrize("value, text", [
    (46716.2, "46,716"), (12.34, "12.3"), (1.234, "1.23"), (0.0, "0.00"),
    (0.9, "0.90"), (0.0056, "0.0056"), (None, "–"), (math.nan, "–")])
def test_figures_have_the_digits_they_deserve(
        value: Optional[float], text: str) -> None:
    """Three digits are more than a benchmark knows anyway."""
    assert figures.written(value) == text


@pytest.mark.parametrize("seconds, text", [
    (0, "0 s"), (59.4, "59 s"), (60, "1 min"), (254, "4 min 14 s"),
    (1500, "25 min"), (5000, "1 h 23 min")])
def test_times_are_written_as_people_say_them(
        seconds: float, text: str) -> None:
    """Nobody wants to know about seconds an hour ahead."""
    assert figures.duration(seconds) == text


def test_every_second_round_goes_backwards() -> None:
    """What grows or wanes during a run meets all services alike."""
    assert list(interleaved("abc", 3)) == [
        (1, "a"), (1, "b"), (1, "c"), (2, "c"), (2, "b"), (2, "a"),
        (3, "a"), (3, "b"), (3, "c")]


def test_a_service_is_measured_by_what_it_can_do() -> None:
    """Nobody logs in to nginx, and bcrypt alone answers no requests."""
    every = ["check-64", "check-1", "logins", "quiet", "flood-32",
             "flood-200"]
    assert [step.what for step in steps(named(OURS), FULL)] == every
    assert [step.what for step in steps(named(NGINX), FULL)] == every[:2]
    assert [step.what for step in steps(named(BCRYPT), FULL)] == ["logins"]


def test_after_a_flood_a_service_is_started_anew() -> None:
    """Some never come to themselves; the next figure is not about that."""
    found = plan.sittings(steps(named(OURS), FULL))
    assert [[step.what for step in group] for group in found] == [
        ["check-64", "check-1", "logins", "quiet", "flood-32"],
        ["flood-200"]]


def test_the_quick_form_takes_about_three_minutes() -> None:
    """The time that services need after a flood is planned generously."""
    subjects = chosen(parser().parse_args(["quick"]))
    assert 120 <= plan.planned_seconds(subjects, QUICK) <= 240


def test_every_subject_has_a_name_and_a_database_of_its_kind() -> None:
    """Services that share a database share how it is filled."""
    names = [each.name for each in SUBJECTS]
    assert len(set(names)) == len(names)
    kinds: Dict[str, Set[Any]] = {}
    for each in SUBJECTS:
        if each.database:
            kinds.setdefault(each.database, set()).add(
                (type(each), getattr(each, "filling", "")))
    assert all(len(kind) == 1 for kind in kinds.values())


def test_progress_learns_how_long_things_take() -> None:
    """Half of the work in twice its time leaves as much again."""
    now, out = [0.0], io.StringIO()
    progress = Progress(100.0, out, lambda: now[0])
    progress.say("beginning")
    progress.did(50.0)
    now[0] = 100.0
    progress.say("half-way")
    assert out.getvalue() == ("[  0%, 1 min 40 s left] beginning\n"
                              "[ 50%, 1 min 40 s left] half-way\n")


def test_results_are_lines_of_json(tmp_path: Path) -> None:
    """Each is whole by itself, and what is no number is null."""
    results = Results(tmp_path / "results.jsonl")
    results.add("run", "", **facts())
    results.add("check-1", OURS, round=1, p50_ms=0.123456789,
                checks={"p99_ms": math.nan})
    first, second = map(json.loads, results.file.read_text(
        "utf-8").splitlines())
    assert first["what"] == "run" and first["form"]["rounds"] == 3
    assert second == {"what": "check-1", "subject": OURS, "round": 1,
                      "p50_ms": 0.123457, "checks": {"p99_ms": None}}


def test_a_file_of_something_else_is_no_run(tmp_path: Path) -> None:
    """Not even an empty one, which a run that was stopped may leave."""
    file = tmp_path / "results.jsonl"
    for text in ("", '{"what": "check-1", "subject": "x"}\n'):
        file.write_text(text)
        with pytest.raises(ValueError, match="no file of results"):
            read(file)


def test_the_report_has_medians_and_ratios(tmp_path: Path) -> None:
    """Of three rounds the one in the middle, against the peer's."""
    text = report.markdown(a_run(tmp_path))
    assert "at commit abc1234, on 2 cores of Example with 24 GiB" in text
    assert "wrk 4.1.0." in text and "nginx None" not in text
    assert "| Vestibule | 1,000 |  | – | – |  | – | 20% |" in text
    assert "| Flask-Login | 100 | 10.0 × | – | – |  | – | 20% |" in text
    assert (f"| {PEER} | 10.0 | – | 8,000 | 800 × | 800 × | 0 of 600 "
            "| – | – | – |") in text
    assert "- Better Auth: node is missing" in text


def test_tables_have_as_many_cells_in_each_row(tmp_path: Path) -> None:
    """Or else Markdown shows them as something else."""
    for part in report.markdown(a_run(tmp_path)).split("\n\n"):
        widths = {line.count("|") for line in part.splitlines()
                  if line.startswith("|")}
        assert len(widths) <= 1


def test_the_report_says_which_goals_were_reached(tmp_path: Path) -> None:
    """Ten times is not sixty, and twice quiet is less than three times."""
    text = report.goals(a_run(tmp_path))
    assert ("| checks per core, of Flask-Login's on gunicorn | at least 60 "
            "| 10.0 | no |") in text
    assert ("| p99 of checks in the flood of 32, of that in quiet "
            "| at most 3 | 2.00 | yes |") in text
    assert f"of ours: {PEER} | at least 300 | 800 | yes |" in text


def test_goals_name_services_that_there_are(tmp_path: Path) -> None:
    """A name that was changed elsewhere would be a goal never measured."""
    names = {each.name for each in SUBJECTS} | set(OUR_STORES)
    for goal in (*GOALS, *against_every_peer(a_run(tmp_path))):
        for figure in (goal.figure, goal.against):
            assert figure is None or figure[1] in names
        assert goal.is_reached(goal.bound)
        assert not goal.is_reached(
            goal.bound + (-0.1 if goal.sense == LEAST else 0.1))


def test_growth_stands_side_by_side(tmp_path: Path) -> None:
    """One row for each service, two columns for each size."""
    results = Results(tmp_path / "results.jsonl")
    results.add("run", "", **facts())
    for size in (1000, 100000):
        results.add(f"growth-{size}-1", OURS_UNCACHED, p50_ms=0.5)
        results.add(f"growth-{size}-64", OURS_UNCACHED, per_core=size / 10)
    text = report.growth(read(results.file))
    assert "| p50 at 1,000 rows, ms | per core | p50 at 100,000 rows" in text
    assert f"| {OURS_UNCACHED} | 0.50 | 100 | 0.50 | 10,000 |" in text


def test_charts_show_what_was_measured(tmp_path: Path) -> None:
    """A chart without any bar is none."""
    found = {chart.file: chart.bars
             for chart in report.charts(a_run(tmp_path))}
    assert found == {
        "checks.svg": [(OURS, 1000.0), (FLASK_LOGIN, 100.0)],
        "flood.svg": [(OURS, 10.0), (PEER, 8000.0)]}


def test_a_request_names_the_host_with_its_port() -> None:
    """Services that look at the Host header would refuse it otherwise."""
    raw = json_login("/sessions")(7).encoded(5001)
    head, body = raw.split(b"\r\n\r\n")
    assert head.startswith(b"POST /sessions HTTP/1.1\r\n"
                           b"Host: 127.0.0.1:5001\r\n")
    assert json.loads(body)["email"] == "user7@example.com"
    assert f"Content-Length: {len(body)}".encode() in head
    assert Request("GET", "/", ("Cookie: a=b",)).encoded(1).endswith(
        b"\r\nCookie: a=b\r\n\r\n")


def test_a_session_is_read_from_the_answer_to_a_login() -> None:
    """From cookies, from all that are named, or from the body."""
    reply = Reply(200, {}, {"a": "1", "b": "2", "c": "3"},
                  b'{"meta": {"session_token": "t"}}')
    assert cookies("a", "c")(reply) == "Cookie: a=1; c=3"
    assert app_token(reply) == "X-Session-Token: t"
    with pytest.raises(KeyError):
        cookies("session_id")(reply)
    assert form_login("/login")(1).body == (
        b"username=user1%40example.com&password=correct+horse+battery")


def test_help_names_the_commands_and_gives_an_example(capsys: Any) -> None:
    """Whoever asks is told what to type."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in command_line.COMMANDS)
    assert "python3 -m benchmarks quick" in text


def test_the_services_are_listed(capsys: Any) -> None:
    """Each with a word about it, and nothing is started."""
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(SUBJECTS)
    assert lines[0].split() == ["Vestibule", "as", "`serve`", "starts", "it"]


@pytest.mark.parametrize("words, told", [
    (["all", "--only", "nobody"], "no service's name begins with 'nobody'"),
    (["all", "--only", "nginx", "--without", "n"], "nothing is left"),
    (["all", "--users", "10"], "10 users are too few for 1000 sessions"),
    (["report"], "report needs a file of results"),
    (["report", "no/such/file"], "No such file"),
    (["build", "--python", "no-such-python"], "no Python 'no-such-python'"),
])
def test_nonsense_is_refused_in_a_sentence(
        words: List[str], told: str, tmp_path: Path, capsys: Any) -> None:
    """Status 1, one line, no trace, and nothing is built."""
    assert main([*words, "--work", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("benchmarks: ")
    assert told in printed.err and printed.err.count("\n") == 1


def test_missing_programs_are_named_with_what_to_install(
        tmp_path: Path, monkeypatch: Any) -> None:
    """All of them at once, with nothing on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused) as refusal:
        require_programs(str(tmp_path / "*"))
    assert "apt-get install wrk" in str(refusal.value)
    assert "apt-get install postgresql" in str(refusal.value)


@pytest.mark.parametrize("words", [
    ["all", "--rounds", "0"], ["all", "--seconds", "-1"],
    ["all", "--users", "many"], ["all", "--part", "speed"], ["some"], []])
def test_unknown_words_end_with_status_2(words: List[str]) -> None:
    """As with every program."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_the_command_line_shapes_the_run() -> None:
    """What is not named stays as the command has it."""
    asked = parser().parse_args([
        "all", "--rounds", "1", "--part", "growth", "--largest", "20000"])
    found = form(asked)
    assert found.rounds == 1 and found.seconds == FULL.seconds
    assert found.parts == ("growth",)
    assert found.growth == (1000, 20000)
    assert form(parser().parse_args(
        ["all", "--largest", "10000000"])).growth == (
            *FULL.growth, 10000000)
    assert [each.name for each in chosen(parser().parse_args(
        ["all", "--only", "vestibule", "--without", "Vestibule, p"]))] == [
            OURS, OURS_UNCACHED]
