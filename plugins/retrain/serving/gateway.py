"""The gateway over HTTP: predictions, labels, health and metrics for many pipelines in one process.

    POST …                                               predictions: the paths of each protocol
    POST /labels, /pipelines/{name}/labels               what turned out, by request id
    GET  /pipelines, /pipelines/{name}                   what is served here
    GET  /health                                         200 ok or degraded; 503 when a pipeline has no champion
    GET  /ping                                           200 while the process lives
    GET  /metrics                                        Prometheus

The paths without a name work when exactly one pipeline is served. Errors are JSON, ``{"error": what, "do": …}``, or
have the form of the protocol whose path it is.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from starlette import routing
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from retrain.errors import SpecError, UsageError
from retrain.log.writer import LogWriter
from retrain.serving.entity import entity_column
from retrain.serving.follower import Follower
from retrain.serving.home import require_writable
from retrain.serving.invocation import Invocation, Refused, Reply
from retrain.serving.labels import read_labels
from retrain.serving.models import store_loader
from retrain.serving.options import Options
from retrain.serving.pipeline import ServedPipeline
from retrain.serving.prometheus import CONTENT_TYPE, Counters
from retrain.serving.protocols.base import Describe, HttpAnswer, HttpRequest, Predict, Protocol
from retrain.serving.routes import GATEWAY, Route, open_protocols, paths_of, require_distinct
from retrain.site import Site
from retrain.spec import FILE

STOP_SECONDS = 10.0
"""How long the log may take to reach the store when the gateway stops; the rest stays on this disk."""

VERSION_HEADER = "X-Retrain-Version"

log = logging.getLogger(__name__)


class Gateway:
    """All pipelines served by this process.

    :param site: where store and ledgers are.
    :param names: the pipelines; empty for every folder that has a ``pipeline.yaml``.
    :raises UsageError: there is no such pipeline or protocol, or two protocols claim one path.
    """

    def __init__(self, site: Site, names: tuple[str, ...], options: Options) -> None:
        self.options = options
        self.counters = Counters(self._gauges)
        self.routes = [*self._own_routes(), *self._spoken(open_protocols(options.protocols))]
        require_distinct(self.routes)
        names = names or pipelines_in(site.settings.pipelines)
        self.pipelines = {name: open_pipeline(site, name, options, self.counters) for name in names}

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [routing.Route(r.path, partial(self._answer, r), methods=[r.method]) for r in self.routes]
        errors: Mapping[Any, Any] = {404: self._no_such_path, 405: self._no_such_path}
        return Starlette(routes=routes, lifespan=self._lifespan, exception_handlers=errors)

    def _own_routes(self) -> list[Route]:
        own: list[tuple[str, str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("labels", "POST", "/labels", self._label),
            ("labels", "POST", "/pipelines/{name}/labels", self._label),
            ("pipelines", "GET", "/pipelines", self._list),
            ("pipelines", "GET", "/pipelines/{name}", self._describe),
            ("health", "GET", "/health", self._health),
            ("ping", "GET", "/ping", self._ping),
            ("metrics", "GET", "/metrics", self._metrics),
        ]
        return [Route(GATEWAY, *what, refuse=_own_refusal) for what in own]

    def _spoken(self, protocols: Mapping[str, Protocol]) -> list[Route]:
        found = []
        for owner, protocol in protocols.items():
            for route in paths_of(owner, protocol):
                if isinstance(route, Predict):
                    method, handle = "POST", partial(self._predict, protocol)
                else:
                    method, handle = "GET", partial(self._tell, route)
                found.append(Route(owner, route.name, method, route.path, handle, protocol.refuse))
        return found

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        for pipeline in self.pipelines.values():
            pipeline.start()
        try:
            yield
        finally:
            for pipeline in self.pipelines.values():
                await pipeline.stop(STOP_SECONDS)

    # -- a request's way -------------------------------------------------------------------------------------

    async def _answer(self, route: Route, request: Request) -> Response:
        """Answer, or say why not in the route's own form; and count it."""
        try:
            response = await route.handle(request)
        except Refused as refused:
            response = _refusal(route, refused)
        except ClientDisconnect:
            response = Response(status_code=400)
        except Exception:
            log.exception("%s %s failed unexpectedly.", request.method, request.url.path)
            failed = Refused("The gateway failed on this request.", status=500, do="see the gateway's log.")
            response = _refusal(route, failed)
        self.counters.responses.labels(route.name, str(response.status_code)).inc()
        return response

    async def _predict(self, protocol: Protocol, request: Request) -> Response:
        pipeline = self._pipeline(request)
        invocation = protocol.read(await self._read(request), pipeline.endpoint)
        reply = await pipeline.answer(invocation)
        response = _response(protocol.write(invocation, reply))
        response.headers[VERSION_HEADER] = ",".join(str(version) for version in sorted(set(reply.versions)))
        response.background = BackgroundTask(_shadow, pipeline, invocation, reply)
        return response

    def _pipeline(self, request: Request) -> ServedPipeline:
        name = request.path_params.get("name")
        served = ", ".join(self.pipelines) or "none"
        if name is None:
            if len(self.pipelines) == 1:
                return next(iter(self.pipelines.values()))
            raise Refused(
                f"This gateway serves {len(self.pipelines)} pipelines ({served}); the path names none.",
                status=404,
                do=f"name one in the path: {self._paths(named=True)}.",
            )
        if name not in self.pipelines:
            raise Refused(
                f"There is no pipeline '{name:.100}' here.",
                status=404,
                do=f"use one of: {served}. A new pipeline is served after the gateway was restarted.",
            )
        return self.pipelines[name]

    async def _read(self, request: Request) -> HttpRequest:
        """The request with its body; no more of it is read than is allowed."""
        limit = self.options.body_bytes
        size = request.headers.get("content-length", "0")
        if size.isdigit() and int(size) > limit:
            raise _too_large(limit)
        chunks, received = [], 0
        async for chunk in request.stream():
            chunks.append(chunk)
            received += len(chunk)
            if received > limit:
                raise _too_large(limit)
        return HttpRequest(request.path_params, request.headers, b"".join(chunks))

    # -- what else can be asked ------------------------------------------------------------------------------

    async def _tell(self, route: Describe, request: Request) -> Response:
        if "name" in request.path_params:
            self._pipeline(request)
        served = {name: p.endpoint if p.follower.routing else None for name, p in self.pipelines.items()}
        return _response(route.tell(HttpRequest(request.path_params, request.headers), served))

    async def _label(self, request: Request) -> Response:
        pipeline = self._pipeline(request)
        labels = read_labels(await self._read(request))
        await pipeline.take_labels(labels)
        return _json({"accepted": len(labels)})

    async def _list(self, _request: Request) -> Response:
        return _json({"pipelines": [pipeline.describe() for pipeline in self.pipelines.values()]})

    async def _describe(self, request: Request) -> Response:
        return _json(self._pipeline(request).describe())

    async def _health(self, _request: Request) -> Response:
        problems = {name: pipeline.problems for name, pipeline in self.pipelines.items()}
        silent = {n: p.follower.problems for n, p in self.pipelines.items() if p.follower.routing is None}
        status = "unavailable" if silent else "degraded" if any(problems.values()) else "ok"
        body = {"status": status, "without_champion": silent, "problems": {n: p for n, p in problems.items() if p}}
        return _json(body, status=503 if silent else 200, headers={"Retry-After": "5"} if silent else {})

    async def _ping(self, _request: Request) -> Response:
        return _json({"status": "alive"})

    async def _metrics(self, _request: Request) -> Response:
        return Response(self.counters.text(), media_type=CONTENT_TYPE)

    async def _no_such_path(self, request: Request, error: Exception) -> Response:
        what = f"{request.method} {request.url.path} is nothing this gateway answers."
        refused = Refused(what, status=getattr(error, "status_code", 404), do=f"use one of {self._paths()}.")
        return _response(_own_refusal(refused), refused.status)

    def _paths(self, *, named: bool = False) -> str:
        """The paths of this gateway; only those that name a pipeline, if so."""
        return ", ".join(f"{r.method} {r.path}" for r in self.routes if "{name}" in r.path or not named)

    def _gauges(self) -> list[tuple[str, str, dict[str, str], float]]:
        return [gauge for pipeline in self.pipelines.values() for gauge in pipeline.gauges()]


