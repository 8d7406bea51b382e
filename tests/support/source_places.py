#!/usr/bin/env python3
"""Rules about what one place alone may do: environment, time, signing in."""
import ast
import re
from typing import Iterator, List, Set, Tuple

from tests.support.source_imports import ENTRY_POINTS, SQLALCHEMY_ROOMS
from tests.support.source_tree import (
    FUNCTIONS, Fault, Source, Tree, last_name, text_of
)

ENVIRONMENT = frozenset((
    "os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv",
    "os.unsetenv",
))
CURRENT_TIME = frozenset((
    "datetime.date.today", "datetime.datetime.now",
    "datetime.datetime.today", "datetime.datetime.utcnow",
    "time.time", "time.time_ns",
))
# Where a session may be started, and the word that starts it.
MAY_START = (
    ("vestibule/kernel/sign_in.py", "SignIn.finish"),
    ("vestibule/kernel/auth.py", "Auth.create_session"),
)
ABOVE_THE_STORE = re.compile(r"vestibule/(kernel|web|features)/.+")

SECRET = re.compile(r"digest|secret|token|password|hash", re.IGNORECASE)
ABOUT_A_SECRET = re.compile(r".*_(at|cost|count|kind|length|purpose)")


def only_the_settings_read_the_environment(tree: Tree) -> List[Fault]:
    """Find readers of the environment besides base/config.py.

    An entry point may hand `os.environ` to a function, and only that.
    """
    faults = []
    for source in tree.under("vestibule/"):
        if source.path == "vestibule/base/config.py":
            continue
        entry = (source.module.split(".") + [""])[1] in ENTRY_POINTS
        handed = _arguments(source) if entry else set()
        for name, node in source.references:
            if name in ENVIRONMENT and id(node) not in handed:
                faults.append(source.fault(
                    node, f"{name} is read by base/config.py alone; entry"
                    " points may pass os.environ as an argument."))
    return faults


def only_the_clock_reads_the_time(tree: Tree) -> List[Fault]:
    """Find callers of the system's clock besides base/clock.py."""
    return [
        source.fault(node, f"{name} is called by base/clock.py alone; take"
                     " the time from a Clock.")
        for source in tree.under("vestibule/")
        if source.path != "vestibule/base/clock.py"
        for name, node in source.references if name in CURRENT_TIME
    ]


def every_way_in_ends_in_finish(tree: Tree) -> List[Fault]:
    """Find sessions that begin elsewhere than in `SignIn.finish`.

    Taken for `Sessions.start` is `start` of whatever has `session` in its
    name and, in the kernel and above, `start` of anything when called
    with arguments (a thread's has none). Taken for writing a session's
    row is `add` of whatever has `session` in its name, above the store.
    """
    faults = []
    for source in tree.under("vestibule/"):
        calls = _calls_with_arguments(source)
        for function, node in _placed(source.tree):
            if not isinstance(node, ast.Attribute):
                continue
            if _starts(source, node, calls):
                if not _may_start(source.path, function):
                    faults.append(source.fault(
                        node, "Only SignIn.finish starts a session (and"
                        " Auth.create_session); end this way in there."))
            if _adds_a_session(source, node):
                faults.append(source.fault(
                    node, "Only kernel/sessions.py adds a session's row."))
    return faults


def secrets_are_compared_in_constant_time(tree: Tree) -> List[Fault]:
    """Find `==` and `!=` on what is named like a secret."""
    faults = []
    for source in tree.under("vestibule/"):
        for node in source.every(ast.Compare):
            sides = [node.left, *node.comparators]
            for operator, left, right in zip(node.ops, sides, sides[1:]):
                name = _secret(left) or _secret(right)
                if name and isinstance(operator, (ast.Eq, ast.NotEq)):
                    faults.append(source.fault(
                        node, f"{name} is compared by == or !=: use"
                        " hmac.compare_digest, or filter_by in a query."))
    return faults


def _arguments(source: Source) -> Set[int]:
    """Return the identities of all expressions handed to a call."""
    found: Set[int] = set()
    for call in source.every(ast.Call):
        found.update(id(value) for value in call.args)
        found.update(id(keyword.value) for keyword in call.keywords)
    return found


def _calls_with_arguments(source: Source) -> Set[int]:
    """Return the identities of the functions called with arguments."""
    return {
        id(call.func) for call in source.every(ast.Call)
        if call.args or call.keywords
    }


def _placed(node: ast.AST, place: str = "") -> Iterator[Tuple[str, ast.AST]]:
    """Yield each node with the qualified name of what it stands in."""
    for inner in ast.iter_child_nodes(node):
        yield place, inner
        name = place
        if isinstance(inner, (*FUNCTIONS, ast.ClassDef)):
            name = f"{place}.{inner.name}".lstrip(".")
        yield from _placed(inner, name)


def _of_sessions(node: ast.Attribute) -> bool:
    """Tell whether an attribute is one of something named for sessions."""
    return "session" in last_name(node.value).lower()


def _starts(source: Source, node: ast.Attribute, calls: Set[int]) -> bool:
    """Tell whether an attribute is, or may be, `Sessions.start`."""
    if node.attr != "start":
        return False
    above = ABOVE_THE_STORE.fullmatch(source.path)
    return _of_sessions(node) or bool(above and id(node) in calls)


def _may_start(path: str, function: str) -> bool:
    """Tell whether a function is one of those that may start sessions."""
    return any(
        path == home and f"{function}.".startswith(f"{name}.")
        for home, name in MAY_START)


def _adds_a_session(source: Source, node: ast.Attribute) -> bool:
    """Tell whether an attribute writes a session's row above the store."""
    if node.attr != "add" or not _of_sessions(node):
        return False
    return source.path != "vestibule/kernel/sessions.py" \
        and not SQLALCHEMY_ROOMS.fullmatch(source.path)


def _secret(node: ast.expr) -> str:
    """Return the name an operand has if it names a secret, else nothing.

    A constant (`PASSWORD_CHANGED`) and a measure (`token_count`) are not
    secrets; the key counts of what is looked up by key.
    """
    names = [last_name(node)]
    if isinstance(node, ast.Subscript):
        names = [text_of(inner) or last_name(inner)
                 for inner in ast.walk(node) if inner is not node]
    for name in names:
        secret = SECRET.search(name) and not name.isupper()
        if secret and not ABOUT_A_SECRET.fullmatch(name):
            return name
    return ""
