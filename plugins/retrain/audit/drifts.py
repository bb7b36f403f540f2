"""What is claimed of the drift alarm: how often a run without drift alarms, and what small moves it sees.

A run is ten columns of a made-up table: the champion's history, and the 30 days after it. The rows of a day share an
effect of that day, and the days hang together (AR(1)); a season turns once a year. The spread within a day is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from retrain.audit.claim import Claim
from retrain.monitoring.drift import compare
from retrain.monitoring.reference import Reference
from retrain.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

COLUMNS = [f"c{number}" for number in range(10)]
FIRST = "2020-01-06"
YEAR = 365.2425
KINDS = 6
SPEC = {
    "name": "made_up",
    "task": "binary",
    "source": {"files": "*.parquet", "timestamp": "at", "label": "late"},
    "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
}


def _normal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return random.standard_normal(shape)


def _heavy(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student's t with 1.5 degrees of freedom: of infinite variance."""
    return random.standard_t(1.5, shape)


@dataclass(frozen=True)
class Table:
    """A table without drift, but for one column.

    :param history: days of the champion's data. :param window: days after it.
    :param rows: of a day.
    :param effect: the standard deviation of the days' effects. :param hang: their AR(1) coefficient.
    :param season: the height of a yearly sine wave, of another phase in each column.
    :param categories: are the columns text, with effects on the logits of the kinds?
    :param moved: how far the first column moves when the history ends.
    """

    history: int = 120
    window: int = 30
    rows: int = 50
    effect: float = 0.0
    hang: float = 0.5
    season: float = 0.0
    noise: Noise = _normal
    categories: bool = False
    moved: float = 0.0

    def made(self, random: np.random.Generator) -> tuple[DataFrame, DataFrame]:
        """The champion's rows, and those after."""
        import numpy as np
        import pandas as pd

        days, count = self.history + self.window, len(COLUMNS)
        means = self._means(random, days, count * (KINDS if self.categories else 1))
        if self.categories:
            shares = np.exp(means.reshape(days, count, KINDS))
            limits = np.cumsum(shares / shares.sum(axis=2, keepdims=True), axis=2)
            drawn = random.random((days, self.rows, count, 1))
            values = np.array(list("abcdef"), dtype=object)[(drawn > limits[:, None, :, :-1]).sum(axis=3)]
        else:
            means[self.history :, 0] += self.moved
            values = means[:, None, :] + self.noise(random, (days, self.rows, count))
        flat = values.reshape(days * self.rows, count)
        frame = pd.DataFrame({name: flat[:, number] for number, name in enumerate(COLUMNS)})
        frame["at"] = pd.date_range(FIRST, periods=len(frame), freq=pd.Timedelta(days=1) / self.rows, tz="UTC")
        cut = self.history * self.rows
        return frame[:cut], frame[cut:]

    def _means(self, random: np.random.Generator, days: int, columns: int) -> np.ndarray:
        """What a day adds to its rows, shape (days, columns)."""
        import numpy as np
        from scipy.signal import lfilter

        before = 50  # days until the first is forgotten
        shocks = random.standard_normal((before + days, columns)) * np.sqrt(1.0 - self.hang**2)
        effects: np.ndarray = self.effect * lfilter([1.0], [1.0, -self.hang], shocks, axis=0)[before:]
        turns = np.arange(days)[:, None] / YEAR + random.random(columns)
        return effects + self.season * np.sin(2.0 * np.pi * turns)


def alarmed(table: Table, random: np.random.Generator, column: str | None = None) -> float:
    """Does the run alarm on a column, or on any?"""
    before, now = table.made(random)
    found = compare(Spec.model_validate(SPEC), now, COLUMNS, Reference.of(before, "at"))
    return float(any(one.drifted for one in found.columns if column in {None, one.column}))


DAYS = Table(effect=0.2)
SEASON = Table(history=2 * 365, effect=0.05, season=0.5, rows=100)
TABLES = {
    "independent rows": Table(),
    "days that hang together, φ = 0.5, by 0.2 sd": DAYS,
    "a yearly season of ± 0.5 sd, two years of history": SEASON,
    "a yearly season of ± 0.5 sd, 13 months of history": replace(SEASON, history=400),
    "five weeks of history, the newest week judged, days that hang together": replace(DAYS, history=35, window=7),
    "infinite variance": Table(noise=_heavy),
    "text of six kinds, days that hang together": replace(DAYS, categories=True),
}
MOVES = {
    "independent rows, 200 a day": Table(rows=200, moved=0.1),
    "days that hang together, φ = 0.5, by 0.05 sd, 1,000 rows a day": Table(rows=1000, effect=0.05, moved=0.1),
    "a yearly season of ± 0.5 sd, two years of history, 200 rows a day": Table(
        history=2 * 365, rows=200, season=0.5, moved=0.1
    ),
}

CLAIMS: tuple[Claim, ...] = (
    *(
        Claim(f"ten columns, no drift, {name}: alarms", "drift", partial(alarmed, table), "at most", 0.05, cost=0.4)
        for name, table in TABLES.items()
    ),
    *(
        Claim(
            f"one of ten columns moves by 0.1 sd for 30 days, {name}: found",
            "drift",
            partial(alarmed, table, column=COLUMNS[0]),
            "at least",
            0.8,
            cost=0.7,
        )
        for name, table in MOVES.items()
    ),
)