def open_pipeline(site: Site, name: str, options: Options, counters: Counters) -> ServedPipeline:
    """Everything that serves one pipeline, not started yet.

    A pipeline whose ``pipeline.yaml`` is broken is served all the same: who answers stands in the ledger. If not even
    the entity column can be read there, each of its rows is routed by itself, and ``/health`` says so.

    :raises UsageError: if there is neither a folder nor a ledger of that name.
    :raises GatewayError: if it may not write into its home.
    """
    home = site.settings.home / "gateway"
    require_writable(home)
    memory, models, segments = home / "releases" / f"{name}.json", home / "models", home / "segments" / name
    folder = site.settings.pipelines / name
    if not (folder / FILE).is_file() and not memory.is_file():
        raise UsageError(
            f"There is no pipeline '{name}'.",
            where=folder / FILE,
            do="correct the name, or point RETRAIN_PIPELINES at the folder that holds it.",
        )
    for own in (memory.parent, models, segments):
        require_writable(own)
    entity, entity_error = _entity(folder)
    return ServedPipeline(
        name=name,
        entity=entity,
        entity_error=entity_error,
        follower=Follower(site.ledger(name), store_loader(site.store, models), memory, options),
        log=LogWriter(site.store, name, segments, options),
        counters=counters,
        options=options,
    )


