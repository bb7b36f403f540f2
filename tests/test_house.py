"""The house's own rules that no linter knows: how long things may be, and that what a docstring names is there."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import retrain

PACKAGE = Path(retrain.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FUNCTION, LONGEST_FILE = 50, 400

REFERENCE = re.compile(r":(?:mod|class|func|meth|data|attr|exc):`~?([\w.]+)`")
RAISED = re.compile(r":raises ([\w., ]+):")
EXPLAINED = re.compile(r":param ([\w, ]+):")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_function_and_no_file_is_too_long() -> None:
    functions = {f"{shown(file)}:{node.lineno} {node.name}" for file, node in functions_of_all() if is_long(node)}
    files = {shown(file) for file in FILES if len(file.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE}
    assert (functions, files) == (set(), set())


def test_what_a_docstring_refers_to_is_there() -> None:
    lost = {
        f"{shown(file)}:{line} {name}"
        for file in FILES
        for line, prose in prose_of(file)
        for name in REFERENCE.findall(prose)
        if not means_something(name, file)
    }
    assert lost == set()


def test_what_a_docstring_says_is_raised_exists() -> None:
    known = {node.name for file in FILES for node in ast.walk(parsed(file)) if isinstance(node, ast.ClassDef)}
    known |= set(vars(builtins))
    lost = {
        f"{shown(file)}:{line} {name}"
        for file in FILES
        for line, prose in prose_of(file)
        for several in RAISED.findall(prose)
        for name in several.split(", ")
        if name not in known and not is_there(name)
    }
    assert lost == set()


def test_a_parameter_that_a_docstring_explains_is_there() -> None:
    lost = {
        f"{shown(file)}:{node.lineno} {name}"
        for file in FILES
        for node in ast.walk(parsed(file))
        if isinstance(node, (*FUNCTIONS, ast.ClassDef))
        for several in EXPLAINED.findall(ast.get_docstring(node) or "")
        for name in several.split(", ")
        if name not in parameters_of(node)
    }
    assert lost == set()


# -- reading the source ------------------------------------------------------------------------------------------


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def shown(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def functions_of_all() -> Iterator[tuple[Path, Any]]:
    for file in FILES:
        yield from ((file, node) for node in ast.walk(parsed(file)) if isinstance(node, FUNCTIONS))


def is_long(node: Any) -> bool:
    return bool(node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION)


def prose_of(file: Path) -> Iterator[tuple[int, str]]:
    """Every docstring of a file, of constants too, with the line where it begins."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def means_something(name: str, file: Path) -> bool:
    """Is it a path to something, or something this file defines or imports?"""
    return is_there(name) or name.partition(".")[0] in names_in(file)


@cache
def names_in(file: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return frozenset(found)


def is_there(path: str) -> bool:
    """Is there such a module, or such a thing in a module?"""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:length]))
        except ImportError:
            continue
        return all((found := getattr(found, part, None)) is not None for part in parts[length:])
    return False


def parameters_of(node: Any) -> set[str]:
    """What a docstring may explain: a function's arguments; a class's fields and its constructor's arguments."""
    if isinstance(node, ast.ClassDef):
        annotated = (one.target for one in node.body if isinstance(one, ast.AnnAssign))
        fields = {target.id for target in annotated if isinstance(target, ast.Name)}
        made = (one for one in node.body if isinstance(one, FUNCTIONS) and one.name == "__init__")
        return fields.union(*(parameters_of(one) for one in made))
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return {one.arg for one in every if one is not None}
