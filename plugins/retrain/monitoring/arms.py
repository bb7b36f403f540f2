"""The two arms of a trial compared: failures, latency and loss of a challenger against the champion's.

Rows come sorted by time and are cut into blocks by a rule that looks at counts only; blocks that are complete stay as
they are when later rows come, so every look continues the same sequence and the sequential tests of
:mod:`retrain.stats` may be looked at any number of times. (A gateway that ships its rows late inserts them where they
belong in time.)

Two error budgets, each ``canary.alpha``:

* *Harm* (a harmless challenger is rolled back): shared by the shadow's test and each of the canary's metrics, so that
  all of them together alarm falsely with at most this probability (Bonferroni).
* *Exclusion* (a harmful challenger is promoted): each metric has the whole budget, because **all** of them must
  exclude harm before anything is promoted, and one that is truly harmful does so with at most this probability
  (intersection-union test; Berger 1982).

Harm means: shown to be worse than the champion, and not shown to be within the margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from retrain.ledger.trial import Trial
from retrain.monitoring.evidence import ArmComparison
from retrain.spec.canary import Canary, LatencyMetric, LossMetric

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

T = TypeVar("T")

BLOCK_ROWS = 5
"""A block has at least this many rows of each arm …"""

BLOCK_GROWTH = 0.05
"""… and this share of the arm's rows before it: a decision waits for 5 % more rows at most, and the number of
blocks grows with the logarithm of the traffic."""


def errors(canary: Canary, trial: Trial, rows: pd.DataFrame, *, required: bool) -> ArmComparison:
    """Requests without a usable answer.

    :param required: must harm be excluded before a promotion?
    """
    from retrain.stats.error_rate import ErrorRateTest

    harm, exclude = _both(canary, ErrorRateTest)
    failed, tried = _flags(rows, "failed"), _flags(rows, "tried")
    shares = {d.entry.number: d.release.share for d in trial.decisions}
    releases = rows["release"].to_numpy()
    for block in blocks(tried):
        mine, broken = tried[block], failed[block]
        for test in (harm, exclude):
            test.observe(
                share=shares.get(int(releases[block.stop - 1]), 0.0),
                champion_requests=int((~mine).sum()),
                champion_errors=int(broken[~mine].sum()),
                challenger_requests=int(mine.sum()),
                challenger_errors=int(broken[mine].sum()),
            )
    margin = canary.errors.margin
    within = exclude.upper < margin
    said = (
        f"errors: challenger {int(failed[tried].sum()):,} of {int(tried.sum()):,}, "
        f"champion {int(failed[~tried].sum()):,} of {int((~tried).sum()):,}"
    )
    return ArmComparison(
        name="errors",
        worse=harm.harmful,
        within=within,
        required=required,
        champion=_mean(failed[~tried]),
        challenger=_mean(failed[tried]),
        champion_rows=int((~tried).sum()),
        challenger_rows=int(tried.sum()),
        upper=_finite(exclude.upper),
        margin=margin,
        summary=f"{said} ({_judged(harm.harmful, within, f'at most {exclude.upper:+.2%}; ', f'{margin:.2%}')})",
    )


def latency(canary: Canary, wanted: LatencyMetric, rows: pd.DataFrame) -> ArmComparison:
    """How long the answers took: a quantile of each arm."""
    import numpy as np

    from retrain.stats.latency import QuantileRatio

    def test_of(alpha: float) -> QuantileRatio:
        return QuantileRatio(alpha, quantile=wanted.quantile, margin=wanted.ratio, floor_ms=wanted.floor)

    harm, exclude = _both(canary, test_of)
    milliseconds = rows["latency_ms"].to_numpy(dtype=float)
    usable = np.isfinite(milliseconds) & (milliseconds >= 0) & ~_flags(rows, "failed")
    milliseconds, tried = milliseconds[usable], _flags(rows, "tried")[usable]
    for block in blocks(tried):
        mine, values = tried[block], milliseconds[block]
        for test in (harm, exclude):
            test.observe(champion=values[~mine], challenger=values[mine])
    allowed = f"{wanted.ratio:g} times + {wanted.floor:g} ms"
    return ArmComparison(
        name="latency",
        worse=harm.harmful,
        within=exclude.acceptable,
        required=True,
        champion=_finite(exclude.champion_value),
        challenger=_finite(exclude.challenger_value),
        champion_rows=int((~tried).sum()),
        challenger_rows=int(tried.sum()),
        margin=wanted.ratio,
        summary=f"latency: {_ms(exclude.challenger_value)} against {_ms(exclude.champion_value)} "
        f"({_judged(harm.harmful, exclude.acceptable, '', allowed)})",
    )


def loss(
    canary: Canary,
    wanted: LossMetric,
    rows: pd.DataFrame,
    *,
    entities: NDArray[np.int64] | None,
    bounds: tuple[float, float] | None,
) -> ArmComparison:
    """How wrong the answers were, as far as their labels are known.

    :param entities: whom each row is about, where rows about one are not independent.
    :param bounds: the least and the largest loss there is; None where there are none.
    """
    from retrain.stats.mean_difference import MeanDifference

    harm, exclude = _both(canary, lambda alpha: MeanDifference(alpha, bounds=bounds))
    lost, tried = rows["loss"].to_numpy(dtype=float), _flags(rows, "tried")
    for block in blocks(tried):
        mine, values = tried[block], lost[block]
        whose = None if entities is None else entities[block]
        for test in (harm, exclude):
            test.observe(
                champion=values[~mine],
                challenger=values[mine],
                champion_clusters=None if whose is None else whose[~mine],
                challenger_clusters=None if whose is None else whose[mine],
            )
    within = exclude.upper < wanted.margin
    bound = f"at most {exclude.upper:+.4f}; " if math.isfinite(exclude.upper) else "not enough labels; "
    return ArmComparison(
        name="loss",
        worse=harm.harmful,
        within=within,
        required=wanted.required,
        champion=_mean(lost[~tried]),
        challenger=_mean(lost[tried]),
        champion_rows=int((~tried).sum()),
        challenger_rows=int(tried.sum()),
        upper=_finite(exclude.upper),
        margin=wanted.margin,
        summary=f"loss: {_number(_mean(lost[tried]))} on {int(tried.sum()):,} labels, champion "
        f"{_number(_mean(lost[~tried]))} on {int((~tried).sum()):,} "
        f"({_judged(harm.harmful, within, bound, f'{wanted.margin:g}')})",
    )


def _both(canary: Canary, make: Callable[[float], T]) -> tuple[T, T]:
    """The same test twice: to show harm, with its part of the budget; and to exclude it, with the whole of it."""
    tests = 1 + (canary.shadow.requests > 0) + (canary.latency is not None) + (canary.loss is not None)
    return make(canary.alpha / tests), make(canary.alpha)


def blocks(tried: NDArray[np.bool_]) -> Iterator[slice]:
    """Cut a sequence of both arms' rows into blocks that hold enough of each; what is left over waits.

    A block ends at the first row where each arm has BLOCK_ROWS rows, or BLOCK_GROWTH of its rows before, if that is
    more. Rows that come later never move a block.

    :param tried: which rows are the challenger's.
    """
    import numpy as np

    places = (np.flatnonzero(~tried), np.flatnonzero(tried))
    start, seen = 0, [0, 0]
    while True:
        wanted = [rows + max(BLOCK_ROWS, math.ceil(BLOCK_GROWTH * rows)) for rows in seen]
        if any(len(place) < need for place, need in zip(places, wanted, strict=True)):
            return
        stop = 1 + max(int(place[need - 1]) for place, need in zip(places, wanted, strict=True))
        yield slice(start, stop)
        start, seen = stop, [int(np.searchsorted(place, stop)) for place in places]


def _flags(rows: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    return rows[column].to_numpy(dtype=bool)


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _ms(value: float) -> str:
    return f"{value:.3g} ms" if math.isfinite(value) else "nothing"


def _judged(worse: bool, within: bool, bound: str, margin: str) -> str:
    """One metric's judgement in a few words."""
    if within:
        return f"{bound}harm beyond {margin} is excluded"
    if worse:
        return "shown to be worse"
    return f"{bound}harm beyond {margin} is not excluded"
