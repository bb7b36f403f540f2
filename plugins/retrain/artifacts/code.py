"""Code that a result depends on and that is not ours: named by version or by hash, as a part of the result's identity.

Settings do not name what somebody else's code made of them. When the code is mended or upgraded, what it said before
is not found again: it is asked anew.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path


def imported(source: str) -> dict[str, str]:
    """The packages that some Python source imports: each installed one by its version, any other by its files' hash.

    :param source: code that can be parsed.
    """
    names = {name.partition(".")[0] for name in _imports(ast.parse(source))} - sys.stdlib_module_names
    return {name: _installed(name) or files(name) for name in sorted(names)}


def inputs(*modules: str | None) -> dict[str, dict[str, str]]:
    """What an identity has to hold of modules that are not ours: nothing, or ``code``.

    That is the hash of all Python files of their packages. A version is not enough here: what decides over releases
    is tried out, mended and tried again under one version.
    """
    names = {module.partition(".")[0] for module in modules if module} - {__package__.partition(".")[0]}
    return {"code": {name: files(name) for name in sorted(names)}} if names else {}


def files(package: str) -> str:
    """SHA-256 of a package's Python files, by name and content; empty if it has none."""
    found = hashlib.sha256()
    paths = list(_sources(package))
    for name, path in paths:
        found.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest() if paths else ""


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _sources(package: str) -> Iterator[tuple[str, Path]]:
    origin, folders = _places(package)
    if not folders and origin is not None and origin.suffix == ".py":
        yield origin.name, origin
    for folder in folders:
        yield from ((path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*.py")))


def _places(package: str) -> tuple[Path | None, list[Path]]:
    """The file of a module, and the folders of a package."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None, []
    if spec is None:
        return None, []
    origin = Path(spec.origin) if spec.origin and spec.has_location else None
    return origin, [Path(folder) for folder in spec.submodule_search_locations or ()]


def _installed(package: str) -> str | None:
    """The version of what is installed under that name; None of what merely lies on the path, or is edited in place."""
    origin, folders = _places(package)
    installed = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    where = [*folders, *([origin] if origin is not None else [])]
    if not any(place.is_relative_to(root) for place in where for root in installed):
        return None
    versions = [f"{name} {metadata.version(name)}" for name in sorted(set(_distributions().get(package, ())))]
    return ", ".join(versions) or None


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())
