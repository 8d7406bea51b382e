#!/usr/bin/env python3
"""Rules about size: of files, functions, classes and parameter lists."""
import ast
from typing import Iterator, List, Tuple

from tests.support.source_tree import (
    FUNCTIONS, Fault, Function, Source, Tree
)

FILE_LINES = 400
FUNCTION_LINES = 50
CLASS_METHODS = 15
PARAMETERS = 5


def files_are_short(tree: Tree) -> List[Fault]:
    """Find Python files of more than 400 lines."""
    faults = []
    for source in tree.sources:
        count = len(source.text.rstrip("\n").split("\n"))
        if count > FILE_LINES:
            faults.append(source.fault(
                FILE_LINES + 1,
                f"This file has {count} lines; the limit is {FILE_LINES}."))
    return faults


def functions_are_short(tree: Tree) -> List[Fault]:
    """Find functions of more than 50 lines, decorators not counted."""
    faults = []
    for source in tree.sources:
        for function in source.functions():
            first = source.line_of(function)
            count = source.last_line_of(function) - first + 1
            if count > FUNCTION_LINES:
                faults.append(source.fault(
                    function, f"{function.name} has {count} lines; the"
                    f" limit is {FUNCTION_LINES}."))
    return faults


def classes_are_small(tree: Tree) -> List[Fault]:
    """Find classes of more than 15 methods, properties included."""
    faults = []
    for source in tree.sources:
        for node in source.every(ast.ClassDef):
            count = sum(isinstance(inner, FUNCTIONS) for inner in node.body)
            if count > CLASS_METHODS:
                faults.append(source.fault(
                    node, f"{node.name} has {count} methods; the limit is"
                    f" {CLASS_METHODS}."))
    return faults


def parameters_are_few(tree: Tree) -> List[Fault]:
    """Find functions of more than five parameters, of whatever kind."""
    faults = []
    for source in tree.sources:
        for function, method in functions(source):
            count = len(parameters(function, method))
            if count > PARAMETERS:
                faults.append(source.fault(
                    function, f"{function.name} has {count} parameters; the"
                    f" limit is {PARAMETERS}."))
    return faults


def functions(source: Source) -> Iterator[Tuple[Function, bool]]:
    """Yield each function, nested ones too, and whether it is a method."""
    methods = {
        id(inner) for node in source.every(ast.ClassDef)
        for inner in node.body
    }
    for function in source.functions():
        yield function, id(function) in methods


def parameters(function: Function, method: bool) -> List[ast.arg]:
    """Return a function's parameters, a method's without its first."""
    spec = function.args
    plain = [*getattr(spec, "posonlyargs", []), *spec.args]
    static = any(
        isinstance(decorator, ast.Name) and decorator.id == "staticmethod"
        for decorator in function.decorator_list)
    if method and not static:
        plain = plain[1:]
    rest = [spec.vararg, *spec.kwonlyargs, spec.kwarg]
    return plain + [argument for argument in rest if argument is not None]
