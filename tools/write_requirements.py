#!/usr/bin/env python3
"""Writes ``docs/reference/requirements.md``: which test holds what.

The statements stand in ``tools/requirements.tsv``; a test holds one by naming
its number in its docstring. The page is committed, and a test fails where it
is stale.
"""

import ast
import re
import textwrap
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Union

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "requirements.md"
STATEMENTS = ROOT / "tools" / "requirements.tsv"
NUMBER = re.compile(r"\bR[0-9]{3}\b")
WIDTH = 79
# The blank before what Markdown would take for the start of something.
BEGINNING = re.compile(r" (?=(?:[-+*>]|#+|\d+[.)])(?: |$))")
GLUE = "\0"
HEAD = """\
# Requirements, and what holds them

Made by `python3 tools/write_requirements.py` from the docstrings of the
tests. A requirement is held by the tests that name its number: they go red
when it stops being true. One without a test is open. Where a statement comes
from is said in [SECURITY.md](../../SECURITY.md).
"""
Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class Statement(NamedTuple):
    """A requirement: its number, the chapter it stands in, its words."""

    number: str
    chapter: str
    words: str


def statements() -> List[Statement]:
    """Return all requirements in the order of their numbers."""
    lines = STATEMENTS.read_text(encoding="utf-8").splitlines()
    return [Statement(*line.split("\t")) for line in lines]


def holders(root: Path = ROOT) -> Dict[str, List[str]]:
    """Return for each number the tests that name it, as ``file::name``."""
    found: Dict[str, List[str]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        file = path.relative_to(root).as_posix()
        for test in _tests(ast.parse(path.read_text(encoding="utf-8"))):
            for number in NUMBER.findall(ast.get_docstring(test) or ""):
                names = found.setdefault(number, [])
                if f"{file}::{test.name}" not in names:
                    names.append(f"{file}::{test.name}")
    return found


def page() -> str:
    """Return the page as it should be."""
    held = holders()
    lines = [HEAD.rstrip("\n")]
    chapter = ""
    for statement in statements():
        if statement.chapter != chapter:
            chapter = statement.chapter
            lines.append(f"\n## {chapter}\n")
        tests = held.get(statement.number, [])
        lines.append(item("", f"**{statement.number}** {statement.words}"))
        lines.extend(item("  ", _link(test)) for test in tests)
        if not tests:
            lines.append(item("  ", "open"))
    return "\n".join(lines) + "\n"


def item(indent: str, text: str) -> str:
    """Return an item of a list, its lines short and all of them its own.

    A word that would begin a list or a quotation at the start of a line stays
    behind the one before it.
    """
    glued = BEGINNING.sub(GLUE, text)
    return textwrap.fill(
        glued, WIDTH, break_long_words=False, break_on_hyphens=False,
        initial_indent=f"{indent}- ", subsequent_indent=f"{indent}  "
    ).replace(GLUE, " ")


def _tests(tree: ast.Module) -> Iterator[Function]:
    """Yield the test functions of a module."""
    for node in ast.walk(tree):
        if (isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                and node.name.startswith("test_")):
            yield node


def _link(test: str) -> str:
    """Return a link to a test, named in its own words."""
    file, _, name = test.partition("::")
    words = name[len("test_"):].replace("_", " ")
    return f"[{words}](../../{file})"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
