"""Evaluate: challenger, champion and baselines on the same held-out days, with bounds.

Rows of one day hang together (weather, a strike), a day resembles the one before, and the same entities come back.
The bounds allow for all three; :mod:`retrain.stats.long_run` says how. With fewer days than it needs there are none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Candidate, FeatureSet, ModelRef, Request, Score, Scorecard, SliceScore, code, identity
from retrain.artifacts.scorecard import FEWEST_DAYS
from retrain.data.frames import keep_frame
from retrain.data.holdout import raw_holdout
from retrain.errors import ModelError
from retrain.gates.slices import Slices
from retrain.ledger.release import Served
from retrain.metrics import registry
from retrain.metrics.base import Metric
from retrain.metrics.classes import spell
from retrain.modelling.baselines import baselines
from retrain.modelling.contest import Contest, beside, score, scores
from retrain.modelling.design_matrix import DesignMatrix, held_out_entities, held_out_rows, training_rows
from retrain.modelling.slicing import Slice, slices
from retrain.site import Site
from retrain.spec import Spec
from retrain.tracking.runs import Tracking

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series

    from retrain.model.model import Model
    from retrain.stats.long_run import Clusters

log = logging.getLogger(__name__)

METHOD = "cosines of days, entities, ratios of losses, levelled baselines"
"""How bounds are found: a part of a scorecard's name, so that one of another method is not taken for this."""


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
        method=METHOD,
        confidence=spec.bless.confidence,
        slices=_sliced(spec).model_dump(mode="json", include={"columns", "hour_bands", "min_rows"}),
        timezone=spec.source.timezone,
        **code.inputs(registry.home(spec.bless.metric or spec.metric.name)),
    )
    with threadpool_limits(limits=1):  # many short sums: waiting for other threads costs more than adding
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
    contest = Contest(
        holdout.target,
        _challenger_answers(spec, candidate.model, holdout, site),
        None if champion is None else _champion_answers(spec, champion, raw, holdout, site),
        _clusters(holdout.times, held_out_entities(feature_set, site)),
    )
    overall = tuple(score(metric, contest, spec.bless.confidence) for metric in _ordered_metrics(spec))
    judged, left_out = _slice_scores(spec, contest, raw, holdout.times)
    against = baselines(spec, train, holdout, feature_set.split_at)
    unstable = _unstable(train, holdout, contest)
    table = _table(contest, holdout)
    _log(spec, candidate, overall, site)
    scorecard = Scorecard(
        key=key,
        pipeline=spec.name,
        candidate=candidate.ref(),
        version=candidate.version,
        champion=None if champion is None else champion.version,
        holdout_rows=len(holdout),
        holdout_days=contest.clusters.count,
        scores=overall,
        **beside(spec.metric, contest, against, spec.bless.confidence),
        slices=judged,
        left_out=left_out,
        finite=not unstable,
        unstable=unstable,
        predictions=keep_frame(site, f"{spec.name}/data/scorecard/{key}/predictions.parquet", table),
    )
    _draw(spec, candidate, scorecard, table, holdout, site)
    return scorecard


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


def _clusters(times: Series[Any], entities: Series[Any]) -> Clusters:
    """The day and the entity of each row, as numbers; rows that are about nobody are each about somebody else."""
    import numpy as np

    from retrain.stats.long_run import Clusters

    days, names = times.dt.floor("D").factorize(sort=True)
    if entities.isna().all():
        return Clusters(days, len(names))
    codes, known = entities.factorize()
    nobody = np.flatnonzero(codes < 0)
    codes[nobody] = len(known) + np.arange(len(nobody))
    return Clusters(days, len(names), codes)


def _slice_scores(
    spec: Spec, contest: Contest, raw: DataFrame, times: Series[Any]
) -> tuple[tuple[SliceScore, ...], tuple[str, ...]]:
    """The deciding metric on each slice that is large enough, and the names of the others.

    All bounds hold together, so that among many slices one does not look worse by chance.
    """
    contests: list[tuple[Slice, Contest]] = []
    left_out: list[str] = []
    for one in slices(spec, _sliced(spec), raw, times):
        among = contest.among(one.rows)
        lack = _lack(spec, among)
        if lack is None:
            contests.append((one, among))
        else:
            left_out.append(f"{one.name} ({len(one.rows)} rows{lack})")
    judged = []
    found = scores(spec.metric, [among for _, among in contests], spec.bless.confidence)
    for (one, _), scored in zip(contests, found, strict=True):
        if scored.challenger is not None and scored.challenger_lower is None:
            left_out.append(f"{one.name} ({scored.rows} rows of one class on all days but one)")
        else:
            judged.append(SliceScore(column=one.column, value=one.value, score=scored))
    return tuple(judged), tuple(left_out)


def _lack(spec: Spec, contest: Contest) -> str | None:
    """Why a slice has no bounds, to be said after its number of rows; None if it has."""
    if len(contest.target) < _sliced(spec).min_rows:
        return ""
    if contest.clusters.present < FEWEST_DAYS:
        return f" on {contest.clusters.present} days"
    return None if spec.metric.defined(contest.target) else " of one class"


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


def _draw(
    spec: Spec, candidate: Candidate, scorecard: Scorecard, table: DataFrame, holdout: DesignMatrix, site: Site
) -> None:
    """Put the pictures beside the run, if that can be done. They decide nothing, so nothing waits for them."""
    from retrain.modelling.importance import importances
    from retrain.tracking.pictures import draw

    try:
        model = _load(candidate.model, site)
        leaning = importances(
            holdout.features,
            holdout.target,
            lambda features: _aligned(spec, model, model.predict(features), holdout.classes),
            spec.metric,
        )
        pictures = draw(scorecard, table, leaning, spec.task, holdout.classes)
        Tracking(site.settings, spec.name).log_pictures(candidate.run_id, pictures)
    except Exception as error:  # whatever a model, a drawing or MLflow may think of
        log.warning("Version %s of '%s' has no pictures in MLflow: %s", candidate.version, spec.name, error)
