"""What the prediction log says of a challenger, read look by look.

The evidence is a pure function of the rows in the log: it does not matter how often, or in which process, one
looked before. Rows are sorted by time and compared, metric by metric, in :mod:`retrain.monitoring.arms`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from retrain.artifacts import Candidate, FeatureSet
from retrain.errors import ObjectMissing, ReleaseError
from retrain.ledger.trial import Trial, find
from retrain.log.reader import LogReader
from retrain.metrics.label_loss import losses
from retrain.monitoring import arms
from retrain.monitoring.evidence import ArmComparison, LiveEvidence
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MOST_ROWS = 1_000_000
"""Beyond this many rows and labels only every second, fourth, … request is looked at, chosen by the hash of its id.
It keeps memory below about 300 MB; by then everything is long decided, unless labels are missing."""

CLOCKS = timedelta(minutes=5)
"""How far a gateway's clock may be behind that of the ledger's writer."""

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
        return self._evidence(rows, 0, [arms.errors(self.spec.canary, trial, rows, required=False)])

    def _canary(self, trial: Trial) -> LiveEvidence:
        rows = self._phase(trial.numbers("ramping"), "challenger")
        canary = self.spec.canary
        metrics = [arms.errors(canary, trial, rows, required=True)]
        labelled = rows[:0]
        if canary.latency is not None:
            metrics.append(arms.latency(canary, canary.latency, rows))
        if canary.loss is not None:
            labelled, bounds = self._labelled(rows), None if self.spec.task == "regression" else (0.0, 1.0)
            metrics.append(arms.loss(canary, canary.loss, labelled, entities=self._entities(labelled), bounds=bounds))
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
        began = self.site.ledger(self.spec.name).spans()[trial.begun.entry.number - 1]
        self._reader = LogReader(self.site.store, self.spec.name, (began.earliest or began.at) - CLOCKS)
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
        try:
            return self.site.read(FeatureSet, self.candidate.features).classes
        except ObjectMissing:
            return ()

    def _entities(self, rows: pd.DataFrame) -> NDArray[np.int64] | None:
        """Whom each row is about, as a number; None where the pipeline has no entity."""
        import numpy as np

        if self.spec.source.entity is None:
            return None
        whose = rows["entity"].where(rows["entity"].notna(), rows["id"])
        return np.array([zlib.crc32(str(one).encode()) for one in whose], dtype=np.int64)

    def _evidence(self, rows: pd.DataFrame, labels: int, metrics: list[ArmComparison]) -> LiveEvidence:
        tried = int(rows["tried"].sum())
        return LiveEvidence(
            champion=len(rows) - tried, challenger=tried, asked=dict(self._asked), labels=labels, metrics=tuple(metrics)
        )
