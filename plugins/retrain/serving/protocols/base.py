"""What a protocol is.

A protocol knows its routes, reads requests, writes answers, and words refusals in its own form. All else is the
gateway's, the same for every protocol: it finds the pipeline, limits the body, routes between champion and
challenger, logs, counts, shadows, and adds the headers ``X-Retrain-Version`` and ``Retry-After``.

A protocol of your own is a subclass of :class:`Protocol` without constructor arguments, named by its import path or
by an entry point of the group ``retrain.serving.protocols`` in ``RETRAIN_GATEWAY_PROTOCOLS``. One object serves all
pipelines. It is called in the gateway's event loop, so it must not wait for anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from retrain.serving.invocation import Invocation, Refused, Reply, request_id, row_ids, shown

if TYPE_CHECKING:
    from retrain.model.model import Signature

__all__ = [
    "Describe",
    "Endpoint",
    "Endpoints",
    "HttpAnswer",
    "HttpRequest",
    "Invocation",
    "Predict",
    "Protocol",
    "Refused",
    "Reply",
    "request_id",
    "row_ids",
    "shown",
]


@dataclass(frozen=True)
class HttpRequest:
    """A request whose body is read.

    :param path: what stands in the route's ``{…}``, by name.
    :param headers: upper and lower case are the same.
    """

    path: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def content_type(self) -> str | None:
        """The media type without its parameters, in lower case; None if the caller does not say."""
        given = self.headers.get("content-type")
        return None if given is None else given.partition(";")[0].strip().lower()

    @property
    def request_id(self) -> str | None:
        """The header X-Request-Id."""
        return self.headers.get("x-request-id")

    def json(self, example: str) -> dict[str, Any]:
        """The body, a JSON object.

        :param example: what a caller should send instead of something else.
        :raises Refused: with status 415 for another content type, with 400 for what is no JSON object.
        """
        if self.content_type not in {None, "application/json"}:
            raise Refused(
                f"The content type is {(self.content_type or '')[:100]}.",
                status=415,
                do="send JSON with Content-Type: application/json.",
            )
        try:
            content = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Refused(
                f"The body is not JSON: {error}.", do="JSON has no NaN or Infinity; send null for a missing value."
            ) from None
        if not isinstance(content, dict):
            raise Refused(f"The body is {shown(content)}, not a JSON object.", do=example)
        return content


@dataclass(frozen=True)
class HttpAnswer:
    """A response's body and headers; its status is 200, or that of the refusal."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, content: Any) -> HttpAnswer:
        """A JSON body."""
        return cls(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), "application/json")


@dataclass(frozen=True)
class Endpoint:
    """A pipeline as callers meet it now.

    :param pipeline: its name.
    :param version: its champion.
    :param signature: what the champion takes and gives.
    """

    pipeline: str
    version: int
    signature: Signature


Endpoints = Mapping[str, Endpoint | None]
"""All pipelines served here by name; None for one without a champion."""


@dataclass(frozen=True)
class Predict:
    """A route that rows are posted to.

    :param name: how it is counted in ``/metrics``.
    :param path: ``{name}`` in it is the pipeline; a path without it works where one pipeline is served.
    """

    name: str
    path: str


@dataclass(frozen=True)
class Describe:
    """A route that tells, by GET, what is served here.

    :param name, path: see :class:`Predict`; a pipeline named in the path is one of the endpoints.
    :param tell: makes the answer; may raise :class:`~retrain.serving.invocation.Refused`.
    """

    name: str
    path: str
    tell: Callable[[HttpRequest, Endpoints], HttpAnswer]


class Protocol(ABC):
    """How callers ask a gateway, and how it answers."""

    @abstractmethod
    def routes(self) -> Sequence[Predict | Describe]:
        """The paths it is spoken at."""

    @abstractmethod
    def read(self, request: HttpRequest, endpoint: Endpoint) -> Invocation:
        """What a request asks.

        :param endpoint: whom it asks.
        :raises Refused: it cannot be read.
        """

    @abstractmethod
    def write(self, invocation: Invocation, reply: Reply) -> HttpAnswer:
        """The answer to what was read. It is logged as given by then, so nothing can be refused any more."""

    @abstractmethod
    def refuse(self, refused: Refused) -> HttpAnswer:
        """Why there is none: the caller's mistake or the gateway's trouble, in this protocol's form."""
