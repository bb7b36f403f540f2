"""How many requests a challenger gets until the canary shows that it fails more often than the champion.

What is shipped is asked: the canary's own fold over answers, and the defaults of ``pipeline.yaml`` for steps, requests
a step, and the part of ``alpha`` that failures have. Only the answers are drawn. It is looked at after every request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from measure import Figure, figure

from retrain.monitoring.answers import Answers
from retrain.monitoring.arms import Errors
from retrain.monitoring.evidence import ArmComparison
from retrain.spec.canary import Canary, Shadow

RUNS = 400
CHAMPION_FAILS, CHALLENGER_FAILS = 0.01, 0.05
MOST_REQUESTS = 2000
RESAMPLES = 500

SHIPPED = Canary()
ERRORS_ALONE = Canary(shadow=Shadow(requests=0), latency=None, loss=None)
"""One test only, which has the whole of ``alpha``."""


def measure(*, short: bool) -> list[Figure]:
    """Simulate many canaries."""
    runs = 30 if short else RUNS
    asked: list[tuple[str, Canary, Callable[[ArmComparison], bool], str]] = [
        ("canary: requests to the challenger until 1 % → 5 % failures is shown", SHIPPED, _noticed, ""),
        ("… until it is shown to be beyond the margin of 1 %, and rolled back", SHIPPED, _harm, ""),
        ("… shown, where failures are all that is looked at", ERRORS_ALONE, _noticed, "; in the literature: 121"),
    ]
    figures = []
    for name, canary, shown, beside in asked:
        found = [_requests(canary, shown, seed) for seed in range(runs)]
        quartiles = "quartiles {:.0f} and {:.0f}".format(*np.quantile(found, [0.25, 0.75]))
        peer = f"{quartiles}; standard error of the median {_standard_error(found):.1f}; {runs} canaries{beside}"
        figures.append(figure(name, found, "requests", peer=peer))
    return figures


def _noticed(errors: ArmComparison) -> bool:
    return errors.noticed


def _harm(errors: ArmComparison) -> bool:
    return errors.harm


def _requests(canary: Canary, shown: Callable[[ArmComparison], bool], seed: int) -> int:
    """The challenger's requests up to the first at which it is shown."""
    answers = _answers(canary, np.random.default_rng(seed))
    places = np.flatnonzero(answers.tried)
    low, high = 0, len(places)
    while low < high:  # what was shown stays so
        middle = (low + high) // 2
        errors = Errors(canary)
        errors.take(answers[: places[middle] + 1])
        if shown(errors.compared()):
            high = middle
        else:
            low = middle + 1
    return low + 1 if low < len(places) else MOST_REQUESTS


def _answers(canary: Canary, random: np.random.Generator) -> Answers:
    """The answers of each step: as many as it must have, and of the last one many."""
    parts = []
    for step, share in enumerate(canary.steps, start=1):
        wanted = MOST_REQUESTS if share == canary.steps[-1] else canary.step_requests
        tried = random.random(int(wanted / share * 2)) < share
        tried = tried[: int(np.flatnonzero(tried)[wanted - 1]) + 1]
        parts.append((np.full(len(tried), step), np.full(len(tried), share), tried))
    decision, share, tried = (np.concatenate(column) for column in zip(*parts, strict=True))
    rows = len(tried)
    unused: dict[str, Any] = {"at": np.arange(rows), "latency_ms": np.ones(rows), "answer": np.zeros((rows, 1))}
    return Answers(
        id=np.arange(rows, dtype=np.uint64) << np.uint64(16),
        decision=decision,
        share=share,
        tried=tried,
        name=np.full(rows, -1),
        chance=share,
        failed=random.random(rows) < np.where(tried, CHALLENGER_FAILS, CHAMPION_FAILS),
        **unused,
    )


def _standard_error(values: list[int]) -> float:
    """Of the median, by the bootstrap."""
    draws = np.random.default_rng(0).choice(values, size=(RESAMPLES, len(values)))
    return float(np.median(draws, axis=1).std())
