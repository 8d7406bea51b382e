#!/usr/bin/env python3
"""Rules about SQL: two SQLAlchemys, SQLite 3.22 and PostgreSQL 10."""
import ast
import re
from typing import Iterator, List, Set, Tuple

from tests.support.source_imports import SQLALCHEMY_ROOMS
from tests.support.source_tree import (
    Fault, Source, Tree, last_name, text_of
)

COMPAT = "vestibule/store/compat.py"
ONE_SQLALCHEMY_ONLY = frozenset((
    "sqlalchemy.select", "sqlalchemy.sql.select",
    "sqlalchemy.sql.expression.select", "sqlalchemy.future.select",
    "sqlalchemy.Uuid", "sqlalchemy.orm.DeclarativeBase",
    "sqlalchemy.orm.Mapped", "sqlalchemy.orm.MappedAsDataclass",
    "sqlalchemy.orm.declarative_base", "sqlalchemy.orm.mapped_column",
    "sqlalchemy.ext.declarative.declarative_base",
))
ONE_SQLALCHEMY_OPTIONS = frozenset(("future", "autocommit"))
SESSION = re.compile(r"(.*_)?session")
ENGINE = re.compile(r"(.*_)?engine")

# What is too new for SQLite 3.22 or PostgreSQL 10, as text of SQL.
TOO_NEW = tuple(
    (re.compile(pattern, re.IGNORECASE), name) for pattern, name in (
        (r"\bON\s+CONFLICT\b", "ON CONFLICT"),
        (r"\bRETURNING\b", "RETURNING"),
        (r"\bOVER\s*\(", "A window function (OVER)"),
        (r"\bDROP\s+COLUMN\b", "DROP COLUMN"),
        (r"\bRENAME\s+COLUMN\b", "RENAME COLUMN"),
        (r"\bVACUUM\s+INTO\b", "VACUUM INTO"),
        (r"\bGENERATED\s+ALWAYS\b", "A generated column"),
        (r"\bNULLS\s+(FIRST|LAST)\b", "NULLS FIRST or LAST"),
        (r"\bFILTER\s*\(\s*WHERE\b", "FILTER (WHERE ...)"),
        (r"\b(RIGHT|FULL)\s+(OUTER\s+)?JOIN\b", "RIGHT or FULL JOIN"),
        (r"\bIIF\s*\(", "IIF()"),
        (r"\bUNIXEPOCH\s*\(", "unixepoch()"),
        (r"->>?\s*['$]", "The JSON arrow"),
    )
)
TOO_NEW_METHODS = frozenset((
    "returning", "on_conflict_do_nothing", "on_conflict_do_update", "over",
    "nullsfirst", "nullslast", "nulls_first", "nulls_last",
))
TOO_NEW_TYPES = frozenset(("sqlalchemy.Computed", "sqlalchemy.Identity"))
BATCH_ONLY = frozenset((
    "alembic.op.alter_column", "alembic.op.create_check_constraint",
    "alembic.op.create_foreign_key", "alembic.op.create_primary_key",
    "alembic.op.create_unique_constraint", "alembic.op.drop_column",
    "alembic.op.drop_constraint",
))


def only_compat_knows_the_version(tree: Tree) -> List[Fault]:
    """Find modules that ask which SQLAlchemy this is, besides compat.py."""
    return [
        source.fault(node, "Only store/compat.py asks which SQLAlchemy"
                     " this is.")
        for source in tree.under("vestibule/") if source.path != COMPAT
        for name, node in source.references
        if name == "sqlalchemy.__version__"
    ]


def sqlalchemy_keeps_to_the_intersection(tree: Tree) -> List[Fault]:
    """Find what works on SQLAlchemy 1.3 alone, or on 2 alone."""
    faults = []
    for source in _database_sources(tree):
        if source.path == COMPAT:
            continue
        for name, node in source.references:
            if name in ONE_SQLALCHEMY_ONLY:
                faults.append(source.fault(
                    node, f"{name} differs between SQLAlchemy 1.3 and 2:"
                    " only store/compat.py may name it."))
        for call in source.every(ast.Call):
            for what in _one_sqlalchemy_only(call):
                faults.append(source.fault(
                    call, f"{what} does not work alike on SQLAlchemy 1.3"
                    " and 2; DESIGN section 5 says what does."))
    return faults


def sql_keeps_to_old_databases(tree: Tree) -> List[Fault]:
    """Find SQL that SQLite 3.22 or PostgreSQL 10 do not understand."""
    faults = []
    for source in _database_sources(tree):
        for node, what in _too_new(source):
            faults.append(source.fault(
                node, f"{what} is too new for SQLite 3.22 or"
                " PostgreSQL 10."))
        for name, node in source.references:
            if name in BATCH_ONLY:
                faults.append(source.fault(
                    node, f"{name} needs `with op.batch_alter_table(...)`"
                    " on SQLite."))
    return faults


def _database_sources(tree: Tree) -> List[Source]:
    """Return the files that may talk to a database."""
    return [
        source for source in tree.sources
        if SQLALCHEMY_ROOMS.fullmatch(source.path)
    ]


def _one_sqlalchemy_only(call: ast.Call) -> Iterator[str]:
    """Yield what of a call is understood by one SQLAlchemy only."""
    for keyword in call.keywords:
        if keyword.arg in ONE_SQLALCHEMY_OPTIONS:
            yield f"{keyword.arg}="
    if isinstance(call.func, ast.Attribute):
        owner = last_name(call.func.value)
        if call.func.attr == "get" and SESSION.fullmatch(owner):
            yield f"{owner}.get()"
        if call.func.attr == "execute" and ENGINE.fullmatch(owner):
            yield f"{owner}.execute()"


def _too_new(source: Source) -> Iterator[Tuple[ast.AST, str]]:
    """Yield the texts, methods and types that old databases refuse."""
    prose = _docstrings(source)
    for node in ast.walk(source.tree):
        text = text_of(node)
        if text is not None and id(node) not in prose:
            for pattern, name in TOO_NEW:
                if pattern.search(text):
                    yield node, name
        if isinstance(node, ast.Call) \
                and isinstance(node.func, ast.Attribute) \
                and node.func.attr in TOO_NEW_METHODS:
            yield node, f".{node.func.attr}()"
    for name, node in source.references:
        if name in TOO_NEW_TYPES:
            yield node, name


def _docstrings(source: Source) -> Set[int]:
    """Return the identities of the strings that are documentation."""
    found: Set[int] = set()
    bodies = [source.tree.body]
    bodies.extend(node.body for node in source.every(ast.ClassDef))
    bodies.extend(node.body for node in source.functions())
    for body in bodies:
        if body and isinstance(body[0], ast.Expr):
            found.add(id(body[0].value))
    return found
