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
from retrain.serving.protocols.base import Describe, HttpAnswer, Predict, Protocol

FOLDER = "retrain.serving.protocols"
GATEWAY = "the gateway itself"
NAMED = "environment variable RETRAIN_GATEWAY_PROTOCOLS"


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
    try:
        kind = extensions.find(FOLDER, name, Protocol)
    except UsageError as error:
        error.where = NAMED
        raise
    try:
        protocol: Protocol = kind()
    except Exception as error:  # whatever somebody's protocol raises
        raise _unusable(name, f"{type(error).__name__}: {error}", "let its class take no arguments") from error
    return protocol


def paths_of(name: str, protocol: Protocol) -> tuple[Predict | Describe, ...]:
    """The paths a protocol is spoken at.

    :raises UsageError: it does not say, or one of them is no path.
    """
    do = "let its `routes` return Predict and Describe, each with a path such as /pipelines/{name}/ask"
    try:
        found = tuple(protocol.routes())
    except Exception as error:  # whatever somebody's protocol raises
        raise _unusable(name, f"it does not say its paths: {type(error).__name__}: {error}", do) from error
    for one in found:
        if not isinstance(one, Predict | Describe) or not one.path.startswith("/"):
            raise _unusable(name, f"{one!r} is no path", do)
    return found


def _unusable(name: str, why: str, do: str) -> UsageError:
    return UsageError(f"The protocol '{name}' cannot be used: {why}.", where=NAMED, do=f"{do}, or leave it out.")


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
