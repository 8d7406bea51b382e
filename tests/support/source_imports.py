#!/usr/bin/env python3
"""Rules about imports: who may know whom, and who may know which library."""
import ast
import re
from typing import Dict, Iterator, List, NamedTuple, Pattern, Set, Tuple

from tests.support.source_tree import (
    Fault, Source, Tree, imported_names, text_of
)

# Which rooms of the house a room may import, besides itself.
MAY_IMPORT: Dict[str, Tuple[str, ...]] = {
    "base": (),
    "store": ("base",),
    "mail": ("base",),
    "migrations": ("base", "store"),
    "kernel": ("base", "store", "mail"),
    "web": ("base", "store", "mail", "kernel"),
    "features": ("base", "store", "mail", "kernel", "web"),
}
# The top of the house may import everything; `""` is the package itself.
ENTRY_POINTS = (
    "", "__main__", "app", "cli", "server", "serving", "gunicorn_server",
    "granian_server", "granian_request")
WITHOUT_PYTHON = ("templates", "static")
# The one class that imports when something is asked for, and its own file.
DEFERRED = "vestibule.base.deferred.Deferred"
MAY_IMPORT_BY_CALLS = ("vestibule/base/deferred.py",)

SQLALCHEMY_ROOMS = re.compile(
    r"vestibule/(store|migrations)/.+|vestibule/features/[^/]+/store\.py")
OPTIONAL = frozenset((
    "granian", "psycopg", "psycopg2", "redis", "uvloop", "valkey",
))


class Room(NamedTuple):
    """Where some libraries may be imported, and the sentence saying so."""

    libraries: Tuple[str, ...]
    paths: Pattern[str]
    sentence: str


ROOMS = (
    Room(
        ("flask", "werkzeug"),
        re.compile(r"vestibule/web/.+|vestibule/app\.py"
                   r"|vestibule/features/[^/]+/(routes|pages)\.py"),
        "only web, a feature's routes.py and pages.py, and app.py may"),
    Room(
        ("sqlalchemy", "alembic"), SQLALCHEMY_ROOMS,
        "only store, a feature's store.py, and migrations may"),
    Room(
        ("bcrypt",), re.compile(r"vestibule/kernel/.+"),
        "only the kernel may"),
)


def imports_point_downwards(tree: Tree) -> List[Fault]:
    """Find imports of another feature, of a sibling, of a higher layer."""
    faults = []
    for source in tree.under("vestibule/"):
        room = _room(source.module)
        if room.split(".")[0] in WITHOUT_PYTHON:
            faults.append(source.fault(1, f"{room} must not hold Python."))
        elif not _known(room):
            faults.append(source.fault(
                1, f"vestibule/{room} has no layer; DESIGN section 4 has."))
        for node, name in _imports(source):
            refusal = _refusal(room, name)
            if refusal:
                faults.append(source.fault(node, refusal))
    return faults


def imports_stand_on_top(tree: Tree) -> List[Fault]:
    """Find imports that are relative, hidden, or not at the file's top."""
    faults = []
    for source in tree.sources:
        placed = {id(node) for node in _on_top(source.tree.body)}
        named = {id(node.value) for node in source.tree.body
                 if isinstance(node, ast.Assign)}
        for node in source.imports():
            if isinstance(node, ast.ImportFrom) and node.level:
                faults.append(source.fault(
                    node, "This import is relative; write the whole name."))
            if id(node) not in placed:
                faults.append(source.fault(
                    node, "Imports stand at the top of the file, bare or"
                    " in try/except ImportError."))
        for call in _deferrals(source):
            if id(call) not in named or not _deferred_names(call):
                faults.append(source.fault(
                    call, "What is deferred stands at the top of the file,"
                    " by its whole name and with a name of its own."))
        faults.extend(_disguised(source))
    return faults


