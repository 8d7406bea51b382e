#!/usr/bin/env python3
"""The project's files, read and parsed once, for the rules to look at.

A rule is a pure function from a `Tree` to the `Fault`s it finds there.
"""
import ast
import io
import os
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import (
    Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Type,
    TypeVar, Union, cast
)

FOREIGN_FOLDERS = frozenset((
    ".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".tox",
    "__pycache__", "build", "dist", "node_modules",
))
LAYOUT_TOKENS = frozenset((
    tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT,
))
Node = TypeVar("Node", bound=ast.AST)
Import = Union[ast.Import, ast.ImportFrom]
Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Fault(NamedTuple):
    """One place in the project where a rule is broken."""

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        """Say it the way compilers do, so that editors can jump there."""
        return f"{self.path}:{self.line}: {self.sentence}"


class Source:
    """One Python file: its text, its tree, its comments, its names."""

    def __init__(self, path: str, text: str) -> None:
        """Parse the text as Python 3.7 would, whatever runs this."""
        self.path = path
        self.text = text
        self.module = module_name(path)
        self.broken: Optional[SyntaxError] = None
        self.comments: List[Tuple[int, str]] = []
        self._starts: Dict[int, int] = {}
        self._ends: Dict[int, int] = {}
        try:
            self.tree = _parse(text)
            self._read_tokens()
        except SyntaxError as error:
            self.tree = ast.Module(body=[], type_ignores=[])
            self.broken = error
        self._by_kind: Dict[Type[ast.AST], List[ast.AST]] = {}
        for node in ast.walk(self.tree):
            self._by_kind.setdefault(type(node), []).append(node)
        self.aliases = _aliases(self.imports())
        self.references = list(self._find_references())

    def fault(self, place: Union[ast.AST, int], sentence: str) -> Fault:
        """Return a fault at a node or at a line of this file."""
        line = place if isinstance(place, int) else self.line_of(place)
        return Fault(self.path, line, sentence)

    def line_of(self, node: ast.AST) -> int:
        """Return a node's line; for what is decorated, the `def` line.

        Python 3.7 gives the decorator's line there, later ones do not.
        """
        line: int = getattr(node, "lineno", 1)
        decorators = getattr(node, "decorator_list", [])
        if not decorators:
            return line
        above = self._ends[max(_lines(decorators[-1]))]
        return min(row for row in self._starts.values() if row > above)

    def last_line_of(self, node: ast.AST) -> int:
        """Return the line a node ends on, closing brackets included.

        Python 3.7 keeps no end of a node, so the tokens say it.
        """
        last = max(_lines(node))
        return self._ends.get(last, last)

    def dotted(self, node: ast.AST) -> str:
        """Return the full name an expression has, or an empty string.

        After `import datetime as dt`, `dt.datetime.now` is known as
        `datetime.datetime.now`; what no import binds has no such name.
        """
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.dotted(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    def every(self, kind: Type[Node]) -> List[Node]:
        """Return all nodes of exactly one kind, nested ones too."""
        return cast(List[Node], self._by_kind.get(kind, []))

    def imports(self) -> List[Import]:
        """Return all import statements, wherever they stand."""
        return [*self.every(ast.Import), *self.every(ast.ImportFrom)]

    def functions(self) -> List[Function]:
        """Return all functions and methods, nested ones too."""
        return [*self.every(ast.FunctionDef),
                *self.every(ast.AsyncFunctionDef)]

    def _find_references(self) -> Iterator[Tuple[str, ast.AST]]:
        """Yield each imported thing, by full name, where it is reached.

        That is at the import itself and at each attribute of a module.
        """
        for statement in self.imports():
            for name in imported_names(statement):
                yield name, statement
        for node in self.every(ast.Attribute):
            name = self.dotted(node)
            if name:
                yield name, node

    def _read_tokens(self) -> None:
        """Collect the comments, and where each logical line reaches."""
        start = 0
        reader = io.StringIO(self.text).readline
        for token in tokenize.generate_tokens(reader):
            if token.type == tokenize.COMMENT:
                self.comments.append((token.start[0], token.string))
            if token.type == tokenize.NEWLINE:
                for row in range(start, token.start[0] + 1):
                    self._starts[row] = start
                    self._ends[row] = token.start[0]
                start = 0
            elif token.type not in LAYOUT_TOKENS and not start:
                start = token.start[0]


class Tree:
    """Every text file of a project, the Python ones parsed."""

    def __init__(self, root: Path) -> None:
        """Read what belongs to the project in this folder."""
        self.texts: Dict[str, str] = {}
        for name in list_files(root):
            text = _read_text(root / name)
            if text is not None:
                self.texts[name] = text
        self.sources = [
            Source(name, text) for name, text in self.texts.items()
            if is_python(name, text)
        ]
        self.modules = {source.module: source for source in self.sources}

    def under(self, folder: str) -> List[Source]:
        """Return the Python files below a folder such as `vestibule/`."""
        return [
            source for source in self.sources
            if source.path.startswith(folder)
        ]


Rule = Callable[[Tree], List[Fault]]


def module_name(path: str) -> str:
    """Return the dotted name that a file is imported by."""
    parts = path[:-3].split("/") if path.endswith(".py") else path.split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def is_python(name: str, text: str) -> bool:
    """Tell whether a file is Python, by its suffix or by its shebang."""
    if name.endswith(".py"):
        return True
    opening = text.split("\n", 1)[0]
    bare = not os.path.splitext(name)[1]
    return bare and opening.startswith("#!") and "python" in opening


def imported_names(node: Import) -> List[str]:
    """Return the full names that an absolute import statement reaches."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module or ''}.{alias.name}" for alias in node.names]


def text_of(node: ast.AST) -> Optional[str]:
    """Return the value of a string literal, and None of anything else.

    Python 3.7 still has a node class of its own for strings.
    """
    field = "value" if isinstance(node, ast.Constant) else "s"
    value = getattr(node, field, None)
    return value if isinstance(value, str) else None


def last_name(node: ast.AST) -> str:
    """Return the last word of a name, an attribute or a call's function."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def list_files(root: Path) -> List[str]:
    """Return the project's files: git's, or without git those on disk."""
    names = _ask_git(root)
    return sorted(_walk(root) if names is None else names)


def _ask_git(root: Path) -> Optional[List[str]]:
    """Return the files that git tracks or would track, if it can say."""
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached",
               "--others", "--exclude-standard"]
    try:
        answer = subprocess.run(
            command, check=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return [os.fsdecode(name) for name in answer.stdout.split(b"\0") if name]


def _walk(root: Path) -> Iterator[str]:
    """Yield the files below a folder, but not those of tools or venvs."""
    for folder, inner, names in os.walk(str(root)):
        inner[:] = [
            name for name in inner
            if name not in FOREIGN_FOLDERS and not name.endswith(".egg-info")
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        ]
        for name in names:
            yield (Path(folder) / name).relative_to(root).as_posix()


def _read_text(path: Path) -> Optional[str]:
    """Return a file's text; None for what is binary, linked or gone."""
    if path.is_symlink() or not path.is_file():
        return None
    content = path.read_bytes()
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _parse(text: str) -> ast.Module:
    """Parse a text by the grammar of Python 3.7."""
    if sys.version_info >= (3, 8):
        return ast.parse(text, feature_version=(3, 7))
    return ast.parse(text)


def _lines(node: ast.AST) -> Iterator[int]:
    """Yield the line numbers found on a node and on all below it."""
    for inner in ast.walk(node):
        line: Optional[int] = getattr(inner, "lineno", None)
        if line is not None:
            yield line


def _aliases(imports: List[Import]) -> Dict[str, str]:
    """Return what each imported name stands for, in full."""
    found: Dict[str, str] = {}
    for node in imports:
        for alias, name in zip(node.names, imported_names(node)):
            if alias.asname or isinstance(node, ast.ImportFrom):
                found[alias.asname or alias.name] = name
            else:
                root = name.split(".")[0]
                found[root] = root
    return found
