"""Evaluate: challenger, champion and baselines on the same held-out days, with bounds.

Rows of one day hang together (weather, a strike), so whole days are drawn by the bootstrap. With the two weeks of an
ordinary holdout its percentiles are too narrow; a bound is therefore the estimate and Student's t times the bootstrap
standard error, with one degree of freedom less than there are days (Cameron, Gelbach & Miller 2008 on few clusters).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Candidate, FeatureSet, ModelRef, Request, Score, Scorecard, SliceScore, code, identity
from retrain.data.frames import keep_frame
from retrain.data.holdout import raw_holdout
from retrain.errors import ModelError
from retrain.gates.slices import Slices
from retrain.ledger.release import Served
from retrain.metrics import registry
from retrain.metrics.base import Metric, Statistic
from retrain.metrics.classes import spell
from retrain.modelling.baselines import baselines
from retrain.modelling.design_matrix import DesignMatrix, held_out_rows, training_rows
from retrain.modelling.slicing import slices
from retrain.site import Site
from retrain.spec import Spec
from retrain.tracking.runs import Tracking

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series

    from retrain.model.model import Model

FEWEST_BLOCKS = 5
BLOCKS = {"days": "D", "stretches of 6 hours": "6h", "hours": "h"}
"""What is drawn, from the longest to the shortest stretch that the holdout has enough of; single rows at last."""


@dataclass(frozen=True)
class Contest:
    """Answers to the same held-out rows.

    :param champion: None without a champion.
    :param blocks: the block each row belongs to.
    """

    target: np.ndarray
    challenger: np.ndarray
    champion: np.ndarray | None
    blocks: np.ndarray

    def among(self, rows: np.ndarray) -> Contest:
        """The same contest on some rows."""
        champion = None if self.champion is None else self.champion[rows]
        return Contest(self.target[rows], self.challenger[rows], champion, self.blocks[rows])

    def against(self, other: np.ndarray) -> Contest:
        """The challenger against somebody else."""
        return Contest(self.target, self.challenger, other, self.blocks)


def evaluate(spec: Spec, request: Request, candidate: Candidate, feature_set: FeatureSet, site: Site) -> Scorecard:
    """Score a candidate, or find it scored against this champion.

    :raises ModelTampered, ModelError: the champion cannot be loaded or asked. That is not "no champion".
    :raises SpecError: a slice's column is no input.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    champion = site.ledger(spec.name).champion()
    key = identity(
        "scorecard",
        candidate=candidate.key,
        model=candidate.model.digest,
        features=feature_set.key,
        champion=champion,
        bless=spec.bless.model_dump(mode="json", include={"confidence", "replicates"}),
        slices=_sliced(spec).model_dump(mode="json", include={"columns", "hour_bands", "min_rows"}),
        timezone=spec.source.timezone,
        **code.inputs(registry.home(spec.bless.metric or spec.metric.name)),
    )
    with threadpool_limits(limits=1):  # thousands of short sums: waiting for other threads costs more than adding
        scorecard = site.once(
            Scorecard, spec.name, key, lambda: _make(spec, candidate, feature_set, champion, site, key)
        )
    site.ledger(spec.name).record_stage("evaluate", scorecard, request)
    return scorecard


def _make(
    spec: Spec, candidate: Candidate, feature_set: FeatureSet, champion: Served | None, site: Site, key: str
) -> Scorecard:
    train = training_rows(spec, feature_set, site)
    holdout = held_out_rows(spec, feature_set, site)
    raw = raw_holdout(feature_set, site)
    drawn, blocks = _blocks(holdout.times)
    contest = Contest(
        holdout.target,
        _challenger_answers(spec, candidate.model, holdout, site),
        None if champion is None else _champion_answers(spec, champion, raw, holdout, site),
        blocks,
    )
    scores = tuple(_score(spec, metric, contest) for metric in _ordered_metrics(spec))
    judged, left_out = _slice_scores(spec, contest, raw, holdout.times)
    against = baselines(spec, train, holdout, feature_set.split_at)
    unstable = _unstable(train, holdout, contest)
    _log(spec, candidate, scores, site)
    return Scorecard(
        key=key,
        pipeline=spec.name,
        candidate=candidate.ref(),
        version=candidate.version,
        champion=None if champion is None else champion.version,
        holdout_rows=len(holdout),
        holdout_days=holdout.times.dt.floor("D").nunique(),
        scores=scores,
        baselines={name: _score(spec, spec.metric, contest.against(answers)) for name, answers in against.items()},
        slices=judged,
        left_out=left_out,
        finite=not unstable,
        unstable=unstable,
        blocks=drawn,
        predictions=keep_frame(site, f"{spec.name}/data/scorecard/{key}/predictions.parquet", _table(contest, holdout)),
    )


