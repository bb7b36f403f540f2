"""How a candidate scored."""

from __future__ import annotations

from typing import ClassVar, Literal

from typing_extensions import override

from retrain.artifacts.artifact import Artifact, FileRef, Ref, Value


class Score(Value):
    """One metric on one set of rows; ``difference`` is challenger − champion, with its interval.

    ``better`` says which way is good. Bounds are one-sided at the pipeline's confidence. What cannot be computed
    (a slice with one class) is None, never zero.
    """

    metric: str
    better: Literal["lower", "higher"]
    rows: int
    challenger: float | None
    challenger_lower: float | None = None
    challenger_upper: float | None = None
    champion: float | None = None
    difference: float | None = None
    difference_lower: float | None = None
    difference_upper: float | None = None


class SliceScore(Value):
    """A score on the rows where ``column`` is ``value``."""

    column: str
    value: str
    score: Score


class Scorecard(Artifact):
    """Challenger, champion and baselines on the same held-out days.

    :param baselines: name (``majority``, ``one_feature``) → the challenger's score compared with that baseline
        (``champion`` and ``difference`` of the score then mean the baseline).
    :param left_out: slices too small to judge, by name, never silently.
    :param finite: no infinity among features and scores, no score is NaN, and no feature has lost its values; what is
        not so stands in ``unstable``, in words.
    :param blocks: what the bounds' bootstrap drew: ``days``, or shorter stretches where the holdout has few days.
    :param predictions: held-out labels and scores (Parquet), for charts and later questions.
    """

    kind: ClassVar[str] = "scorecard"

    candidate: Ref
    version: int
    champion: int | None
    holdout_rows: int
    holdout_days: int
    scores: tuple[Score, ...]
    baselines: dict[str, Score]
    slices: tuple[SliceScore, ...]
    left_out: tuple[str, ...]
    finite: bool
    predictions: FileRef
    unstable: tuple[str, ...] = ()
    blocks: str = "days"

    @property
    @override
    def summary(self) -> str:
        if not self.scores:
            return f"version {self.version}: nothing could be scored"
        first = self.scores[0]
        against = "" if first.champion is None else f", champion {first.champion:.4f}"
        return (
            f"version {self.version}: {first.metric} {_number(first.challenger)}{against} on {self.holdout_rows:,} rows"
        )

    def score(self, metric: str) -> Score | None:
        """The overall score of one metric, or None."""
        return next((s for s in self.scores if s.metric == metric), None)


def _number(value: float | None) -> str:
    return "not computable" if value is None else f"{value:.4f}"
