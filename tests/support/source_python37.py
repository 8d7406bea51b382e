#!/usr/bin/env python3
"""Rules that let a developer on a new Python keep to Python 3.7."""
import ast
import re
from typing import Iterator, List, Set, Tuple

from tests.support.source_imports import catches_import_error
from tests.support.source_limits import parameters
from tests.support.source_tree import Fault, Source, Tree, last_name

# Names of the standard library that Python 3.7 does not have.
NEWER_NAMES = re.compile(
    r"typing\.(Annotated|Concatenate|Final|Literal|LiteralString|Never"
    r"|NotRequired|ParamSpec|Protocol|Required|Self|SupportsIndex|TypeAlias"
    r"|TypeGuard|TypeIs|TypeVarTuple|TypedDict|Unpack|assert_never"
    r"|assert_type|final|get_args|get_origin|override|reveal_type"
    r"|runtime_checkable)"
    r"|functools\.(cache|cached_property|singledispatchmethod)"
    r"|asyncio\.(Runner|TaskGroup|timeout|to_thread)"
    r"|contextlib\.(aclosing|chdir)|datetime\.UTC|hashlib\.file_digest"
    r"|itertools\.(batched|pairwise)|math\.(comb|dist|isqrt|perm|prod)"
    r"|os\.(process_cpu_count|waitstatus_to_exitcode)|random\.randbytes"
    r"|shlex\.join|socket\.(create_server|has_dualstack_ipv6)"
    r"|sys\.(exception|orig_argv|stdlib_module_names|unraisablehook)"
    r"|threading\.(excepthook|get_native_id)"
    r"|unittest\.IsolatedAsyncioTestCase")
NEWER_MODULES = re.compile(
    r"(graphlib|importlib\.metadata|importlib\.resources\.files|tomllib"
    r"|zoneinfo)(\..+)?")
NEWER_METHODS = frozenset((
    "bit_count", "is_relative_to", "removeprefix", "removesuffix",
    "with_stem",
))
NEWER_KEYWORDS = frozenset((
    "cancel_futures", "dirs_exist_ok", "ignore_cleanup_errors", "kw_only",
    "missing_ok",
))
POSTPONED = "__future__.annotations"
PLAIN_TYPES = frozenset(("dict", "frozenset", "list", "set", "tuple", "type"))
PLAIN_GENERICS = re.compile(
    r"collections\..+|concurrent\.futures\.Future|contextlib\.Abstract.+"
    r"|os\.PathLike|queue\..*Queue|re\.(Match|Pattern)"
    r"|subprocess\.(CompletedProcess|Popen)")


def syntax_is_of_python37(tree: Tree) -> List[Fault]:
    """Find files that Python 3.7 could not even read.

    Python 3.8 and 3.9 parse walruses and positional-only parameters even
    when told not to; some have no eye for `f"{x=}"`, the lane on 3.7 has.
    """
    faults = []
    for source in tree.sources:
        if source.broken:
            faults.append(source.fault(
                source.broken.lineno or 1, "Python 3.7 cannot read this:"
                f" {source.broken.msg}."))
        for node, what in _newer_syntax(source):
            faults.append(source.fault(
                node, f"Python 3.7 has no {what}."))
    return faults


def library_is_of_python37(tree: Tree) -> List[Fault]:
    """Find names of the standard library that Python 3.7 does not have."""
    faults = []
    for source in tree.sources:
        for node, what in (*_newer_names(source), *_newer_calls(source)):
            faults.append(source.fault(
                node, f"{what} is newer than Python 3.7."))
    return faults


def annotations_are_of_python37(tree: Tree) -> List[Fault]:
    """Find `list[int]`, `int | None` and their like, outside of strings."""
    faults = []
    for source in tree.sources:
        annotations = _annotations(source)
        postponed: Set[int] = set()
        if source.aliases.get("annotations") == POSTPONED:
            postponed = {id(node) for node in annotations}
        for generic in source.every(ast.Subscript):
            if id(generic) not in postponed \
                    and _is_newer_generic(source, generic):
                faults.append(source.fault(
                    generic, "Python 3.7 takes no [...] here; use typing's"
                    " name."))
        for node in annotations:
            if id(node) not in postponed and _is_union(node):
                faults.append(source.fault(
                    node, "Python 3.7 knows no | between types; use Union"
                    " or Optional."))
    return faults


def _newer_syntax(source: Source) -> Iterator[Tuple[ast.AST, str]]:
    """Yield what newer grammars have, where the parser let it pass."""
    walrus = getattr(ast, "NamedExpr", None)
    for node in source.every(walrus) if walrus else ():
        yield node, "assignment within an expression"
    for spec in source.every(ast.arguments):
        for parameter in getattr(spec, "posonlyargs", []):
            yield parameter, "positional-only parameter"


def _newer_names(source: Source) -> Iterator[Tuple[ast.AST, str]]:
    """Yield what is named, but not what an answer to its lack guards."""
    guarded: Set[int] = set()
    for guard in [*source.every(ast.Try), *source.every(ast.If)]:
        if _is_guard(guard):
            guarded.update(id(inner) for inner in ast.walk(guard))
    for name, node in source.references:
        if NEWER_NAMES.fullmatch(name):
            yield node, name
        elif NEWER_MODULES.fullmatch(name) and id(node) not in guarded \
                and isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, name


def _newer_calls(source: Source) -> Iterator[Tuple[ast.AST, str]]:
    """Yield calls of methods, and with keywords, that came later."""
    for node in source.every(ast.Call):
        name = last_name(node.func)
        if name in NEWER_METHODS and isinstance(node.func, ast.Attribute):
            yield node, f".{name}()"
        for keyword in node.keywords:
            if keyword.arg in NEWER_KEYWORDS:
                yield node, f"{keyword.arg}="
            if (name, keyword.arg) in (("zip", "strict"),
                                       ("dataclass", "slots")):
                yield node, f"{name}({keyword.arg}=...)"


def _is_guard(node: ast.AST) -> bool:
    """Tell whether a statement provides for an older interpreter."""
    if isinstance(node, ast.Try):
        return catches_import_error(node)
    return isinstance(node, ast.If) and any(
        last_name(inner) == "version_info" for inner in ast.walk(node.test))


def _annotations(source: Source) -> List[ast.AST]:
    """Return all nodes that stand in annotations."""
    roots: List[ast.AST] = [
        node.annotation for node in source.every(ast.AnnAssign)
    ]
    for function in source.functions():
        written = [argument.annotation
                   for argument in parameters(function, False)]
        written.append(function.returns)
        roots.extend(node for node in written if node is not None)
    return [inner for root in roots for inner in ast.walk(root)]


def _is_newer_generic(source: Source, node: ast.Subscript) -> bool:
    """Tell whether a type is subscripted that 3.7 cannot subscript."""
    if not isinstance(node.ctx, ast.Load):
        return False
    if isinstance(node.value, ast.Name) and node.value.id in PLAIN_TYPES:
        return True
    return bool(PLAIN_GENERICS.fullmatch(source.dotted(node.value)))


def _is_union(node: ast.AST) -> bool:
    """Tell whether a node is `X | Y`."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
