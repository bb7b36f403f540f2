"""What the prediction log says of a challenger: failures, latency and loss, against the champion's.

The evidence is a pure function of the rows in the log: it does not matter how often, or in which process, one
looked before. Rows are sorted by time and cut into blocks by a rule that looks at counts only; blocks that are
complete stay as they are when later rows come, so every look continues the same sequence and the sequential tests
of :mod:`retrain.stats` may be looked at any number of times. (A gateway that ships its rows late inserts them where
they belong in time.)

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
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from retrain.artifacts import Candidate, FeatureSet
from retrain.errors import ReleaseError
from retrain.ledger.trial import Trial, find
from retrain.log.reader import LogReader
from retrain.metrics.label_loss import losses
from retrain.monitoring.evidence import Comparison, LiveEvidence
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

BLOCK_ROWS = 5
"""A block has at least this many rows of each arm …"""

BLOCK_GROWTH = 0.05
"""… and this share of the arm's rows before it: a decision waits for 5 % more rows at most, and the number of
blocks grows with the logarithm of the traffic."""

MOST_ROWS = 1_000_000
"""Beyond this many rows and labels only every second, fourth, … request is looked at, chosen by the hash of its id.
It keeps memory below about 300 MB; by then everything is long decided, unless labels are missing."""

CLOCKS = timedelta(minutes=5)
"""How far a gateway's clock may be behind that of the ledger's writer."""

T = TypeVar("T")
KEPT = ("at", "id", "release", "arm", "entity", "failed", "latency_ms")


class LogWatch:
    """Reads the prediction log for one challenger's newest trial.

    It costs nothing until the first look, keeps no state that the log does not hold, and may be thrown away and made
    again at any time.

    :param spec: the pipeline.
    :param candidate: the challenger.
    :param site: where the log and the ledger are.
    """

    def __init__(self, spec: Spec, candidate: Candidate, site: Site) -> None:
        self.spec = spec
        self.candidate = candidate
        self.site = site
        self._reader: LogReader | None = None
        self._begun = 0
        self._last: tuple[object, LiveEvidence] | None = None

    def shadow(self) -> LiveEvidence:
        """Look at the log; what the shadow answers say.

        :raises ReleaseError: the version has no trial.
        :raises StoreError, LogBroken: the log cannot be read now.
        """
        return self._seen(self._shadow)

    def canary(self) -> LiveEvidence:
        """Look at the log; what the live requests of both arms say. Raises as :meth:`shadow` does."""
        return self._seen(self._canary)

    def _seen(self, fold: Callable[[Trial], LiveEvidence]) -> LiveEvidence:
        """Look, and fold the rows anew if there is anything new."""
        trial = self._look()
        state = (fold, trial.current.entry.number, len(self._rows), len(self._labels), sum(self._asked.values()))
        if self._last is None or self._last[0] != state:
            self._last = (state, fold(trial))
        return self._last[1]

    def _shadow(self, trial: Trial) -> LiveEvidence:
        rows = self._phase(trial.numbers("shadowing"), "shadow")
        return self._evidence(rows, 0, [self._errors(trial, rows, required=False)])

    def _canary(self, trial: Trial) -> LiveEvidence:
        rows = self._phase(trial.numbers("ramping"), "challenger")
        metrics = [self._errors(trial, rows, required=True)]
        labelled = rows[:0]
        if self.spec.canary.latency is not None:
            metrics.append(self._latency(rows))
        if self.spec.canary.loss is not None:
            labelled = self._labelled(rows)
            metrics.append(self._loss(labelled))
        return self._evidence(rows, len(labelled), metrics)

    # -- the rows ------------------------------------------------------------------------------------------------

    def _look(self) -> Trial:
        """Take up what the log got since the last look, and read the trial as it stands now."""
        trial = self._trial()
        if self._reader is None or trial.begun.entry.number != self._begun:
            self._begin(trial)
        assert self._reader is not None
        predictions, labels = self._reader.poll()
        self._take(predictions, labels)
        return self._trial()  # read after the log, so that it knows every decision the log names

    def _trial(self) -> Trial:
        trial = find(self.site.ledger(self.spec.name), self.candidate.version)
        if trial is None:
            raise ReleaseError(
                f"Version {self.candidate.version} of pipeline '{self.spec.name}' is not being released.",
                do="begin its shadow or its canary first.",
            )
        return trial

    def _begin(self, trial: Trial) -> None:
        import pandas as pd

        self._begun = trial.begun.entry.number
        self._reader = LogReader(self.site.store, self.spec.name, trial.begun.entry.at - CLOCKS)
        self._last = None
        self._kept_share = 1.0
        self._kept = [*KEPT, "output"] if self.spec.task == "multiclass" else [*KEPT, "score"]
        self._rows = pd.DataFrame(columns=self._kept)
        self._labels = pd.DataFrame(columns=["at", "id", "label"])
        self._asked: dict[int, int] = {}

    def _take(self, predictions: pd.DataFrame, labels: pd.DataFrame) -> None:
        import pandas as pd

        mine = predictions[predictions["release"] >= self._begun]
        mine = mine[mine["arm"].isin(["champion", "challenger", "shadow"])]
        heard = mine[mine["arm"] != "champion"]
        for number, count in heard["release"].value_counts().items():
            self._asked[int(number)] = self._asked.get(int(number), 0) + int(count)  # type: ignore[call-overload]
        if len(mine):
            mine = self._sample(mine.assign(failed=self._failed(mine)).loc[:, self._kept])
            self._rows = pd.concat([self._rows, mine]) if len(self._rows) else mine
        if len(labels):
            labels = self._sample(labels.loc[:, ["at", "id", "label"]])
            self._labels = pd.concat([self._labels, labels]) if len(self._labels) else labels
        while len(self._rows) + len(self._labels) > MOST_ROWS:
            self._kept_share /= 2
            self._rows, self._labels = self._sample(self._rows), self._sample(self._labels)

    def _sample(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows whose id hashes below the share that is kept: of both arms alike, whatever came of them."""
        if self._kept_share == 1.0:
            return frame
        import numpy as np

        below = self._kept_share * 2**32
        kept = np.fromiter((zlib.crc32(str(one).encode()) < below for one in frame["id"]), dtype=bool, count=len(frame))
        return frame[kept]

    def _failed(self, rows: pd.DataFrame) -> pd.Series[bool]:
        """Which requests got no usable answer: an error, or one that is not a number."""
        import numpy as np

        if self.spec.task == "multiclass":
            usable = rows["output"].notna()
        else:
            usable = rows["score"].astype(float).map(np.isfinite)
        return rows["error"].notna() | ~usable

    def _phase(self, numbers: list[int], tried: str) -> pd.DataFrame:
        """The rows of both arms under some routing decisions, in order of time; ``tried`` marks the challenger's."""
        rows = self._rows[self._rows["release"].isin(numbers) & self._rows["arm"].isin(["champion", tried])]
        rows = rows.sort_values(["at", "id", "arm"], kind="stable")
        return rows.assign(tried=rows["arm"] == tried)

    def _labelled(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Answered rows with their loss, in the order in which their labels came.

        An id's first label counts, and its first answer: labels that come twice change nothing, labels of unknown ids
        and labels that are no class of this model are left out.
        """
        answered = rows[~rows["failed"].astype(bool)].drop_duplicates("id")
        labels = self._labels.sort_values(["at", "id", "label"], kind="stable").drop_duplicates("id")
        joined = answered.merge(labels, on="id", suffixes=("", "_label"))
        joined = joined.sort_values(["at_label", "id"], kind="stable")
        values = losses(self.spec.task, joined[self._kept[-1]], joined["label"], self._classes())
        return joined.assign(loss=values).dropna(subset=["loss"])

    def _classes(self) -> tuple[str, ...]:
        found = self.site.find(FeatureSet, self.spec.name, self.candidate.features.key)
        return found.classes if found else ()

    # -- the metrics ---------------------------------------------------------------------------------------------

    @property
    def harm_alpha(self) -> float:
        """Each test's part of the budget for false rollbacks."""
        canary = self.spec.canary
        tests = 1 + (canary.shadow.requests > 0) + (canary.latency is not None) + (canary.loss is not None)
        return canary.alpha / tests

    def _both(self, make: Callable[[float], T]) -> tuple[T, T]:
        """The same test twice: to show harm, and to exclude it."""
        return make(self.harm_alpha), make(self.spec.canary.alpha)

    def _errors(self, trial: Trial, rows: pd.DataFrame, *, required: bool) -> Comparison:
        from retrain.stats.error_rate import ErrorRateTest

        harm, exclude = self._both(ErrorRateTest)
        failed, tried = _flags(rows, "failed"), _flags(rows, "tried")
        shares = {d.entry.number: d.release.share for d in trial.decisions}
        releases = rows["release"].to_numpy()
        for block in blocks(tried):
            mine, errors = tried[block], failed[block]
            for test in (harm, exclude):
                test.observe(
                    share=shares.get(int(releases[block.stop - 1]), 0.0),
                    champion_requests=int((~mine).sum()),
                    champion_errors=int(errors[~mine].sum()),
                    challenger_requests=int(mine.sum()),
                    challenger_errors=int(errors[mine].sum()),
                )
        margin = self.spec.canary.errors.margin
        within = exclude.upper < margin
        said = (
            f"errors: challenger {int(failed[tried].sum()):,} of {int(tried.sum()):,}, "
            f"champion {int(failed[~tried].sum()):,} of {int((~tried).sum()):,}"
        )
        return Comparison(
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

    def _latency(self, rows: pd.DataFrame) -> Comparison:
        import numpy as np

        from retrain.stats.latency import QuantileRatio

        wanted = self.spec.canary.latency
        assert wanted is not None

        def test_of(alpha: float) -> QuantileRatio:
            return QuantileRatio(alpha, quantile=wanted.quantile, margin=wanted.ratio, floor_ms=wanted.floor)

        harm, exclude = self._both(test_of)
        latency = rows["latency_ms"].to_numpy(dtype=float)
        usable = np.isfinite(latency) & (latency >= 0) & ~_flags(rows, "failed")
        latency, tried = latency[usable], _flags(rows, "tried")[usable]
        for block in blocks(tried):
            mine, values = tried[block], latency[block]
            for test in (harm, exclude):
                test.observe(champion=values[~mine], challenger=values[mine])
        allowed = f"{wanted.ratio:g} times + {wanted.floor:g} ms"
        return Comparison(
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

    def _loss(self, rows: pd.DataFrame) -> Comparison:
        from retrain.stats.mean_difference import MeanDifference

        wanted = self.spec.canary.loss
        assert wanted is not None
        bounds = None if self.spec.task == "regression" else (0.0, 1.0)
        harm, exclude = self._both(lambda alpha: MeanDifference(alpha, bounds=bounds))
        loss, tried, entities = rows["loss"].to_numpy(dtype=float), _flags(rows, "tried"), self._entities(rows)
        for block in blocks(tried):
            mine, values = tried[block], loss[block]
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
        return Comparison(
            name="loss",
            worse=harm.harmful,
            within=within,
            required=wanted.required,
            champion=_mean(loss[~tried]),
            challenger=_mean(loss[tried]),
            champion_rows=int((~tried).sum()),
            challenger_rows=int(tried.sum()),
            upper=_finite(exclude.upper),
            margin=wanted.margin,
            summary=f"loss: {_number(_mean(loss[tried]))} on {int(tried.sum()):,} labels, champion "
            f"{_number(_mean(loss[~tried]))} on {int((~tried).sum()):,} "
            f"({_judged(harm.harmful, within, bound, f'{wanted.margin:g}')})",
        )

    def _entities(self, rows: pd.DataFrame) -> NDArray[np.int64] | None:
        """Whom each row is about, as a number; None where the pipeline has no entity."""
        import numpy as np

        if self.spec.source.entity is None:
            return None
        whose = rows["entity"].where(rows["entity"].notna(), rows["id"])
        return np.array([zlib.crc32(str(one).encode()) for one in whose], dtype=np.int64)

    def _evidence(self, rows: pd.DataFrame, labels: int, metrics: list[Comparison]) -> LiveEvidence:
        tried = int(rows["tried"].sum())
        return LiveEvidence(
            champion=len(rows) - tried, challenger=tried, asked=dict(self._asked), labels=labels, metrics=tuple(metrics)
        )


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
