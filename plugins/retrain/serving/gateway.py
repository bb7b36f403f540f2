"""The gateway over HTTP: MLflow's ``/invocations``, labels, health and metrics for many pipelines in one process.

    POST /invocations, /pipelines/{name}/invocations     predictions
    POST /labels, /pipelines/{name}/labels               what turned out, by request id
    GET  /pipelines, /pipelines/{name}                   what is served here
    GET  /health                                         200 ok or degraded; 503 when a pipeline has no champion
    GET  /ping                                           200 while the process lives
    GET  /metrics                                        Prometheus

The paths without a name work when exactly one pipeline is served. Errors are JSON: ``{"error": what, "do": …}``.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from retrain.errors import RetrainError, SpecError, UsageError
from retrain.log.writer import LogWriter
from retrain.serving.follower import Follower
from retrain.serving.metrics import CONTENT_TYPE, Metrics
from retrain.serving.models import store_loader
from retrain.serving.options import Options
from retrain.serving.pipeline import Pipeline
from retrain.serving.protocol import Refused, read_invocation, read_labels
from retrain.site import Site
from retrain.spec import FILE, Spec

STOP_SECONDS = 10.0
"""How long the log may take to reach the store when the gateway stops; the rest stays on this disk."""

VERSION_HEADER = "X-Retrain-Version"
Handler = Callable[[Request], Awaitable[Response]]

log = logging.getLogger(__name__)


class Gateway:
    """All pipelines served by this process.

    :param site: where store and ledgers are.
    :param names: the pipelines; empty for every folder that has a ``pipeline.yaml``.
    """

    def __init__(self, site: Site, names: tuple[str, ...], options: Options) -> None:
        self.options = options
        self.metrics = Metrics(self._gauges)
        names = names or pipelines_in(site.settings.pipelines)
        self.pipelines = {name: open_pipeline(site, name, options, self.metrics) for name in names}

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/invocations", self._handled("invocations", self._invoke), methods=["POST"]),
            Route("/pipelines/{name}/invocations", self._handled("invocations", self._invoke), methods=["POST"]),
            Route("/labels", self._handled("labels", self._label), methods=["POST"]),
            Route("/pipelines/{name}/labels", self._handled("labels", self._label), methods=["POST"]),
            Route("/pipelines", self._handled("pipelines", self._list), methods=["GET"]),
            Route("/pipelines/{name}", self._handled("pipelines", self._describe), methods=["GET"]),
            Route("/health", self._handled("health", self._health), methods=["GET"]),
            Route("/ping", self._handled("ping", self._ping), methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
        ]
        errors: Mapping[Any, Any] = {404: self._no_such_path, 405: self._no_such_path}
        return Starlette(routes=routes, lifespan=self._lifespan, exception_handlers=errors)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        for pipeline in self.pipelines.values():
            pipeline.start()
        try:
            yield
        finally:
            for pipeline in self.pipelines.values():
                await pipeline.stop(STOP_SECONDS)

    # -- routes ----------------------------------------------------------------------------------------------

    async def _invoke(self, request: Request) -> Response:
        pipeline = self._pipeline(request)
        invocation = read_invocation(await self._body(request), request.headers.get("x-request-id"))
        reply = await pipeline.answer(invocation)
        return _json(
            {"predictions": reply.outputs, "request_ids": reply.ids},
            headers={VERSION_HEADER: ",".join(str(version) for version in sorted(set(reply.versions)))},
            background=BackgroundTask(_shadow, pipeline, invocation),
        )

    async def _label(self, request: Request) -> Response:
        pipeline = self._pipeline(request)
        labels = read_labels(await self._body(request))
        await pipeline.take_labels(labels)
        return _json({"accepted": len(labels)})

    async def _list(self, request: Request) -> Response:
        return _json({"pipelines": [pipeline.describe() for pipeline in self.pipelines.values()]})

    async def _describe(self, request: Request) -> Response:
        return _json(self._pipeline(request).describe())

    async def _health(self, request: Request) -> Response:
        problems = {name: pipeline.problems for name, pipeline in self.pipelines.items()}
        silent = {n: p.follower.problems for n, p in self.pipelines.items() if p.follower.routing is None}
        status = "unavailable" if silent else "degraded" if any(problems.values()) else "ok"
        body = {"status": status, "without_champion": silent, "problems": {n: p for n, p in problems.items() if p}}
        return _json(body, status=503 if silent else 200, headers={"Retry-After": "5"} if silent else {})

    async def _ping(self, request: Request) -> Response:
        return _json({"status": "alive"})

    async def _metrics(self, request: Request) -> Response:
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def _no_such_path(self, request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        return _refusal(
            Refused(
                f"{request.method} {request.url.path} is nothing this gateway answers.",
                status=status,
                do="use POST /pipelines/{name}/invocations, POST /pipelines/{name}/labels, GET /pipelines, "
                "GET /health or GET /metrics.",
            )
        )

    # -- what they share -------------------------------------------------------------------------------------

    def _handled(self, route: str, handler: Handler) -> Handler:
        """Turn every failure into a JSON answer, and count answers."""

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except Refused as refused:
                response = _refusal(refused)
            except ClientDisconnect:
                response = Response(status_code=400)
            except Exception:
                log.exception("%s %s failed unexpectedly.", request.method, request.url.path)
                response = _refusal(
                    Refused("The gateway failed on this request.", status=500, do="see the gateway's log.")
                )
            self.metrics.responses.labels(route, str(response.status_code)).inc()
            return response

        return handle

    def _pipeline(self, request: Request) -> Pipeline:
        name = request.path_params.get("name")
        served = ", ".join(self.pipelines) or "none"
        if name is None:
            if len(self.pipelines) == 1:
                return next(iter(self.pipelines.values()))
            raise Refused(
                f"This gateway serves {len(self.pipelines)} pipelines ({served}); the path names none.",
                status=404,
                do=f"use /pipelines/{{name}}{request.url.path}.",
            )
        if name not in self.pipelines:
            raise Refused(
                f"There is no pipeline '{name:.100}' here.",
                status=404,
                do=f"use one of: {served}. A new pipeline is served after the gateway was restarted.",
            )
        return self.pipelines[name]

    async def _body(self, request: Request) -> bytes:
        """The request's body; no more of it is read than is allowed."""
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(
                f"The content type is {kind[:100]}.", status=415, do="send JSON with Content-Type: application/json."
            )
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
        return b"".join(chunks)

    def _gauges(self) -> list[tuple[str, str, dict[str, str], float]]:
        return [gauge for pipeline in self.pipelines.values() for gauge in pipeline.gauges()]


