"""What the live answers of both arms say of a challenger that gets a share of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from retrain.monitoring.answers import Answers
from retrain.monitoring.arms import Errors, Latency
from retrain.monitoring.coins import Coins
from retrain.monitoring.doubts import Doubts
from retrain.monitoring.evidence import ArmComparison, LiveEvidence
from retrain.monitoring.loss import Loss
from retrain.monitoring.paired_loss import PairedLoss
from retrain.monitoring.register import Register, hashed
from retrain.monitoring.ripening import Labels, Waiting
from retrain.spec import Spec

if TYPE_CHECKING:
    import pandas as pd


class Ramping:
    """Folds the rows of a canary as they come; what was folded is not looked at again.

    :param spec: the pipeline.
    :param waiting: for answers whose labels have not come; None where losses are compared in pairs, or not at all.
    """

    def __init__(self, spec: Spec, waiting: Waiting | None) -> None:
        canary = spec.canary
        self._task = spec.task
        self._names, self._coins, self._doubts = Register(), Coins(), Doubts()
        self._errors = Errors(canary)
        self._latency = None if canary.latency is None else Latency(canary, canary.latency)
        self._waiting = waiting
        self._loss = None if waiting is None or canary.loss is None else Loss(canary, canary.loss, spec.task)
        self._kept, self._asked = Counter[int](), Counter[int]()

    def take(self, rows: pd.DataFrame, shares: Mapping[int, float]) -> None:
        """Take up rows of the log, of the arms champion and challenger, under routing decisions of the ramp.

        :param shares: the number of each decision → the challenger's share under it.
        """
        answers = self._answers(rows, shares)
        self._asked.update(answers.decision[answers.tried].tolist())
        self._kept.update(answers.decision[~answers.tried].tolist())
        self._doubts.take(answers)
        self._errors.take(answers)
        if self._latency is not None:
            self._latency.take(answers)
        if self._waiting is not None:
            self._label(self._waiting.add(answers[~answers.failed]))

    def label(self, labels: Labels) -> None:
        """Take up labels, in the order in which they came, and see what has ripened; after the rows of that look."""
        if self._waiting is None or self._loss is None:
            return
        self._label(labels)
        rows, loss = self._waiting.ripened()
        self._doubts.ripen(rows, loss[:, 0])
        labelled = loss[:, 0] == loss[:, 0]
        self._loss.ripen(rows[labelled], loss[labelled, 0])

    def _label(self, labels: Labels) -> None:
        if self._waiting is not None and self._loss is not None:
            rows, loss = self._waiting.label(labels)
            self._loss.know(rows, loss[:, 0])

    def evidence(self, paired: PairedLoss | None) -> LiveEvidence:
        """What it comes to so far, with the losses of pairs where those count."""
        metrics: list[ArmComparison] = [self._errors.compared()]
        metrics += [metric.compared() for metric in (self._latency, self._loss) if metric is not None]
        metrics += [] if paired is None else [paired.compared(required=True)]
        waiting = self._waiting if paired is None else paired.waiting
        return LiveEvidence(
            champion=self._kept.total(),
            challenger=self._asked.total(),
            asked=dict(self._asked),
            kept=dict(self._kept),
            labels=0 if waiting is None else waiting.known,
            waiting_labels=None if waiting is None else waiting.unripe,
            metrics=tuple(metrics),
            doubts=self._doubts.found(self._coins, waiting),
        )

    def _answers(self, rows: pd.DataFrame, shares: Mapping[int, float]) -> Answers:
        """The rows in order of time, with their coins."""
        import numpy as np

        rows = rows.sort_values(["at", "id"], kind="stable")
        decision = rows["release"].to_numpy(dtype=np.int64)
        share = np.array([shares[one] for one in decision.tolist()], dtype=float)
        tried = rows["arm"].to_numpy() == "challenger"
        name = np.full(len(rows), -1, dtype=np.int64)
        named = rows["entity"].notna().to_numpy()
        name[named] = self._names.add(hashed(rows["entity"].to_numpy(dtype=object)[named]))
        answer = rows["output" if self._task == "multiclass" else "score"]
        return Answers(
            at=rows["at"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]").astype(np.int64),
            id=hashed(rows["id"].to_numpy(dtype=object)),
            decision=decision,
            share=share,
            tried=tried,
            name=name,
            chance=self._coins.chances(name, decision, share, tried),
            failed=rows["failed"].to_numpy(dtype=bool),
            latency_ms=rows["latency_ms"].to_numpy(dtype=float),
            answer=answer.to_numpy(dtype=object if self._task == "multiclass" else float)[:, None],
        )