def imports_form_no_cycle(tree: Tree) -> List[Fault]:
    """Find modules that import each other, however long the way round."""
    edges = {name: _edges(tree, name) for name in tree.modules}
    faults = []
    while _strip(edges):
        cycle = _walk_round(edges)
        source = tree.modules[cycle[0]]
        faults.append(source.fault(
            _edges(tree, cycle[0])[cycle[1]],
            f"These imports form a cycle: {' -> '.join(cycle)}."))
        for name in cycle[1:]:
            del edges[name]
    return faults


def libraries_stay_in_their_rooms(tree: Tree) -> List[Fault]:
    """Find Flask, SQLAlchemy or bcrypt elsewhere, and passlib anywhere."""
    faults = []
    for source in tree.sources:
        for node, name in _imports(source):
            library = name.split(".")[0]
            if library == "passlib":
                faults.append(source.fault(
                    node, "passlib breaks on bcrypt 5; call bcrypt itself."))
            for room in ROOMS:
                if library in room.libraries \
                        and source.path.startswith("vestibule/") \
                        and not room.paths.fullmatch(source.path):
                    faults.append(source.fault(
                        node, f"{library} is imported here;"
                        f" {room.sentence}."))
    return faults


def optional_libraries_have_one_adapter(tree: Tree) -> List[Fault]:
    """Find optional libraries that are unguarded or adapted twice.

    Optional is what this file lists, and also whatever some module of
    ours can do without: imported by `try`, with no other import in the
    `except ImportError`. Who defers it needs no `try` for that.
    """
    faults = []
    adapters: Dict[str, str] = {}
    sources = tree.under("vestibule/")
    guards = {id(node): spare for source in sources
              for node, spare in _guarded(source)}
    found = [(source, node, name.split(".")[0]) for source in sources
             for node, name in _imports(source)]
    optional = OPTIONAL.union(
        name for _, node, name in found if guards.get(id(node)))
    for source, node, name in found:
        if name not in optional:
            continue
        adapter = adapters.setdefault(name, source.path)
        if adapter != source.path:
            faults.append(source.fault(
                node, f"The optional {name} is adapted by {adapter} alone."))
        elif id(node) not in guards and not isinstance(node, ast.Call):
            faults.append(source.fault(
                node, f"{name} is optional: import it by try and"
                " except ImportError."))
    return faults


def catches_import_error(node: ast.Try) -> bool:
    """Tell whether a `try` has an answer to a library that is missing."""
    names = {
        inner.id for handler in node.handlers if handler.type
        for inner in ast.walk(handler.type) if isinstance(inner, ast.Name)
    }
    return bool(names & {"ImportError", "ModuleNotFoundError"})


def _imports(source: Source) -> Iterator[Tuple[ast.AST, str]]:
    """Yield each import, put off or not, with each full name it reaches."""
    for node in source.imports():
        for name in imported_names(node):
            yield node, name
    for call in _deferrals(source):
        for name in _deferred_names(call):
            yield call, name


def _deferrals(source: Source) -> List[ast.Call]:
    """Return the places where an import is put off."""
    return [node for node in source.every(ast.Call)
            if source.path.startswith("vestibule/")
            and source.dotted(node.func) == DEFERRED]


def _deferred_names(call: ast.Call) -> List[str]:
    """Return the name of the module that is put off, if it can be read."""
    names = [text_of(argument) for argument in call.args]
    return [name for name in names if name]


def _room(module: str) -> str:
    """Return the room of a module: `store`, `features.login`, or `""`."""
    parts = module.split(".")[1:]
    if parts[:1] == ["features"]:
        return ".".join(parts[:2])
    return parts[0] if parts else ""


def _known(room: str) -> bool:
    """Tell whether a room stands in the plan of the house."""
    return room in ENTRY_POINTS or room.split(".")[0] in MAY_IMPORT