def open_pipeline(site: Site, name: str, options: Options, metrics: Metrics) -> Pipeline:
    """Everything that serves one pipeline, not started yet.

    A pipeline whose ``pipeline.yaml`` is broken is served all the same: who answers stands in the ledger. Only the
    entity column is unknown then, so its requests are routed by request id, and ``/health`` says so.

    :raises UsageError: if there is neither a folder nor a ledger of that name.
    """
    home = site.settings.home / "gateway"
    entity, error = _entity(site, name)
    ledger = site.ledger(name)
    return Pipeline(
        name=name,
        entity=entity,
        spec_error=error,
        follower=Follower(
            ledger, store_loader(site.store, home / "models"), home / "releases" / f"{name}.json", options
        ),
        log=LogWriter(site.store, name, home / "segments" / name, options),
        metrics=metrics,
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


def _entity(site: Site, name: str) -> tuple[str | None, str | None]:
    folder = site.settings.pipelines / name
    if not (folder / FILE).is_file() and not (site.settings.home / "gateway" / "releases" / f"{name}.json").is_file():
        raise UsageError(
            f"There is no pipeline '{name}'.",
            where=folder / FILE,
            do="correct the name, or point RETRAIN_PIPELINES at the folder that holds it.",
        )
    try:
        return Spec.load(folder).source.entity, None
    except (RetrainError, OSError) as error:
        log.error("%s", error)
        what = error.what if isinstance(error, SpecError) else str(error)
        return None, f"pipeline.yaml cannot be read, so requests are routed by their ids, not by entity: {what}"


async def _shadow(pipeline: Pipeline, invocation: Any) -> None:
    pipeline.shadow(invocation)


def _too_large(limit: int) -> Refused:
    return Refused(
        f"The body is larger than {limit:,} bytes.",
        status=413,
        do="send fewer rows at once, or raise RETRAIN_GATEWAY_BODY_BYTES.",
    )


def _refusal(refused: Refused) -> Response:
    headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
    return Response(refused.to_json(), refused.status, headers=headers, media_type="application/json")


def _json(
    content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None, background: Any = None
) -> Response:
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, headers=headers, media_type="application/json", background=background)
