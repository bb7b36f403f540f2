"""What was seen of a challenger, and what it shows."""

from __future__ import annotations

from pydantic import Field

from retrain.artifacts import Value


class ArmComparison(Value):
    """One metric of both arms. What has a unit is in the same: both values, their difference, its bounds, the margin.

    :param worse: the challenger was shown to be worse than the champion by more than is allowed.
    :param noticed: it was shown to be worse, by whatever amount, at some look.
    :param within: it is shown to be within the margin, now.
    :param required: must be within the margin before a promotion.
    :param difference: the challenger's minus the champion's, as it is bounded; or of the two values, without bounds.
    :param lower, upper: bounds of the difference, each at ``canary.alpha``, where the metric has them.
    :param margin: how much more is allowed.
    :param unit: ``share`` of requests, ``ms``, ``brier`` or ``rmse``; empty where a target of somebody's own says none,
        and in evidence of an earlier release, whose margin of latency is a ratio and whose rmse is squared.
    :param weight: the share of ``canary.alpha`` by which harm is shown.
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
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    margin: float
    unit: str = ""
    weight: float | None = None
    summary: str

    @property
    def harm(self) -> bool:
        """Worse, and not shown to be within the margin."""
        return self.worse and not self.within


class LiveEvidence(Value):
    """What was seen of a challenger so far.

    :param champion, challenger: answered or failed requests of each arm in this phase.
    :param asked: ledger number of a routing decision → requests the challenger got under it.
    :param kept: ledger number of a routing decision → requests that the champion got under it, where that is counted.
    :param labels: how many labels could be used.
    :param waiting_labels: how many of them are of answers that are not ripe yet; None where nothing ripens.
    :param doubts: why the evidence itself is not to be trusted; while there is a doubt nothing goes on.
    """

    champion: int
    challenger: int
    asked: dict[int, int]
    kept: dict[int, int] = Field(default_factory=dict)
    labels: int
    waiting_labels: int | None = None
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
