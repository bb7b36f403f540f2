"""Kinds of things that a pipeline names: ours, or brought by anybody's package.

A source, gate, metric, target, protocol, alert sender or drift distance is named in ``pipeline.yaml`` (a protocol in
the gateway's options) in one of three ways, looked for in this order:

1. an import path, ``package.module:Name`` or ``package.module.Name``;
2. one of ours: the file ``<name>.py`` in the folder of that kind, which defines ``Name`` (``open_inference`` →
   ``OpenInference``), or, of a kind that has one, the entry of its registry;
3. the name of an entry point in the group of that folder, e.g. ``retrain.gates``.

A name of ours cannot be taken by an entry point: what ``change`` means does not depend on what else is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from typing import Any, TypeVar

from retrain.errors import UsageError

T = TypeVar("T")

NOT_KINDS = frozenset({"base", "events"})
"""Files of a kind's folder that hold what the others share; so does every file whose name begins with ``_``."""


class UnknownKind(UsageError, ValueError):
    """Nobody brings a thing of that name, or it cannot be imported or used, or it is not what it should be.

    A ``ValueError`` too, so that a validator of ``pipeline.yaml`` may let it pass: the mistake is then located.
    """


def find(
    folder: str, name: str, expected: type | str | None = None, *, registry: Mapping[str, Any] | None = None
) -> Any:
    """The thing that a name means.

    :param folder: the package of its kind, e.g. ``retrain.gates``; also the name of the entry points' group.
    :param expected: the class it has to be a subclass of or, if there is a registry, an instance of; a name means the
        class of that name in the folder's ``base.py``.
    :param registry: name → one of ours, of a kind whose things are small instances that stand in one file.
    :raises UnknownKind: there is none, it cannot be imported, it is something else, or it lacks a method.
    """
    found = _imported(folder, name, registry)
    kind = _attribute(f"{folder}.base", expected, expected) if isinstance(expected, str) else expected
    if kind is None:
        return found
    fits = _is_subclass(found, kind) if registry is None else isinstance(found, kind)
    if not fits:
        wanted = f"{'a subclass' if registry is None else 'an instance'} of {kind.__name__}"
        raise UnknownKind(
            f"'{name}' is {_spelled(found)}, not {wanted}.",
            do=f"name {wanted} ({kind.__module__}), or correct the import path.",
        )
    if inspect.isabstract(found):
        lacking = ", ".join(f"`{each}`" for each in sorted(found.__abstractmethods__))
        raise UnknownKind(
            f"'{name}' is not whole: its class lacks {lacking}.",
            do=f"define what it lacks; {kind.__module__} says what is expected of it.",
        )
    return found


def used(name: str, call: Callable[[], T]) -> T:
    """What a call of somebody's code comes to.

    :param name: of the kind whose code it is.
    :raises ValueError: as the code raised it, e.g. pydantic's ``ValidationError``: it says what is wrong itself.
    :raises UnknownKind: it raised anything else.
    """
    try:
        return call()
    except ValueError:
        raise
    except Exception as error:
        said = str(error).partition("\n")[0].rstrip(".")
        raise UnknownKind(
            f"'{name}' cannot be used: {type(error).__name__}: {said}.",
            do="mend its class, or name another.",
        ) from error


def names(folder: str, registry: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Every name known in a folder: ours first, then those of entry points."""
    known = ours(folder) if registry is None else tuple(registry)
    return (*known, *sorted({point.name for point in metadata.entry_points(group=folder)} - set(known)))


def home(folder: str, name: str, registry: Mapping[str, Any] | None = None) -> str | None:
    """The module that a name which is not ours is looked for in; None of ours, and of one nobody brings."""
    if ":" in name or "." in name:
        return name.partition(":")[0] if ":" in name else name.rpartition(".")[0]
    if name in (registry if registry is not None else ours(folder)):
        return None
    return next((point.module for point in metadata.entry_points(group=folder, name=name)), None)


@cache
def ours(folder: str) -> tuple[str, ...]:
    """The names of the kinds in a folder that are ours, without importing them."""
    spec = importlib.util.find_spec(folder)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    found = (module.name for module in pkgutil.iter_modules(places))
    return tuple(sorted(name for name in found if name not in NOT_KINDS and not name.startswith("_")))


def _imported(folder: str, name: str, registry: Mapping[str, Any] | None) -> Any:
    if ":" in name or "." in name:
        module, _, attribute = name.partition(":") if ":" in name else name.rpartition(".")
        return _attribute(module, attribute, name)
    if registry is not None and name in registry:
        return registry[name]
    if registry is None and name.isidentifier() and name in ours(folder):
        return _attribute(f"{folder}.{name}", "".join(part.title() for part in name.split("_")), name)
    points = tuple(metadata.entry_points(group=folder, name=name))
    if len(points) > 1:
        packages = ", ".join(str(point.value) for point in points)
        raise UnknownKind(f"Several packages bring a '{name}': {packages}.", do="name the one you mean by import path.")
    if points:
        return _attribute(points[0].module, points[0].attr, name)
    from difflib import get_close_matches  # most names are known

    known = names(folder, registry)
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    raise UnknownKind(
        f"There is no '{name}' among {folder.rpartition('.')[2]}.",
        do=f"{hint}use one of {', '.join(known) or 'none so far'}, or an import path such as package.module:Name.",
    )


def _attribute(module: str, attribute: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # whatever somebody's module does when it is imported
        raise UnknownKind(
            f"'{name}' cannot be imported: {type(error).__name__}: {error}.",
            do="correct the import path, or install the package that brings it where this runs.",
        ) from error


def _is_subclass(found: Any, expected: type) -> bool:
    return isinstance(found, type) and issubclass(found, expected)


def _spelled(found: Any) -> str:
    return f"the class {found.__qualname__}" if isinstance(found, type) else f"of type {type(found).__name__}"
