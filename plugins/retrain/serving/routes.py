"""Which path leads where: the gateway's own routes and those of its protocols, no path claimed twice."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations

from starlette.requests import Request
from starlette.responses import Response

from retrain import extensions
from retrain.errors import UsageError
from retrain.serving.invocation import Refused
from retrain.serving.protocols.base import HttpAnswer, Protocol

FOLDER = "retrain.serving.protocols"
GATEWAY = "the gateway itself"


@dataclass(frozen=True)
class Route:
    """A path of this gateway.

    :param owner: whose it is: :data:`GATEWAY`, or a protocol's name.
    :param name: how it is counted.
    :param handle: answers, or raises :class:`Refused`.
    :param refuse: words a refusal.
    """

    owner: str
    name: str
    method: str
    path: str
    handle: Callable[[Request], Awaitable[Response]]
    refuse: Callable[[Refused], HttpAnswer]


def open_protocols(named: Sequence[str]) -> dict[str, Protocol]:
    """Ours, and those that are named, by name.

    :param named: names of entry points, or import paths.
    :raises UsageError: there is no such protocol, or it lacks something.
    """
    return {name: _open(name) for name in dict.fromkeys([*extensions.ours(FOLDER), *named])}


def _open(name: str) -> Protocol:
    kind = extensions.find(FOLDER, name, Protocol)
    try:
        protocol: Protocol = kind()
    except Exception as error:
        raise UsageError(
            f"The protocol '{name}' cannot be used: {type(error).__name__}: {error}.",
            do="name a subclass of retrain.serving.protocols.base.Protocol that is whole and takes no arguments.",
        ) from error
    return protocol


def require_distinct(routes: Sequence[Route]) -> None:
    """Raise :class:`UsageError` if one request could be for two owners."""
    for one, other in combinations(routes, 2):
        if one.owner != other.owner and one.method == other.method and _overlap(one.path, other.path):
            raise UsageError(
                f"{other.method} {other.path} of {_spelled(other)} is also {one.path} of {_spelled(one)}.",
                do="leave one of them out of RETRAIN_GATEWAY_PROTOCOLS, or give it other paths.",
            )


def _overlap(one: str, other: str) -> bool:
    """Can one path match both? ``{…}`` stands for anything without a slash."""
    parts, others = _patterns(one), _patterns(other)
    return len(parts) == len(others) and all(
        fnmatchcase(part, opposite) or fnmatchcase(opposite, part) for part, opposite in zip(parts, others, strict=True)
    )


def _patterns(path: str) -> list[str]:
    return re.sub(r"\{[^}]*\}", "*", path).split("/")


def _spelled(route: Route) -> str:
    return route.owner if route.owner == GATEWAY else f"the protocol '{route.owner}'"
