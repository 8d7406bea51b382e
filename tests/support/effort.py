#!/usr/bin/env python3
"""How much work something is, told without a look at any clock on the wall.

Work is this thread's own time on the processor, in multiples of what one
simple linear thing took in the same run: what is a hundred times too much on
one machine is so on any other, however busy.
"""

import ast
import importlib
import re
import sys
import time
from pathlib import Path
from typing import (
    Any, Callable, Dict, Iterator, List, NamedTuple, Set, Tuple, Union)

LONGEST = 64 * 1024
# Dense where what is exponential shows, and doubling where the rest does.
LENGTHS = (*range(8, 48, 4), *(2 ** each for each in range(6, 17)))
SCALE = re.compile("[a-z]*")
FEW_LETTERS = 5
METHODS = frozenset(["search", "match", "fullmatch", "findall", "finditer",
                     "sub", "subn", "split"])
Text = Union[str, bytes]
# What takes expressions apart has changed its name.
PARSER: Any = importlib.import_module(
    "re._parser" if sys.version_info >= (3, 11) else "sre_parse")


class Used(NamedTuple):
    """A regular expression, and by which method it is used."""

    source: Text
    method: str
    file: str

    def run(self, text: str) -> None:
        """Let it have a look at a text."""
        subject: Any = text
        if isinstance(self.source, bytes):
            subject = text.encode("utf-8")
        arguments = ("", subject) if "sub" in self.method else (subject,)
        found = getattr(re, self.method)(self.source, *arguments)
        if self.method == "finditer":
            list(found)


def scale() -> float:
    """Return what a linear thing takes for the longest text, in seconds."""
    text = "a" * LONGEST
    return max(1e-5, min(seconds(lambda: SCALE.fullmatch(text))
                         for _ in range(5)))


def seconds(action: Callable[[], Any]) -> float:
    """Return for how long an action keeps the processor busy."""
    begun = time.thread_time()
    action()
    return time.thread_time() - begun


def more_than(limit: float, action: Callable[[], Any]) -> bool:
    """Say whether an action takes longer, also when it is tried again."""
    return seconds(action) > limit and least(action) > limit


def least(action: Callable[[], Any], times: int = 3) -> float:
    """Return the least of some attempts: what else went on is left out."""
    return min(seconds(action) for _ in range(times))


def expressions(folder: Path) -> List[Used]:
    """Return each regular expression of a package in each of its uses."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8"))
             for path in sorted(folder.rglob("*.py"))}
    methods: Dict[str, Set[str]] = {}
    for tree in trees.values():
        for name, method in _uses(tree):
            methods.setdefault(name, set()).add(method)
    found: List[Used] = []
    for path, tree in trees.items():
        for name, source in _compiled(tree):
            if source is None:
                source = _made_up(path.relative_to(folder.parent), name)
            found += [Used(source, method, path.name)
                      for method in sorted(methods.get(name, {"search"}))]
        found += [Used(source, method, path.name)
                  for source, method in _direct(tree)]
    return found


def adversaries(source: Text) -> Iterator[str]:
    """Yield what an expression may stumble over when it is repeated.

    That are its own letters, one or two of them, and all it is made of.
    """
    plain = source if isinstance(source, str) else source.decode("latin-1")
    letters = sorted(set(_letters(PARSER.parse(plain))))[:FEW_LETTERS]
    yield from letters
    yield from (one + other for one in letters for other in letters
                if one != other)
    yield plain


def heaviest(used: Used, limit: float) -> Tuple[float, str]:
    """Return the most that an expression takes, and for what.

    It is given up as soon as that is beyond the limit.
    """
    worst = (0.0, "")
    for piece in adversaries(used.source):
        for length in LENGTHS:
            text = (piece * length)[:length] + "\0"
            taken = seconds(lambda: used.run(text))
            if taken > limit:
                taken = least(lambda: used.run(text))
            worst = max(worst, (taken, f"{piece!r} * {length}"))
            if worst[0] > limit:
                return worst
    return worst


def _letters(parsed: Any) -> Iterator[str]:
    """Yield letters that parts of an expression match."""
    for operation, value in parsed:
        kind = operation.name
        if kind in ("LITERAL", "NOT_LITERAL"):
            yield chr(value)
        elif kind == "RANGE":
            yield from map(chr, value)
        elif kind in ("ANY", "CATEGORY"):
            yield from "a0 "
        elif kind == "IN":
            yield from _letters(value)
        elif kind == "BRANCH":
            for branch in value[1]:
                yield from _letters(branch)
        elif isinstance(value, tuple):
            for each in value:
                if isinstance(each, PARSER.SubPattern):
                    yield from _letters(each)


def _is_of_re(node: ast.AST) -> bool:
    """Say whether a node is a call of a function of ``re``."""
    return (isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re")


def _compiled(tree: ast.AST) -> Iterator[Tuple[str, Any]]:
    """Yield the names and sources of expressions that are compiled."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_of_re(node.value):
            call: Any = node.value
            target: Any = node.targets[0]
            if call.func.attr == "compile":
                yield target.id, _constant(call.args[0])


def _made_up(path: Path, name: str) -> Any:
    """Return the source of an expression that its module puts together."""
    module = importlib.import_module(".".join(path.with_suffix("").parts))
    return getattr(module, name).pattern


def _direct(tree: ast.AST) -> Iterator[Tuple[Any, str]]:
    """Yield expressions that are used where they are written."""
    for node in ast.walk(tree):
        if _is_of_re(node):
            call: Any = node
            source = _constant(call.args[0])
            if call.func.attr in METHODS and source is not None:
                yield source, call.func.attr


def _uses(tree: ast.AST) -> Iterator[Tuple[str, str]]:
    """Yield by which methods expressions are used that have a name."""
    for node in ast.walk(tree):
        if (isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.attr in METHODS):
            yield node.func.value.id, node.func.attr


def _constant(node: ast.AST) -> Any:
    """Return the value of a constant, ``None`` for anything else."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
