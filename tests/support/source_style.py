#!/usr/bin/env python3
"""Rules about form: shebangs, docstrings, annotations, honest comments."""
import ast
import inspect
import os
import re
from typing import Iterator, List, Tuple, Union

from tests.support.source_limits import functions, parameters
from tests.support.source_tree import Fault, Function, Source, Tree

Documented = Union[ast.Module, ast.ClassDef, Function]

SHEBANG = "#!/usr/bin/env python3"
# Files that Python files are made from.
TEMPLATE_SUFFIX = ".py.mako"
SILENCERS = (
    (re.compile(r"\bnoqa\b", re.IGNORECASE),
     "Comments must not silence the linter; repair what it says."),
    (re.compile(r"type:\s*ignore(?!\[[a-z])"),
     "A `type: ignore` must name the error's code in brackets."),
    (re.compile(r"mypy:\s*(ignore|disable|allow)"),
     "Comments must not loosen mypy for a whole file."),
)
ARTICLES = frozenset(("a", "an", "the"))
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def python_opens_with_the_shebang(tree: Tree) -> List[Fault]:
    """Find Python, and templates of it, without the agreed first line."""
    names = {source.path for source in tree.sources}
    return [
        Fault(name, 1, f"The first line must be {SHEBANG}.")
        for name, text in tree.texts.items()
        if name in names or name.endswith(TEMPLATE_SUFFIX)
        if text.split("\n", 1)[0] != SHEBANG
    ]


def texts_end_with_a_new_line(tree: Tree) -> List[Fault]:
    """Find text files, empty ones too, that do not end with a new line."""
    return [
        Fault(name, text.count("\n") + 1,
              "A text file must end with a new line.")
        for name, text in tree.texts.items() if not text.endswith("\n")
    ]


def everything_is_documented(tree: Tree) -> List[Fault]:
    """Find modules, classes and functions without a real sentence."""
    faults = []
    for source in tree.sources:
        if source.broken:
            continue
        for node, name in _documented(source):
            reason = _what_is_missing(ast.get_docstring(node), name)
            if reason:
                faults.append(source.fault(
                    node, f"The docstring of {name} {reason}."))
    return faults


def everything_is_annotated(tree: Tree) -> List[Fault]:
    """Find parameters and results whose type is not written down."""
    faults = []
    for source in tree.sources:
        for function, method in functions(source):
            bare = [argument.arg for argument in parameters(function, method)
                    if argument.annotation is None]
            if function.returns is None:
                bare.append("its result")
            if bare:
                faults.append(source.fault(
                    function, f"{function.name} lacks annotations:"
                    f" {', '.join(bare)}."))
    return faults


def nothing_is_silenced(tree: Tree) -> List[Fault]:
    """Find comments that tell the linter or mypy to look away."""
    return [
        source.fault(line, sentence)
        for source in tree.sources
        for line, comment in source.comments
        for pattern, sentence in SILENCERS if pattern.search(comment)
    ]


def no_except_is_bare(tree: Tree) -> List[Fault]:
    """Find `except:` that names nothing and so catches everything."""
    return [
        source.fault(node, "A bare except catches even the end of the"
                     " process; name what is expected.")
        for source in tree.sources
        for node in source.every(ast.ExceptHandler) if node.type is None
    ]


def _documented(source: Source) -> Iterator[Tuple[Documented, str]]:
    """Yield each thing that needs a docstring, with its name."""
    stem = os.path.basename(source.path)
    yield source.tree, stem[:-3] if stem.endswith(".py") else stem
    for node in [*source.every(ast.ClassDef), *source.functions()]:
        yield node, node.name


def _what_is_missing(docstring: Union[str, None], name: str) -> str:
    """Say what keeps a docstring from being a sentence, or nothing."""
    text = inspect.cleandoc(docstring or "").strip()
    paragraphs = re.split(r"\n\s*\n", text)
    opening = paragraphs[0]
    if not opening:
        return "is missing"
    if not (opening[0].isupper() or opening[0] == "`"):
        return "must begin with a capital letter or a backquote"
    if not opening.endswith((".", "?")):
        return "must end its first paragraph with a full stop"
    if len(opening.split()) < 3:
        return "must be a sentence of three words or more"
    if len(paragraphs) == 1 and _words(opening) == _words(name):
        return "must say more than the name again"
    return ""


def _words(text: str) -> List[str]:
    """Return what a text or a name says: no articles, no plurals."""
    words = [word.lower().rstrip("s") for word in WORD.findall(text)]
    return [word for word in words if word not in ARTICLES
            and word != "test"]
