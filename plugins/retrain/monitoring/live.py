"""What the prediction log says of a challenger, read look by look.

What came is folded once, in order of time, and a look costs what is new. So the evidence is a function of the log, not
of how often one looked: as far as the log comes in order of time. A row that comes late is taken up when it comes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from retrain.artifacts import Candidate, FeatureSet
from retrain.errors import ObjectMissing, ReleaseError
from retrain.ledger.trial import Trial, find
from retrain.log.reader import LogReader
from retrain.monitoring.evidence import LiveEvidence
from retrain.monitoring.paired_loss import PairedLoss
from retrain.monitoring.pairs import Pairs
from retrain.monitoring.ramping import Ramping
from retrain.monitoring.ripening import Labels, Waiting
from retrain.monitoring.shadowing import Shadowing
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    import pandas as pd

CLOCKS = timedelta(minutes=5)
"""How far a gateway's clock may be behind that of the ledger's writer."""


class LogWatch:
    """Reads the prediction log for one challenger's newest trial.

    It costs nothing until the first look, and may be thrown away and made again at any time.

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

    def shadow(self) -> LiveEvidence:
        """Look at the log; what the shadow answers say.

        :raises ReleaseError: the version has no trial.
        :raises StoreError, LogBroken: the log cannot be read now.
        """
        self._look()
        return self._shadowing.evidence(self._paired)

    def canary(self) -> LiveEvidence:
        """Look at the log; what the live requests of both arms say. Raises as :meth:`shadow` does."""
        self._look()
        return self._ramping.evidence(self._paired)

    def _look(self) -> None:
        """Take up what the log got since the last look."""
        trial = self._trial()
        if self._reader is None or trial.begun.entry.number != self._begun:
            self._begin(trial)
        assert self._reader is not None
        predictions, labels = self._reader.poll()
        self._take(self._trial(), predictions, labels)  # read after the log, so that it knows all the log names

    def _trial(self) -> Trial:
        trial = find(self.site.ledger(self.spec.name), self.candidate.version)
        if trial is None:
            raise ReleaseError(
                f"Version {self.candidate.version} of pipeline '{self.spec.name}' is not being released.",
                do="begin its shadow or its canary first.",
            )
        return trial

    def _begin(self, trial: Trial) -> None:
        self._begun = trial.begun.entry.number
        began = self.site.ledger(self.spec.name).spans()[trial.begun.entry.number - 1]
        self._reader = LogReader(self.site.store, self.spec.name, (began.earliest or began.at) - CLOCKS)
        self._shadowing = Shadowing(self.spec.canary)
        self._pairs = Pairs("output" if self.spec.task == "multiclass" else "score")
        waiting = Waiting(self.spec.task, self._classes(), self.spec.source.label_delay)
        canary = self.spec.canary
        self._paired = (
            PairedLoss(canary, canary.loss, self.spec.task, waiting) if canary.loss and canary.paired else None
        )
        self._ramping = Ramping(self.spec, waiting if canary.loss and not canary.paired else None)

    def _take(self, trial: Trial, predictions: pd.DataFrame, labels: pd.DataFrame) -> None:
        shares = {d.entry.number: d.release.share for d in trial.decisions if d.release.state == "ramping"}
        live = predictions["release"].isin(list(shares)) & predictions["arm"].isin(["champion", "challenger"])
        if live.any():
            self._ramping.take(self._with_failures(predictions[live]), shares)
        beside = predictions["release"].isin(trial.numbers("shadowing") + (list(shares) if self._paired else []))
        beside &= predictions["arm"].isin(["champion", "shadow"])
        if beside.any():
            self._take_pairs(trial, self._with_failures(predictions[beside]))
        if len(predictions) or len(labels):
            self._take_labels(Labels.of(labels))

    def _take_pairs(self, trial: Trial, rows: pd.DataFrame) -> None:
        """What the champion said, and the challenger unheard: in the shadow, and beside the ramp."""
        import numpy as np

        pairs, failed = self._pairs.take(rows)
        if self._paired is not None:
            self._paired.take(pairs)
        shadowing = trial.numbers("shadowing")
        before = np.isin(pairs.decision, shadowing)
        rows = rows[rows["release"].isin(shadowing)]
        if len(rows) or before.any():
            self._shadowing.take(rows, pairs[before], failed[before])

    def _take_labels(self, labels: Labels) -> None:
        self._ramping.label(labels)
        if self._paired is not None:
            self._paired.label(labels)

    def _with_failures(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows with ``failed``: those without a usable answer, an error or one that is not a number."""
        import numpy as np

        if self.spec.task == "multiclass":
            usable = rows["output"].notna().to_numpy()
        else:
            usable = np.isfinite(rows["score"].to_numpy(dtype=float))
        return rows.assign(failed=rows["error"].notna().to_numpy() | ~usable)

    def _classes(self) -> tuple[str, ...]:
        try:
            return self.site.read(FeatureSet, self.candidate.features).classes
        except ObjectMissing:
            return ()
