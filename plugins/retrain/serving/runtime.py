"""A loaded model and the one thread that asks it.

Requests that come while a call is under way wait together and are asked in one call afterwards (micro-batching with
no artificial delay): the busier the gateway, the larger the batches. Each model has a thread of its own, so a model
that hangs holds up nobody but its own callers, and those only for their patience.

One bad row fails alone: a batch that raises is halved until the offending requests, then rows, are found.
"""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from retrain.serving.invocation import Row

if TYPE_CHECKING:
    from retrain.model.model import Signature

BATCH_ROWS = 256
"""A batch takes no further request beyond this many rows; one request is never split."""

ISOLATING_CALLS = 64
"""Calls spent on finding the bad rows of one request; what is not separated then fails together."""

ERROR_LENGTH = 300

log = logging.getLogger(__name__)


class Answering(Protocol):
    """What is asked of a model; :class:`retrain.model.model.Model` is one."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""

    def frame(self, records: Sequence[Row]) -> Any:
        """JSON rows as the model's raw input."""

    def answer(self, frame: Any) -> Any:
        """``.output`` (per row what a caller gets) and ``.scores`` (per row a number)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A row's answer.

    :param score: P(positive class) or the predicted number; None where the task has no such number.
    """

    output: Any
    score: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A row without an answer, and whose fault that is."""

    error: str
    kind: Literal["error", "input", "timeout", "busy"] = "error"


Result = Answered | Failed


@dataclass(slots=True)
class _Job:
    rows: list[Row]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[Result]]


class Runner:
    """A model, its thread and its queue.

    :param version: its number in the ledger.
    :param waiting_rows: rows it may have before it, those it answers included. A request that would make them more is
        refused as ``busy``, unless there are none: sent away, a request larger than that would never be answered.
    """

    def __init__(self, model: Answering, version: int, *, waiting_rows: int) -> None:
        self.model = model
        self.version = version
        self.waiting_rows = waiting_rows
        self._waiting = 0
        self._busy_since: float | None = None
        self._closed = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"model-{version}", daemon=True)
        self._thread.start()

    async def ask(self, rows: list[Row], patience: float) -> list[Result]:
        """One result a row, in order, within ``patience`` seconds. Never raises for what a model does."""
        if (refused := self._refusal(len(rows), patience)) is not None:
            return [refused] * len(rows)
        loop = asyncio.get_running_loop()
        job = _Job(rows, loop, loop.create_future())
        self._waiting += len(rows)
        self._jobs.put(job)
        try:
            return await asyncio.wait_for(job.future, patience)
        except TimeoutError:
            return [_too_slow(self.version, patience)] * len(rows)
        finally:
            self._waiting -= len(rows)

    def close(self) -> None:
        """End the thread once its queue is done. A hanging call is left to itself."""
        self._closed = True
        self._jobs.put(None)

    def _refusal(self, rows: int, patience: float) -> Failed | None:
        if self._closed:
            return Failed(f"version {self.version} was unloaded", "busy")
        busy_since = self._busy_since
        if busy_since is not None and time.monotonic() - busy_since > patience:
            return _too_slow(self.version, patience)
        if self._waiting and self._waiting + rows > self.waiting_rows:
            return Failed(f"{self._waiting} rows already wait for version {self.version}", "busy")
        return None

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs = [job for job in (first, *self._more(len(first.rows))) if not job.future.done()]
            if not jobs:
                continue
            self._busy_since = time.monotonic()
            results = ask_together(self.model, [job.rows for job in jobs])
            self._busy_since = None
            with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
                jobs[0].loop.call_soon_threadsafe(_settle, jobs, results)

    def _more(self, rows: int) -> list[_Job]:
        """What else waits, without waiting for it, up to a batch."""
        found: list[_Job] = []
        while rows < BATCH_ROWS:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            found.append(job)
            rows += len(job.rows)
        return found


def ask_together(model: Answering, requests: list[list[Row]]) -> list[list[Result]]:
    """Ask the rows of several requests in one call; if that fails, find the requests that make it fail."""
    together = _ask(model, [row for rows in requests for row in rows])
    if isinstance(together, list):
        answers = iter(together)
        return [[next(answers) for _ in rows] for rows in requests]
    if len(requests) == 1:
        return [_isolate(model, requests[0], together)]
    half = len(requests) // 2
    return ask_together(model, requests[:half]) + ask_together(model, requests[half:])


def _isolate(model: Answering, rows: list[Row], failed: Failed) -> list[Result]:
    """Find the bad rows of a request that failed as a whole."""
    results: list[Result] = [failed] * len(rows)
    calls = ISOLATING_CALLS
    suspects = _halves(0, len(rows))
    while suspects and calls:
        begin, end = suspects.pop()
        calls -= 1
        found = _ask(model, rows[begin:end])
        if isinstance(found, list):
            results[begin:end] = found
        else:
            results[begin:end] = [found] * (end - begin)
            suspects += _halves(begin, end)
    return results


def _halves(begin: int, end: int) -> list[tuple[int, int]]:
    if end - begin < 2:
        return []
    middle = (begin + end) // 2
    return [(middle, end), (begin, middle)]


def _ask(model: Answering, rows: list[Row]) -> list[Result] | Failed:
    """One call. Whatever the model does, even trying to end the process, is a failure of these rows only."""
    try:
        frame = model.frame(rows)
    except BaseException as error:
        return Failed(_spelled(error), "input")
    try:
        answers = model.answer(frame)
        output, scores = list(answers.output), [float(score) for score in answers.scores]
    except BaseException as error:
        return Failed(_spelled(error))
    if len(output) != len(rows) or len(scores) != len(rows):
        return Failed(f"{len(rows)} rows were asked, {len(output)} answers came")
    if not all(map(_finite, output)):
        return Failed("an answer is NaN or infinite")
    return [Answered(o, s if math.isfinite(s) else None) for o, s in zip(output, scores, strict=True)]


def _finite(value: Any) -> bool:
    """No NaN, no infinity, anywhere in an answer."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return True


def _spelled(error: BaseException) -> str:
    what = getattr(error, "what", None) or f"{type(error).__name__}: {error}"
    text = " ".join(str(what).split())
    return text if len(text) <= ERROR_LENGTH else f"{text[: ERROR_LENGTH - 1]}…"


def _too_slow(version: int, patience: float) -> Failed:
    return Failed(f"version {version} gave no answer within {patience:g} s", "timeout")


def _settle(jobs: list[_Job], results: list[list[Result]]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if not job.future.done():
            job.future.set_result(result)
