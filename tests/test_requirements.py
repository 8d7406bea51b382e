#!/usr/bin/env python3
"""The page of requirements says what is true of the tests."""

from pathlib import Path

from tools.write_requirements import PAGE, holders, item, page, statements


def test_the_page_is_not_stale() -> None:
    """After naming a number in a test, ``tools/write_requirements.py`` runs.
    """
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python3 tools/write_requirements.py")


def test_tests_name_only_requirements_that_exist() -> None:
    """A number that nobody stated is a slip of the pen."""
    known = {statement.number for statement in statements()}
    assert len(known) == 156
    assert set(holders()) <= known


def test_a_test_holds_what_its_docstring_names(tmp_path: Path) -> None:
    """Numbers elsewhere than in a test's docstring count for nothing."""
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(
        '"""R001 in a module."""\n'
        'def test_a() -> None:\n    """R002, R003: held; R002 again."""\n'
        'def helper() -> None:\n    """R004: not a test."""\n')
    assert holders(tmp_path) == {
        "R002": ["tests/test_it.py::test_a"],
        "R003": ["tests/test_it.py::test_a"]}


def test_a_wrapped_statement_stays_one_item() -> None:
    """No line of it is too long, and none begins a list of its own."""
    for beginning in ("- ", "+ ", "* ", "> ", "# ", "1. ", "2) "):
        for length in range(60, 80):
            text = f"{'x' * length} y {beginning}more of it"
            first, *others = item("", text).splitlines()
            assert len(first) <= 79 or " " not in first[2:-2]
            assert all(line.startswith("  ") for line in others)
            assert not any(line[2:].startswith(beginning) for line in others)