def _refusal(room: str, name: str) -> str:
    """Say why a room may not import a name, or return nothing."""
    library = name.split(".")[0]
    if library in ("tests", "benchmarks", "tools"):
        return f"The service must not import {library}."
    if library != "vestibule":
        return ""
    target = _room(name)
    if target not in WITHOUT_PYTHON and not _known(target):
        target = ""
    if room == "app" and target in ("cli", "server", "__main__"):
        return f"app.py must not import vestibule/{target}."
    if room in ENTRY_POINTS or target == room:
        return ""
    if target.split(".")[0] in MAY_IMPORT.get(room.split(".")[0], ()):
        return ""
    if target.startswith("features") and room.startswith("features"):
        return f"A feature must not import another feature: {name}."
    return (f"{room} may import its own folder and lower layers only,"
            f" not {name}.")


def _on_top(body: List[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the imports that stand where imports belong.

    The first function or class, or the first other work, ends the top.
    """
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.Try) and catches_import_error(node):
            answers = [handler.body for handler in node.handlers]
            for block in [node.body, *answers, node.orelse]:
                yield from _on_top(block)
        elif isinstance(node, ast.If) and _about_the_interpreter(node.test):
            yield from _on_top(node.body)
            yield from _on_top(node.orelse)
        elif not _may_precede_imports(node):
            return


def _about_the_interpreter(test: ast.expr) -> bool:
    """Tell whether a condition asks for the version or the type checker."""
    names = {
        getattr(node, "id", getattr(node, "attr", ""))
        for node in ast.walk(test)
    }
    return bool(names & {"TYPE_CHECKING", "version_info", "platform"})


def _may_precede_imports(node: ast.stmt) -> bool:
    """Tell whether a statement is a docstring or sets a dunder name."""
    if isinstance(node, ast.Assign):
        return all(
            isinstance(target, ast.Name) and target.id.startswith("__")
            for target in node.targets)
    return isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call)


def _disguised(source: Source) -> Iterator[Fault]:
    """Yield imports of ours that are written as calls."""
    if not source.path.startswith("vestibule/"):
        return
    for node in source.every(ast.Call):
        name = source.dotted(node.func) or getattr(node.func, "id", "")
        if name in ("__import__", "importlib.import_module") \
                and source.path not in MAY_IMPORT_BY_CALLS:
            yield source.fault(
                node, f"{name}() is an import in disguise; write an import.")


def _guarded(source: Source) -> Iterator[Tuple[ast.AST, bool]]:
    """Yield what stands in a `try` that expects a library to be missing.

    With it goes whether the module can do without that library, as it
    can if it does not import another one in its stead.
    """
    for node in source.every(ast.Try):
        if catches_import_error(node):
            answers = [inner for handler in node.handlers
                       for inner in ast.walk(handler)]
            spare = not any(isinstance(inner, (ast.Import, ast.ImportFrom))
                            for inner in answers)
            for inner in ast.walk(node):
                yield inner, spare


def _edges(tree: Tree, module: str) -> Dict[str, ast.AST]:
    """Return the project's modules that a module imports, and where."""
    edges: Dict[str, ast.AST] = {}
    for node, name in _imports(tree.modules[module]):
        target = name if name in tree.modules else name.rpartition(".")[0]
        if target in tree.modules:
            edges.setdefault(target, node)
    return edges


def _strip(edges: Dict[str, Dict[str, ast.AST]]) -> bool:
    """Drop the modules that lead into no cycle; tell if some are left."""
    while True:
        leaves = [name for name, targets in edges.items()
                  if not any(target in edges for target in targets)]
        if not leaves:
            return bool(edges)
        for name in leaves:
            del edges[name]


def _walk_round(edges: Dict[str, Dict[str, ast.AST]]) -> List[str]:
    """Return one cycle, its first module repeated at its end."""
    path: List[str] = []
    seen: Set[str] = set()
    name = min(edges)
    while name not in seen:
        path.append(name)
        seen.add(name)
        name = min(target for target in edges[name] if target in edges)
    return path[path.index(name):] + [name]