# -- who answers what ------------------------------------------------------------------------------------------


def _challenger_answers(spec: Spec, ref: ModelRef, holdout: DesignMatrix, site: Site) -> np.ndarray:
    model = _load(ref, site)
    return _aligned(spec, model, model.predict(holdout.features), holdout.classes)


def _champion_answers(spec: Spec, champion: Served, raw: DataFrame, holdout: DesignMatrix, site: Site) -> np.ndarray:
    """The champion's answers to the raw rows, by way of the features code it was released with."""
    try:
        model = _load(champion.model, site)
        if model.signature.task != spec.task:
            raise ModelError(f"It was trained for a {model.signature.task} task, and the pipeline's is {spec.task}.")
        return _aligned(spec, model, model.predict(model.features(model.conform(raw))), holdout.classes)
    except ModelError as error:
        error.what = (
            f"The champion of pipeline '{spec.name}', version {champion.version}, cannot be asked: {error.what}"
        )
        error.do = error.do or "restore it, return to another version with `retrain rollback`, or rename the pipeline."
        raise


def _load(ref: ModelRef, site: Site) -> Model:
    from retrain.model.model import Model
    from retrain.model.store import fetch_model

    return Model.load(fetch_model(site.store, ref, site.settings.home / "models"))


def _aligned(spec: Spec, model: Model, answers: np.ndarray, classes: tuple[Any, ...]) -> np.ndarray:
    """Probabilities in the order of the feature set's classes; a class a model does not know has probability 0."""
    import numpy as np

    if spec.task == "regression":
        return answers
    known = {spell(value): position for position, value in enumerate(model.signature.classes)}
    aligned = np.zeros((len(answers), len(classes)))
    for position, value in enumerate(classes):
        if spell(value) in known:
            aligned[:, position] = answers[:, known[spell(value)]]
    return aligned


# -- scores and bounds -----------------------------------------------------------------------------------------


def _ordered_metrics(spec: Spec) -> list[Metric]:
    """The deciding metric first."""
    return [spec.metric, *(metric for metric in registry.for_task(spec.task) if metric != spec.metric)]


def _score(spec: Spec, metric: Metric, contest: Contest, confidence: float | None = None) -> Score:
    """One metric of the challenger, the champion, and their difference, each with one-sided bounds."""
    confidence = confidence or spec.bless.confidence
    mine = metric.of(contest.target, contest.challenger)
    value, lower, upper = _bounds(spec, mine, contest.blocks, confidence)
    score = Score(
        metric=metric.name,
        better=metric.better,
        rows=len(contest.target),
        challenger=value,
        challenger_lower=lower,
        challenger_upper=upper,
    )
    if contest.champion is None:
        return score
    theirs = metric.of(contest.target, contest.champion)
    difference, lower, upper = _bounds(spec, lambda w: mine(w) - theirs(w), contest.blocks, confidence)
    champion = metric.point(contest.target, contest.champion)
    return score.model_copy(
        update={
            "champion": champion if isfinite(champion) else None,
            "difference": difference,
            "difference_lower": lower,
            "difference_upper": upper,
        }
    )


def _bounds(
    spec: Spec, statistic: Statistic, blocks: np.ndarray, confidence: float
) -> tuple[float | None, float | None, float | None]:
    """An estimate with its one-sided bounds; None for what cannot be computed."""
    import numpy as np
    from scipy.special import stdtrit

    from retrain.stats.bootstrap import block_bootstrap

    estimate = statistic(np.ones(len(blocks)))
    if not isfinite(estimate):
        return None, None, None
    count = len(np.unique(blocks))
    if count < FEWEST_BLOCKS:
        blocks, count = np.arange(len(blocks)), len(blocks)
    try:
        interval = block_bootstrap(statistic, blocks, replicates=spec.bless.replicates, seed=spec.train.seed)
    except ValueError:  # one row, or a statistic that most draws leave undefined
        return estimate, None, None
    margin = float(stdtrit(count - 1, confidence)) * interval.deviation * sqrt(count / (count - 1))
    return estimate, estimate - margin, estimate + margin


