"""One served pipeline: the life of a request, from its rows to its answer, its record and its shadow.

route each row → ask champion and challenger side by side → the champion answers what the challenger failed on
→ write the records → answer → put the shadowed requests to the challenger
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from retrain.log.parts import Arm
from retrain.log.segment import line
from retrain.log.writer import LogWriter
from retrain.serving.follower import Follower, Routing
from retrain.serving.invocation import Invocation, Refused, Reply, Row
from retrain.serving.labels import Label
from retrain.serving.options import Options
from retrain.serving.prometheus import STATES, Counters
from retrain.serving.protocols.base import Endpoint
from retrain.serving.router import entity_name, goes_to_challenger, is_shadowed, tossed
from retrain.serving.runtime import Answered, Failed, Result, Runner

SHADOWS_AT_ONCE = 64
STATUS = {"input": 400, "error": 500, "busy": 503, "timeout": 504}


@dataclass(frozen=True, slots=True)
class Asked:
    """What one arm made of one row: a line of the log."""

    row: int
    arm: Arm
    version: int
    result: Result
    seconds: float


@dataclass(frozen=True)
class ShadowRequest:
    """A request that the challenger also answers, unheard."""

    routing: Routing
    rows: list[Row]
    ids: list[str]


@dataclass
class ServedPipeline:
    """A pipeline as this gateway serves it.

    :param entity: the column that says whom a row is about, if the pipeline has one.
    :param entity_error: why that column is not known, if so.
    """

    name: str
    entity: str | None
    follower: Follower
    log: LogWriter
    counters: Counters
    options: Options
    entity_error: str | None = None
    _shadows: asyncio.Queue[ShadowRequest] = field(init=False)
    _shadowing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start following, logging and shadowing; in the event loop."""
        self._shadows = asyncio.Queue(self.options.shadow_rows)
        self._shadowing = asyncio.create_task(self._answer_shadows())
        self.log.start()
        self.follower.start()

    async def stop(self, patience: float) -> None:
        """Stop: nothing more is asked; the log is written and shipped."""
        self.follower.stop()
        if self._shadowing is not None:
            self._shadowing.cancel()
        await asyncio.to_thread(self.log.close, patience)

    @property
    def problems(self) -> list[str]:
        """What a person should know, whether or not answers still come."""
        log = self.log
        found = [self.entity_error, *self.follower.problems, log.orphan_error]
        if log.write_error:
            found.append(f"Predictions are not logged: {log.write_error}. The challenger gets no requests meanwhile.")
        if log.ship_error:
            found.append(f"The log does not reach the store, {log.unshipped:,} bytes wait here: {log.ship_error}")
        return [problem for problem in found if problem]

    # -- live requests ---------------------------------------------------------------------------------------

    @property
    def endpoint(self) -> Endpoint:
        """What callers meet now. Raises :class:`Refused` while there is no champion."""
        champion = self._routing().champion
        return Endpoint(self.name, champion.version, champion.model.signature)

    async def answer(self, invocation: Invocation) -> Reply:
        """Answer the rows of one request.

        :raises Refused: no champion, or rows that nobody could answer.
        """
        routing = self._routing()
        at = time.time_ns() // 1000
        arms = [self._arm(routing, row) for row in invocation.rows]
        asked = await self._ask(routing, invocation.rows, arms)
        final = {a.row: a for a in asked}  # the last word on a row is the fallback's
        answered = all(isinstance(a.result, Answered) for a in final.values())
        await self._record(routing, at, invocation.rows, invocation.ids, asked, served=answered)
        if not answered:
            raise self._refusal(invocation.ids, [final[row] for row in sorted(final)])
        outputs = [a.result.output for row in range(len(arms)) if isinstance((a := final[row]).result, Answered)]
        return Reply(outputs, invocation.ids, [final[row].version for row in range(len(arms))])

    def _routing(self) -> Routing:
        routing = self.follower.routing
        if routing is None:
            reason = " ".join(self.follower.problems) or "nothing was promoted yet, or its model is being loaded."
            raise Refused(
                f"Pipeline '{self.name}' has no champion to answer: {reason}",
                status=503,
                retry_after=5,
                do=f"see `retrain status {self.name}`; a first model is promoted by the first retraining.",
            )
        return routing

    def _arm(self, routing: Routing, row: Row) -> Arm:
        release, entity = routing.release, self._entity(row)
        if release.share <= 0 or not self.log.usable:
            return "champion"
        tried = tossed(release) if entity is None else goes_to_challenger(release, entity)
        return "challenger" if tried else "champion"

    def _entity(self, row: Row) -> str | None:
        return entity_name(row.get(self.entity)) if self.entity else None

    async def _ask(self, routing: Routing, rows: list[Row], arms: list[Arm]) -> list[Asked]:
        """Ask both arms at once."""
        champion = [row for row, arm in enumerate(arms) if arm == "champion"]
        challenger = [row for row, arm in enumerate(arms) if arm == "challenger"]
        if not challenger:
            return await self._ask_champion(routing, "champion", rows, champion)
        if not champion:
            return await self._ask_challenger(routing, rows, challenger)
        both = await asyncio.gather(
            self._ask_champion(routing, "champion", rows, champion), self._ask_challenger(routing, rows, challenger)
        )
        return [asked for arm in both for asked in arm]

    async def _ask_champion(
        self, routing: Routing, arm: Arm, rows: list[Row], chosen: list[int], began: float | None = None
    ) -> list[Asked]:
        return await self._ask_runner(routing.champion, arm, rows, chosen, self.options.champion_patience, began)

    async def _ask_challenger(self, routing: Routing, rows: list[Row], chosen: list[int]) -> list[Asked]:
        """Ask the challenger; what it fails on, the champion answers."""
        began = time.perf_counter()
        if routing.challenger is None:
            asked = _unloadable(routing, "challenger", chosen)
            self._observe(asked)
        else:
            patience = self.options.challenger_patience
            asked = await self._ask_runner(routing.challenger, "challenger", rows, chosen, patience)
        failed = [a.row for a in asked if isinstance(a.result, Failed)]
        if not failed:
            return asked
        self.counters.fallbacks.labels(self.name).inc(len(failed))
        return asked + await self._ask_champion(routing, "fallback", rows, failed, began)

    async def _ask_runner(
        self, runner: Runner, arm: Arm, rows: list[Row], chosen: list[int], patience: float, began: float | None = None
    ) -> list[Asked]:
        began = began or time.perf_counter()
        results = await runner.ask([rows[row] for row in chosen], patience)
        seconds = time.perf_counter() - began
        pairs = zip(chosen, results, strict=True)
        asked = [Asked(row, arm, runner.version, result, seconds) for row, result in pairs]
        self._observe(asked)
        return asked

    def _observe(self, asked: list[Asked]) -> None:
        first = asked[0]
        failures = [a.result.kind for a in asked if isinstance(a.result, Failed)]
        self.counters.observe(self.name, first.arm, first.version, first.seconds, failures, len(asked))

    async def _record(
        self, routing: Routing, at: int, rows: list[Row], ids: list[str], asked: list[Asked], *, served: bool
    ) -> None:
        lines = [self._line(routing, at, rows[a.row], ids[a.row], a, served=served) for a in asked]
        try:
            await self.log.append(lines)
        except OSError:
            self.counters.unlogged.labels(self.name).inc(len(rows))

    def _line(self, routing: Routing, at: int, row: Row, request_id: str, asked: Asked, *, served: bool) -> bytes:
        result = asked.result
        answered = isinstance(result, Answered)
        return line(
            "predictions",
            {
                "at": at,
                "id": request_id,
                "release": routing.number,
                "arm": asked.arm,
                "version": asked.version,
                "entity": self._entity(row),
                "inputs": row,
                "output": result.output if isinstance(result, Answered) else None,
                "score": result.score if isinstance(result, Answered) else None,
                "latency_ms": round(asked.seconds * 1000, 3),
                "error": result.error if isinstance(result, Failed) else None,
                "served": served and answered and asked.arm != "shadow",
            },
        )

    def _refusal(self, ids: list[str], final: list[Asked]) -> Refused:
        """Why there is no answer. MLflow's answer has no place for errors by row, so all rows go without."""
        failures = [(a.row, a.result) for a in final if isinstance(a.result, Failed)]
        row, first = failures[0]
        if all(failure.kind == "input" for _, failure in failures):
            status, do = 400, "correct the named rows and send the request again."
        else:
            worst = next(failure.kind for _, failure in failures if failure.kind != "input")
            status, do = STATUS[worst], "send the other rows without them; the gateway's log has the details."
        which = "The row" if len(final) == 1 else f"{len(failures)} of {len(final)} rows, the first being row {row},"
        return Refused(
            f"{which} could not be answered: {first.error}",
            status=status,
            do=do,
            retry_after=1 if status == 503 else None,
            rows=[row for row, _ in failures],
            ids=[ids[row] for row, _ in failures],
        )

    # -- shadows ---------------------------------------------------------------------------------------------

    def shadow(self, invocation: Invocation, reply: Reply) -> None:
        """Put rows that the champion answered to the challenger too, if their turn has come. Never waits."""
        routing = self.follower.routing
        if routing is None or not self.log.usable:
            return
        champions = [row for row, version in enumerate(reply.versions) if version == routing.champion.version]
        chosen = [row for row in champions if is_shadowed(routing.release, invocation.ids[row])]
        if not chosen:
            return
        rows, ids = [invocation.rows[row] for row in chosen], [invocation.ids[row] for row in chosen]
        try:
            self._shadows.put_nowait(ShadowRequest(routing, rows, ids))
        except asyncio.QueueFull:
            self.counters.shadows_dropped.labels(self.name).inc(len(chosen))

    async def _answer_shadows(self) -> None:
        while True:
            waiting = [await self._shadows.get()]
            while len(waiting) < SHADOWS_AT_ONCE and not self._shadows.empty():
                waiting.append(self._shadows.get_nowait())
            await asyncio.gather(*(self._answer_shadow(shadow) for shadow in waiting))

    async def _answer_shadow(self, shadow: ShadowRequest) -> None:
        at = time.time_ns() // 1000
        chosen = list(range(len(shadow.rows)))
        runner = shadow.routing.challenger
        if runner is None:
            asked = _unloadable(shadow.routing, "shadow", chosen)
        else:
            asked = await self._ask_runner(runner, "shadow", shadow.rows, chosen, self.options.challenger_patience)
        await self._record(shadow.routing, at, shadow.rows, shadow.ids, asked, served=False)

    # -- labels ----------------------------------------------------------------------------------------------

    async def take_labels(self, labels: list[Label]) -> None:
        """Write labels to the log. Raises :class:`Refused` if they cannot be written."""
        at = time.time_ns() // 1000
        lines = [line("labels", {"at": at, "id": label.id, "label": label.value}) for label in labels]
        try:
            await self.log.append(lines)
        except OSError as error:
            raise Refused(
                f"The labels were not taken: the log cannot be written ({error}).",
                status=503,
                retry_after=30,
                do="send them again later.",
            ) from None
        self.counters.labels.labels(self.name).inc(len(labels))

    # -- what is true now -----------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """The release as it is served here, for a person or a monitor."""
        routing = self.follower.routing
        release = routing.release if routing else None
        return {
            "pipeline": self.name,
            "release": routing.number if routing else None,
            "state": release.state if release else "idle",
            "champion": release.champion.version if release and release.champion else None,
            "challenger": release.challenger.version if release and release.challenger else None,
            "previous": release.previous.version if release and release.previous else None,
            "share": release.share if release else 0.0,
            "shadow": release.shadow if release else 0.0,
            "step": release.step if release else 0,
            "reason": release.reason if release else "",
            "entity": self.entity,
            "models_loaded": self.follower.models_loaded,
            "log_lag_seconds": round(self.log.lag, 3),
            "problems": self.problems,
        }

    def gauges(self) -> Iterator[tuple[str, str, dict[str, str], float]]:
        """What is true right now, for Prometheus."""
        labels = {"pipeline": self.name}
        routing = self.follower.routing
        release = routing.release if routing else None
        yield "retrain_release_number", "The release that routes.", labels, routing.number if routing else 0
        for state in STATES:
            standing = float(release is not None and release.state == state)
            yield "retrain_release_state", "1 for the state of the release.", {**labels, "state": state}, standing
        yield "retrain_challenger_share", "The challenger's share.", labels, release.share if release else 0.0
        yield "retrain_shadow_share", "The shadowed share.", labels, release.shadow if release else 0.0
        yield "retrain_models_loaded", "Models in memory.", labels, self.follower.models_loaded
        yield "retrain_log_lag_seconds", "How far the store is behind.", labels, self.log.lag
        yield "retrain_log_unshipped_bytes", "Log bytes only on this disk.", labels, self.log.unshipped
        yield "retrain_degraded", "1 while something is wrong.", labels, float(bool(self.problems))


def _unloadable(routing: Routing, arm: Arm, chosen: list[int]) -> list[Asked]:
    """A challenger that cannot be loaded fails on every row; so the canary sees it and rolls it back."""
    served = routing.release.challenger
    version = served.version if served else 0
    failure = Failed(f"version {version} cannot be loaded: {routing.challenger_error}")
    return [Asked(row, arm, version, failure, 0.0) for row in chosen]
