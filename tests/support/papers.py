#!/usr/bin/env python3
"""Reads the papers: code blocks, links, headings and tables of Markdown."""

import ast
import re
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Set, Tuple

ROOT = Path(__file__).resolve().parents[2]
PAPERS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^ *```(\w*)$")
LINK = re.compile(r"\[(?P<words>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")
# Names of headers, and the first line of an answer.
SPELLED = re.compile(r"^([A-Za-z-]+:(?= )|HTTP/1\.1 .*)", re.MULTILINE)
# What is another one each time: tokens, ids and instants.
CHANGING = re.compile(
    r"[A-Za-z0-9_-]{43}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Block(NamedTuple):
    """A fenced block: the word behind the fence, and what it holds."""

    language: str
    text: str


class Dialogue(NamedTuple):
    """What to type into a terminal, and what is printed then."""

    typed: str
    printed: str


def blocks(paper: Path) -> List[Block]:
    """Return the fenced blocks of a paper, in order."""
    found: List[Block] = []
    for fenced, language, lines in _parts(paper):
        if fenced:
            found.append(Block(language, "".join(f"{line}\n"
                                                 for line in lines)))
    return found


def prose(paper: Path) -> List[str]:
    """Return the lines of a paper that stand in no fenced block."""
    return [line for fenced, _, lines in _parts(paper) if not fenced
            for line in lines]


def dialogues(paper: Path) -> List[Dialogue]:
    """Return each block of requests with the block of answers behind it."""
    found = blocks(paper)
    pairs = zip(found, found[1:])
    return [Dialogue(first.text, second.text) for first, second in pairs
            if first.language == "sh" and second.language == "text"
            and "curl " in first.text]


def links(paper: Path) -> List[Tuple[str, str]]:
    """Return the words and the target of each link of a paper."""
    text = "\n".join(prose(paper))
    return [(" ".join(match.group("words").split()), match.group("target"))
            for match in LINK.finditer(text)]


def anchors(paper: Path) -> Set[str]:
    """Return what links to the headings of a paper end with."""
    headings = (line.lstrip("#").strip() for line in prose(paper)
                if re.match(r"#+ ", line))
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-")
            for heading in headings}


def rows(paper: Path) -> List[List[str]]:
    """Return the cells of all rows of a paper's tables, heads included."""
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in prose(paper) if line.startswith("|")]


def definitions(source: Path) -> Set[str]:
    """Return the functions and classes of a module, methods as Class.name.
    """
    found: Set[str] = set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found.update(f"{node.name}.{method.name}" for method in node.body
                         if isinstance(method, ast.FunctionDef))
    return found


def masked(text: str) -> str:
    """Return a text with an ellipsis for all that is another each time.

    In lower case are names of headers, and what follows a status: servers
    do not agree on how to write them, and nobody has to care.
    """
    return SPELLED.sub(lambda found: found.group().lower(),
                       CHANGING.sub("…", text))


def table_of(paper: Path, width: int) -> Dict[str, List[str]]:
    """Return the rows of this many cells, by the first of them."""
    return {cells[0]: cells[1:] for cells in rows(paper)
            if len(cells) == width and not cells[0].startswith("---")}


def _parts(paper: Path) -> Iterator[Tuple[bool, str, List[str]]]:
    """Yield the parts of a paper: whether fenced, the word, the lines."""
    fenced, language = False, ""
    lines: List[str] = []
    for line in paper.read_text(encoding="utf-8").splitlines():
        fence = FENCE.match(line)
        if fence is None:
            lines.append(line)
            continue
        yield fenced, language, lines
        fenced, language, lines = not fenced, fence.group(1), []
    assert not fenced, f"{paper.name} ends inside a block"
    yield fenced, language, lines
