"""What was seen of a challenger, and what it shows."""

from __future__ import annotations

from retrain.artifacts import Value


class ArmComparison(Value):
    """One metric of both arms.

    :param worse: the challenger was shown to be worse than the champion by more than is allowed.
    :param noticed: it was shown to be worse, by whatever amount, at some look.
    :param within: it is shown to be within the margin, now.
    :param required: must be within the margin before a promotion.
    :param upper: upper bound of the difference, where the metric has one.
    :param summary: the same in words.
    """

    name: str
    worse: bool
    noticed: bool = False
    within: bool
    required: bool
    champion: float | None
    challenger: float | None
    champion_rows: int
    challenger_rows: int
    upper: float | None = None
    margin: float
    summary: str

    @property
    def harm(self) -> bool:
        """Worse, and not shown to be within the margin."""
        return self.worse and not self.within


class LiveEvidence(Value):
    """What was seen of a challenger so far.

    :param champion, challenger: answered or failed requests of each arm in this phase.
    :param asked: ledger number of a routing decision → requests the challenger got under it.
    :param labels: how many labels could be used.
    :param doubts: why the evidence itself is not to be trusted; while there is a doubt nothing goes on.
    """

    champion: int
    challenger: int
    asked: dict[int, int]
    labels: int
    metrics: tuple[ArmComparison, ...]
    doubts: tuple[str, ...] = ()

    @property
    def harm(self) -> str | None:
        """What harm is shown, with its numbers; None if there is none."""
        shown = [metric.summary for metric in self.metrics if metric.harm]
        return "; ".join(shown) or None

    @property
    def hold(self) -> str | None:
        """Why the challenger may get no larger share now; None if it may."""
        return f"in doubt: {'; '.join(self.doubts)}" if self.doubts else None

    @property
    def noticed(self) -> str | None:
        """In what the challenger is worse by an amount that is neither beyond its margin nor shown to be within."""
        shown = [metric.summary for metric in self.metrics if metric.noticed and not (metric.harm or metric.within)]
        return "; ".join(shown) or None

    @property
    def missing(self) -> str | None:
        """Which required metrics do not exclude harm yet, with their numbers; None if all do."""
        open_ = [metric.summary for metric in self.metrics if metric.required and not metric.within]
        return "; ".join(open_) or None

    @property
    def summary(self) -> str:
        """Every metric in one line."""
        return "; ".join(metric.summary for metric in self.metrics)
