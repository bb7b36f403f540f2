"""The losses of both models on the same requests, where an answer does not change its own label.

The challenger answers in the shadow, and beside the champion during the ramp; once the label is known the difference of
the two losses is. Whoever is heard, the label is the same: so the pipeline says, with
``canary.loss.answer_changes_label: false``. Where it does not, arms are compared (:mod:`retrain.monitoring.loss`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from retrain.metrics.task import Task
from retrain.monitoring.answers import Answers
from retrain.monitoring.arms import comparison
from retrain.monitoring.cap import Cap
from retrain.monitoring.evidence import ArmComparison
from retrain.monitoring.loss import allowed, in_words, rooted, shown_as
from retrain.monitoring.ripening import Labels, Waiting
from retrain.spec.canary import Canary, LossMetric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from retrain.stats.paired_mean import PairedMean

BATCH = 10
"""Pairs that are one block of time."""


class PairedLoss:
    """How much more wrong the challenger's answers are.

    :param waiting: for pairs whose labels have not come.
    """

    def __init__(self, canary: Canary, wanted: LossMetric, task: Task, waiting: Waiting) -> None:
        from retrain.stats.paired_mean import PairedMean

        self.waiting = waiting
        self._canary, self._wanted, self._squared = canary, wanted, task == "regression"
        self._mean: PairedMean | None = None
        self._gross = PairedMean(canary.alpha, largest=1.0)
        self._fresh: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []
        self._noticed = False
        self._sums, self._count = [0.0, 0.0], 0
        self._cap = Cap(squared=self._squared)

    def take(self, pairs: Answers) -> None:
        """Take up requests that both answered, and failed on neither."""
        self.waiting.label(self.waiting.add(pairs[~pairs.failed]))

    def label(self, labels: Labels) -> None:
        """Take up labels, in the order in which they came, and see what has ripened; after the pairs of that look."""
        self.waiting.label(labels)
        rows, loss = self.waiting.ripened()
        labelled = ~(loss != loss).any(axis=1)
        if labelled.any():
            self._fresh.append((loss[labelled], rows.name[labelled]))
            self._count += int(labelled.sum())
            for model in (0, 1):
                self._sums[model] += float(loss[labelled, model].sum())
        self._compare()

    def compared(self, *, required: bool) -> ArmComparison:
        """What they come to so far."""
        champion, challenger = ((total / self._count if self._count else None) for total in self._sums)
        own, theirs = (in_words(mean, squared=self._squared) for mean in (challenger, champion))
        margin = 0.0 if champion is None else float(allowed(self._wanted, champion, squared=self._squared))
        difference, worst, lower, upper = math.nan, -math.inf, -math.inf, math.inf
        if self._mean is not None:
            worst = self._mean.bounds(self._canary.alpha_of("loss"))[0]
            difference, (lower, upper) = self._mean.difference, self._mean.bounds()
        bound = "too few labels for a bound"
        if math.isfinite(upper):
            capped = self._cap.line(self._gross.bounds()[1], self._wanted.rare)
            bound = f"at most {rooted(upper, champion, squared=self._squared):+.4g}{capped}"
        return comparison(
            "loss",
            f"{'rmse' if self._squared else 'loss'}: {own} against the champion's {theirs} on the same "
            f"{self._count:,} labels",
            noticed=self._noticed,
            beyond=worst > margin,
            within=upper < margin and (not self._squared or self._gross.bounds()[1] < self._wanted.rare),
            **shown_as(champion, challenger, difference, (lower, upper), margin, squared=self._squared),
            rows=[self._count, self._count],
            weight=self._canary.weight_of("loss"),
            bound=bound,
            allowed=f"{rooted(margin, champion, squared=self._squared):.4g}" if margin else "the margin",
            required=required and self._wanted.required,
        )

    def _compare(self) -> None:
        """Compare what is fresh, a batch at a time."""
        import numpy as np

        from retrain.stats.paired_mean import PairedMean

        if not self._fresh:
            return
        loss, whose = (np.concatenate([part[place] for part in self._fresh]) for place in (0, 1))
        self._fresh = [(loss, whose)]
        self._cap.learn(loss[:, 0])
        if self._cap.at is None:
            return
        if self._mean is None:
            self._mean = PairedMean(self._canary.alpha, largest=self._cap.at)
        whole = len(loss) - len(loss) % BATCH
        (theirs, gross), (own, own_gross) = (self._cap.capped(model, loss[:whole, model]) for model in (0, 1))
        for begin in range(0, whole, BATCH):
            rows = slice(begin, begin + BATCH)
            self._mean.observe(differences=own[rows] - theirs[rows], entities=whose[rows])
            more = own_gross[rows].astype(float) - gross[rows]
            self._gross.observe(differences=more, entities=whose[rows])
        self._fresh = [(loss[whole:], whose[whole:])]
        self._noticed = self._noticed or self._mean.bounds(self._canary.alpha_of("loss"))[0] > 0.0
