"""Runs of claims, side by side in processes of their own, which end with this one.

Run ``k`` of a claim is given the random numbers of ``[seed, k]``, whichever process it falls to, so a figure depends on
seed and number of runs alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from retrain.audit.claim import Claim
from retrain.audit.measured import Measured, measured
from retrain.audit.suite import named
from retrain.child import die_with
from retrain.errors import RetrainError

CHEAP = 0.5
"""Seconds; a run that takes longer is dear."""

RUNS, DEAR_RUNS = 2000, 200
"""How often a claim is run unless somebody says otherwise."""

BATCH_SECONDS = 2.0
"""About so long works a process before it says what came of it."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")


@dataclass(frozen=True)
class Batch:
    """Some runs of one claim: those from ``first`` on, up to ``end``."""

    claim: Claim
    first: int
    end: int


@dataclass(frozen=True)
class Done:
    """What came of a batch.

    :param broke: what a run raised; those after it were not begun.
    """

    values: tuple[float, ...]
    seconds: float
    broke: str | None = None


Told = Callable[[Batch, Done], None]

Known = Callable[[Batch], Done | None]


def nothing(_batch: Batch) -> None:
    """No batch was run before."""


def runs_of(claim: Claim, runs: int | None) -> int:
    """How often a claim is run: as often as is said, or as its cost allows."""
    return runs if runs is not None else RUNS if claim.cost <= CHEAP else DEAR_RUNS


def measure(
    claims: Sequence[Claim],
    *,
    runs: int | None,
    seed: int,
    jobs: int,
    told: Told = lambda _batch, _done: None,
    known: Known = nothing,
) -> Iterator[Measured]:
    """Run every claim and give what it comes to, each as soon as its last run is over.

    :param runs: of each claim; None for as many as its cost allows.
    :param jobs: processes; with one, all is done in this process.
    :param told: is called with each batch that is done.
    :param known: what came of a batch that need not be run again.
    :raises RetrainError: a process was killed.
    """
    batches = [batch for claim in claims for batch in _batches(claim, runs_of(claim, runs))]
    missing = {id(claim): sum(batch.claim is claim for batch in batches) for claim in claims}
    found: dict[int, dict[int, Done]] = {id(claim): {} for claim in claims}
    for batch, done in _all_done(batches, seed, jobs, known):
        told(batch, done)
        mine = found[id(batch.claim)]
        mine[batch.first] = done
        if len(mine) == missing[id(batch.claim)]:
            yield _sum(batch.claim, [mine[first] for first in sorted(mine)])


def _batches(claim: Claim, runs: int) -> Iterator[Batch]:
    size = max(1, min(runs, round(BATCH_SECONDS / claim.cost)))
    return (Batch(claim, first, min(first + size, runs)) for first in range(0, runs, size))


def _sum(claim: Claim, parts: list[Done]) -> Measured:
    values = [value for part in parts for value in part.values]
    broke = next((part.broke for part in parts if part.broke is not None), None)
    return measured(claim, values, sum(part.seconds for part in parts), broke)


def _all_done(batches: list[Batch], seed: int, jobs: int, known: Known) -> Iterator[tuple[Batch, Done]]:
    missing: list[Batch] = []
    for batch in batches:
        if (done := known(batch)) is None:
            missing.append(batch)
        else:
            yield batch, done
    yield from _run(missing, seed, jobs)


def _run(batches: list[Batch], seed: int, jobs: int) -> Iterator[tuple[Batch, Done]]:
    if jobs == 1:
        yield from ((batch, work(batch.claim, seed, batch.first, batch.end)) for batch in batches)
        return
    waiting, running = iter(batches), dict[Future[Done], Batch]()
    with _processes(jobs) as pool:
        while True:
            for batch in islice(waiting, 2 * jobs - len(running)):  # no more than needed: all are dropped at ^C
                asked = (batch.claim.section, batch.claim.name, seed, batch.first, batch.end)
                running[pool.submit(_work, *asked)] = batch
            if not running:
                return
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(done), _result(done)


def _result(done: Future[Done]) -> Done:
    try:
        return done.result()
    except BrokenProcessPool:
        raise RetrainError(
            "A process of the audit was killed.",
            do="see whether memory ran out, and name fewer processes with --jobs.",
        ) from None


@contextmanager
def _processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are started anew, not forked; whoever leaves early ends them and what they have on the disk."""
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with (
        tempfile.TemporaryDirectory(prefix="retrain-audit-") as scratch,
        ProcessPoolExecutor(jobs, context, _begin, (os.getpid(), scratch)) as pool,
    ):
        try:
            yield pool
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise


# -- the other process -----------------------------------------------------------------------------------------


def _begin(parent: int, scratch: str) -> None:
    """Each has one thread: there are as many processes as cores. ^C: the parent says it."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    tempfile.tempdir = scratch


def _work(section: str, name: str, seed: int, first: int, end: int) -> Done:
    return work(named(section, name), seed, first, end)


def work(claim: Claim, seed: int, first: int, end: int) -> Done:
    """Run a claim a few times, here and now. What a run raises is said, and is no end of the others."""
    import numpy as np

    values: list[float] = []
    began = time.perf_counter()
    broke = None
    for number in range(first, end):
        try:
            values.append(float(claim.run(np.random.default_rng([seed, number]))))
        except Exception as error:
            broke = f"run {number} of seed {seed}: {type(error).__name__}: {error}"
            break
    return Done(tuple(values), time.perf_counter() - began, broke)