def pipelines_in(folder: Path) -> tuple[str, ...]:
    """The names of all pipelines in a folder. Raises :class:`~retrain.errors.UsageError` if there are none."""
    names = tuple(sorted(file.parent.name for file in folder.glob(f"*/{FILE}")))
    if not names:
        raise UsageError(
            "There is no pipeline to serve.",
            where=folder,
            do="name a folder with pipelines in RETRAIN_PIPELINES, or make one with `retrain init`.",
        )
    return names


def _entity(folder: Path) -> tuple[str | None, str | None]:
    """The entity column, and why it is not known, if so."""
    try:
        return entity_column(folder), None
    except (SpecError, OSError) as error:
        log.error("%s", error)
        what = error.what if isinstance(error, SpecError) else str(error)
        return None, f"pipeline.yaml cannot be read, so each row is routed by itself, not by entity: {what}"


async def _shadow(pipeline: ServedPipeline, invocation: Invocation, reply: Reply) -> None:
    pipeline.shadow(invocation, reply)


def _too_large(limit: int) -> Refused:
    return Refused(
        f"The body is larger than {limit:,} bytes.",
        status=413,
        do="send fewer rows at once, or raise RETRAIN_GATEWAY_BODY_BYTES.",
    )


def _refusal(route: Route, refused: Refused) -> Response:
    try:
        answer = route.refuse(refused)
    except Exception:
        log.exception("The protocol '%s' cannot word a refusal.", route.owner)
        answer = _own_refusal(refused)
    response = _response(answer, refused.status)
    if refused.retry_after:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


def _own_refusal(refused: Refused) -> HttpAnswer:
    return HttpAnswer(refused.to_json(), "application/json")


def _response(answer: HttpAnswer, status: int = 200) -> Response:
    return Response(answer.body, status, headers=answer.headers, media_type=answer.content_type)


def _json(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    answer = HttpAnswer.json(content)
    return Response(answer.body, status, headers=headers, media_type=answer.content_type)