def _blocks(times: Series[Any]) -> tuple[str, np.ndarray]:
    """What the bootstrap draws, and each row's block."""
    import numpy as np

    for name, length in BLOCKS.items():
        blocks = times.dt.floor(length)
        if blocks.nunique() >= FEWEST_BLOCKS:
            return name, blocks.factorize()[0]
    return "rows", np.arange(len(times))


def _slice_scores(
    spec: Spec, contest: Contest, raw: DataFrame, times: Series[Any]
) -> tuple[tuple[SliceScore, ...], tuple[str, ...]]:
    """The deciding metric on each slice that is large enough, and the names of the others.

    With m slices each bound has confidence 1 − (1 − confidence)/m (Bonferroni), so that among many slices one does
    not look worse by chance.
    """
    asked = _sliced(spec)
    found = list(slices(spec, asked, raw, times))
    large = [one for one in found if len(one.rows) >= asked.min_rows]
    left_out = [f"{one.name} ({len(one.rows)} rows)" for one in found if len(one.rows) < asked.min_rows]
    confidence = 1.0 - (1.0 - spec.bless.confidence) / max(len(large), 1)
    judged = []
    for one in large:
        among = contest.among(one.rows)
        score = _score(spec, spec.metric, among, confidence)
        if spec.metric.defined(among.target):
            judged.append(SliceScore(column=one.column, value=one.value, score=score))
        else:
            left_out.append(f"{one.name} ({len(one.rows)} rows of one class)")
    return tuple(judged), tuple(left_out)


def _sliced(spec: Spec) -> Slices:
    """The slices that are asked for; none where the pipeline does not ask that gate."""
    return spec.bless.of(Slices) or Slices()


# -- what is kept ----------------------------------------------------------------------------------------------


def _unstable(train: DesignMatrix, holdout: DesignMatrix, contest: Contest) -> tuple[str, ...]:
    """What is infinite, and what has lost its values: one sentence each.

    A missing value among features is no fault: NaN is how it is written. Rows are in order of time.
    """
    import numpy as np

    columns = zip(holdout.features, train.rows.T, holdout.rows.T, strict=True)
    said = [f"feature {name} {fault}" for name, learnt, asked in columns if (fault := _fault(learnt, asked))]
    if not np.isfinite(contest.challenger).all():
        said.append("the challenger's scores have NaN or infinite values")
    return tuple(said)


def _fault(learnt: np.ndarray, asked: np.ndarray) -> str | None:
    """What is wrong with a feature's values in training and in the holdout, or None."""
    import numpy as np

    from retrain.stats.missingness import lost

    def shares(bad: Callable[[np.ndarray], np.ndarray]) -> str:
        return f"{_share(bad(asked))} held-out and {_share(bad(learnt))} training rows"

    if np.isinf(learnt).any() or np.isinf(asked).any():
        return f"is infinite in {shares(np.isinf)}"
    if lost(~np.isnan(learnt), ~np.isnan(asked)):
        return f"has lost its values: it is missing in {shares(np.isnan)}"
    return None


def _share(bad: np.ndarray) -> str:
    return f"{int(bad.sum()):,} of {len(bad):,} ({bad.mean():.2%})"


def _table(contest: Contest, holdout: DesignMatrix) -> DataFrame:
    """Label and answers of each held-out row; of a multiclass task the likeliest class's position."""
    import pandas as pd

    def shown(answers: np.ndarray) -> np.ndarray:
        if answers.ndim == 1:
            return answers
        return answers[:, 1] if answers.shape[1] == 2 else answers.argmax(axis=1)

    columns = {"time": holdout.times, "label": contest.target, "challenger": shown(contest.challenger)}
    if contest.champion is not None:
        columns["champion"] = shown(contest.champion)
    return pd.DataFrame(columns)


def _log(spec: Spec, candidate: Candidate, scores: tuple[Score, ...], site: Site) -> None:
    values = {f"holdout_{score.metric}": score.challenger for score in scores}
    known = {name: value for name, value in values.items() if value is not None}
    Tracking(site.settings, spec.name).log_metrics(candidate.run_id, known)
