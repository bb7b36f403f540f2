"""How a candidate scored."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from retrain.artifacts.artifact import Artifact, FileRef, Ref, Value

FEWEST_DAYS = 7
"""With fewer held-out days no score has bounds: how strongly days hang together cannot be told from so few."""


class Score(Value):
    """One metric on one set of rows; ``difference`` is challenger − champion, with its interval.

    ``ratio`` is the challenger's loss as a share of the champion's (a loss is the metric, or 1 − metric where more is
    better). It is bounded more narrowly: how hard a day was is in both losses and falls out.
    ``better`` says which way is good. Bounds are one-sided at the pipeline's confidence. What cannot be computed
    (a slice with one class) is None, never zero; so are the bounds where rows lie on fewer than :data:`FEWEST_DAYS`.
    """

    metric: str
    better: Literal["lower", "higher"]
    rows: int
    challenger: float | None
    challenger_lower: float | None = None
    challenger_upper: float | None = None
    champion: float | None = None
    champion_lower: float | None = None
    champion_upper: float | None = None
    difference: float | None = None
    difference_lower: float | None = None
    difference_upper: float | None = None
    ratio: float | None = None
    ratio_lower: float | None = None
    ratio_upper: float | None = None


class SliceScore(Value):
    """A score on the rows where ``column`` is ``value``."""

    column: str
    value: str
    score: Score


class Scorecard(Artifact):
    """Challenger, champion and baselines on the same held-out days.

    :param baselines: name (``majority``, ``one_feature``) → the challenger's score compared with that baseline
        (``champion`` and ``difference`` of the score then mean the baseline).
    :param levelled: the same once both are brought to the level of the held-out labels, so that neither is better by a
        luckier base rate.
    :param share: the loss of challenger and champion as shares of what the constant loses that is best on these rows.
    :param left_out: slices too small to judge, by name, never silently.
    :param finite: no infinity among features and scores, no score is NaN, and no feature has lost its values; what is
        not so stands in ``unstable``, in words.
    :param blocks: what the bounds take to hang together: ``days``; in older ones also shorter stretches.
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
    levelled: dict[str, Score] = Field(default_factory=dict)
    share: Score | None = None

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
