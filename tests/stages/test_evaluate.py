"""Evaluate: candidate, champion and baselines on the same held-out rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from retrain.artifacts import Scorecard
from retrain.data.frames import load_frame
from retrain.errors import ModelError, ModelTampered, SpecError, TrackingError
from retrain.metrics.registry import METRICS
from retrain.modelling.contest import Contest
from retrain.stages import evaluate as stage
from retrain.stages.evaluate import evaluate
from retrain.stats.long_run import Clusters
from retrain.tracking.runs import Tracking


def test_without_a_champion_there_are_scores_baselines_and_bounds(workshop: Any, make_rows: Any) -> None:
    candidate, scorecard, _ = workshop.judge(make_rows())
    assert [score.metric for score in scorecard.scores] == ["brier", "log_loss", "roc_auc", "average_precision"]
    assert scorecard.champion is None
    assert set(scorecard.baselines) == {"majority", "one_feature"}
    for score in scorecard.scores:
        assert score.challenger_lower < score.challenger < score.challenger_upper
        assert score.champion is None
        assert score.difference is None
    majority = scorecard.baselines["majority"]
    assert majority.champion == pytest.approx(0.25, abs=0.01)
    assert majority.difference == pytest.approx(majority.challenger - majority.champion)
    assert scorecard.finite
    assert scorecard.blocks == "days"
    assert scorecard.holdout_days == 11
    run = mlflow.MlflowClient(workshop.site.settings.mlflow_tracking_uri).get_run(candidate.run_id)
    assert run.data.metrics["holdout_brier"] == scorecard.scores[0].challenger


def test_the_run_has_its_pictures_whatever_a_name_says(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame["colour"] = frame["colour"].replace({"green": "$x^{$ ![x](http://evil.example) \u202e\x00" + "y" * 500})
    workshop.write(bless={"slices": {"columns": ["colour"], "min_rows": 100}})
    candidate, _, _ = workshop.judge(frame)
    server = workshop.site.settings.mlflow_tracking_uri
    client = mlflow.MlflowClient(server)
    found = {file.path for file in client.list_artifacts(candidate.run_id, "pictures")}
    assert found == {f"pictures/{name}.png" for name in ("calibration", "confusion", "slices", "importance")}
    folder = mlflow.artifacts.download_artifacts(run_id=candidate.run_id, artifact_path="pictures", tracking_uri=server)
    for picture in Path(folder).iterdir():
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_pictures_that_cannot_be_kept_stop_nothing(
    workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> None:
        raise TrackingError("MLflow is away.")

    monkeypatch.setattr(Tracking, "log_pictures", away)
    _, scorecard, _ = workshop.judge(make_rows())
    assert scorecard.scores
    assert "has no pictures in MLflow: MLflow is away." in caplog.text


def test_slices_are_by_column_and_small_ones_are_left_out_by_name(workshop: Any, make_rows: Any) -> None:
    workshop.write(bless={"slices": {"columns": ["colour"], "min_rows": 100, "hour_bands": True}})
    _, scorecard, _ = workshop.judge(make_rows())
    judged = {(one.column, one.value): one.score.rows for one in scorecard.slices}
    assert set(judged) == {
        ("colour", "green"),
        ("colour", "red"),
        *(("hour_band", band) for band in ("night 0-6", "morning 6-12", "afternoon 12-18", "evening 18-24")),
    }
    (left_out,) = scorecard.left_out
    assert left_out.startswith("colour=blue (")
    small = int(left_out.partition("(")[2].split()[0])
    assert small + judged["colour", "green"] + judged["colour", "red"] == scorecard.holdout_rows


def test_hour_bands_are_local(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame = frame[frame["at"].dt.hour == 3].reset_index(drop=True)  # three at night, evening in New York
    workshop.write(
        bless={"slices": {"hour_bands": True, "min_rows": 10}},
        source={"timezone": "America/New_York"},
        train={"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
    )
    candidate, made = workshop.train(frame)
    scorecard = evaluate(workshop.spec, workshop.request(), candidate, made, workshop.site)
    assert [one.value for one in scorecard.slices] == ["evening 18-24"]


def test_a_missing_value_is_a_slice_of_its_own(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame.loc[::3, "colour"] = None
    _, scorecard, _ = workshop.judge(frame)
    assert "missing" in {one.value for one in scorecard.slices}


def test_a_slice_of_one_class_is_left_out_of_a_ranking_metric_by_name(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame = frame[(frame["colour"] != "green") | frame["late"]].reset_index(drop=True)
    workshop.write(bless={"metric": "roc_auc", "slices": {"columns": ["colour"], "min_rows": 50}})
    _, scorecard, _ = workshop.judge(frame)
    assert [one.value for one in scorecard.slices] == ["red"]
    assert any("green" in name and "one class" in name for name in scorecard.left_out)


def test_an_unknown_slice_column_is_named(workshop: Any, make_rows: Any) -> None:
    workshop.write(bless={"slices": {"columns": ["color"]}})
    with pytest.raises(SpecError, match="an input: x, colour, leak") as caught:
        workshop.judge(make_rows())
    assert caught.value.key == "bless.slices.columns.0"


def test_the_champion_answers_with_its_own_features_code(with_champion: Any, make_rows: Any) -> None:
    workshop = with_champion
    code = (workshop.folder / "features.py").read_text()
    (workshop.folder / "features.py").write_text(
        code.replace('frame["x"].astype(float)', 'frame["x"].astype(float) * 0')
    )
    _, scorecard, verdict = workshop.judge(make_rows(seed=1), "run-1")
    assert scorecard.champion == 1
    brier = scorecard.score("brier")
    assert brier.champion == pytest.approx(0.17, abs=0.02)  # it still sees x
    assert brier.challenger > 0.22  # the challenger does not
    assert brier.difference == pytest.approx(brier.challenger - brier.champion)
    assert verdict.outcome == "vetoed"


def test_the_champion_is_asked_on_rows_that_lack_a_column_it_knew(with_champion: Any, make_rows: Any) -> None:
    workshop = with_champion
    workshop.write(source={"inputs": ["x", "colour"]})
    (workshop.folder / "features.py").write_text(
        "def build(frame):\n    return frame[['x']].assign(red=(frame['colour'] == 'red').astype(float))\n"
    )
    _, scorecard, _ = workshop.judge(make_rows(seed=1), "run-1")
    assert scorecard.score("brier").champion is not None


def test_held_out_rows_and_answers_are_kept(with_champion: Any, make_rows: Any) -> None:
    workshop = with_champion
    _, scorecard, _ = workshop.judge(make_rows(seed=1), "run-1")
    table = load_frame(workshop.site, scorecard.predictions)
    assert list(table) == ["time", "label", "challenger", "champion"]
    assert len(table) == scorecard.holdout_rows
    brier = ((table["challenger"] - table["label"]) ** 2).mean()
    assert brier == pytest.approx(scorecard.score("brier").challenger)


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"evil"), lambda file: file.unlink()])
def test_a_champion_that_was_tampered_with_is_an_error(with_champion: Any, make_rows: Any, damage: Any) -> None:
    workshop = with_champion
    candidate, made = workshop.train(make_rows(seed=1))
    path = workshop.site.ledger(workshop.spec.name).champion().model.path
    damage(workshop.site.store.root / path / "data" / "estimator.pkl")
    for cached in (workshop.site.settings.home / "models").glob("*/data/estimator.pkl"):
        cached.unlink()
    with pytest.raises(ModelTampered, match="champion of pipeline 'judged', version 1"):
        evaluate(workshop.spec, workshop.request(), candidate, made, workshop.site)


def test_a_champion_of_another_task_is_an_error(with_champion: Any, make_rows: Any) -> None:
    workshop = with_champion
    frame = make_rows(seed=1)
    frame["late"] = frame["x"]
    ridge = {"estimator": "sklearn.linear_model.Ridge", "scale": True}
    workshop.write(task="regression", train={"candidates": [ridge]})
    with pytest.raises(ModelError, match="trained for a binary task"):
        workshop.judge(frame, "run-1")


def test_an_infinite_feature_is_named(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    code = (workshop.folder / "features.py").read_text()
    code = code.replace('frame["leak"].astype(float)', '(1.0 / frame["leak"].astype(float).clip(lower=0))')
    (workshop.folder / "features.py").write_text(code)
    workshop.write(train={"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]})
    candidate, made = workshop.train(frame)
    found = stage._unstable(
        stage.training_rows(workshop.spec, made, workshop.site),
        stage.held_out_rows(workshop.spec, made, workshop.site),
        Contest(np.zeros(1), np.array([0.5]), None, Clusters(np.zeros(1, dtype=np.int64), 1)),
    )
    (leak,) = found
    share = r"[\d,]+ of [\d,]+ \([\d.]+%\)"
    assert re.fullmatch(f"feature leak is infinite in {share} held-out and {share} training rows", leak)
    assert candidate.finite


def test_a_holdout_of_few_days_has_scores_and_no_bounds(workshop: Any, make_rows: Any) -> None:
    workshop.write(train={"holdout": "2d", "tuning": "2d"})
    _, scorecard, verdict = workshop.judge(make_rows())
    assert scorecard.holdout_days == 3
    assert scorecard.scores[0].challenger is not None
    assert scorecard.scores[0].challenger_upper is None
    assert verdict.outcome == "undecided"
    assert "lie on 3 days, and a bound needs 7: make `train.holdout` 7d or longer" in verdict.reason


def test_a_slice_on_few_days_is_left_out_by_name(with_champion: Any, make_rows: Any) -> None:
    frame = make_rows(seed=1)
    last = frame["at"] >= frame["at"].max() - np.timedelta64(3, "D")
    frame.loc[last, "colour"] = "violet"
    _, scorecard, _ = with_champion.judge(frame, "run-1")
    assert any(re.fullmatch(r"colour=violet \(\d+ rows on 4 days\)", name) for name in scorecard.left_out)


def test_shares_of_the_constants_loss_are_kept(with_champion: Any, make_rows: Any) -> None:
    _, scorecard, _ = with_champion.judge(make_rows(seed=1), "run-1")
    share, brier = scorecard.share, scorecard.score("brier")
    constant = scorecard.levelled["majority"].champion
    assert share.challenger == pytest.approx(brier.challenger / constant)
    assert share.champion == pytest.approx(brier.champion / constant)
    assert share.champion_lower < share.champion < share.champion_upper
    assert constant <= scorecard.baselines["majority"].champion


def test_entities_that_come_back_widen_the_bounds(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame["who"] = [f"w{number % 20}" for number in range(len(frame))]
    wide = frame["who"].isin([f"w{number}" for number in range(10)])
    frame.loc[wide, "late"] = np.random.default_rng(0).random(int(wide.sum())) < 0.5  # nobody can tell of these

    def width(**source: Any) -> float:
        workshop.write(source=source)
        _, scorecard, _ = workshop.judge(frame, f"run-{len(source)}")
        score = scorecard.scores[0]
        return score.challenger_upper - score.challenger

    assert width(entity="who", key=["who", "at"]) > 1.1 * width()


def test_the_same_scorecard_is_found_again_and_another_champion_makes_another(
    with_champion: Any, make_rows: Any
) -> None:
    workshop = with_champion
    candidate, made = workshop.train(make_rows(seed=1))
    request = workshop.request()
    first = evaluate(workshop.spec, request, candidate, made, workshop.site)
    assert evaluate(workshop.spec, request, candidate, made, workshop.fresh_site()) == first
    assert Scorecard.from_bytes(first.to_bytes()) == first
    other, _ = workshop.train(make_rows(seed=2), "run-2")
    workshop.promote(other)
    again = evaluate(workshop.spec, workshop.request("run-3"), candidate, made, workshop.site)
    assert again.key != first.key
    assert again.champion == other.version


# -- metrics ---------------------------------------------------------------------------------------------------


def test_metrics_are_scikit_learns() -> None:
    from sklearn import metrics as reference

    random = np.random.default_rng(3)
    target = random.integers(0, 2, 500)
    p = np.round(np.clip(target * 0.3 + random.random(500) * 0.7, 0.01, 0.99), 1)  # with ties
    scores, weights = np.column_stack([1 - p, p]), random.integers(0, 4, 500).astype(float)

    def mine(name: str) -> float:
        return METRICS[name].of(target, scores)(weights)

    assert mine("brier") == pytest.approx(reference.brier_score_loss(target, p, sample_weight=weights))
    assert mine("log_loss") == pytest.approx(reference.log_loss(target, p, sample_weight=weights))
    assert mine("roc_auc") == pytest.approx(reference.roc_auc_score(target, p, sample_weight=weights))
    assert mine("average_precision") == pytest.approx(
        reference.average_precision_score(target, p, sample_weight=weights)
    )
    truth, guess = random.normal(size=500), random.normal(size=500)
    assert METRICS["mae"].point(truth, guess) == pytest.approx(reference.mean_absolute_error(truth, guess))
    assert METRICS["rmse"].point(truth, guess) == pytest.approx(reference.root_mean_squared_error(truth, guess))
    three = random.dirichlet([1, 1, 1], size=500)
    kinds = random.integers(0, 3, 500)
    assert METRICS["accuracy"].point(kinds, three) == pytest.approx(
        reference.accuracy_score(kinds, three.argmax(axis=1))
    )
    assert METRICS["log_loss"].point(kinds, three) == pytest.approx(reference.log_loss(kinds, three))


def test_what_cannot_be_computed_is_not_a_number() -> None:
    one_class = np.ones(5, dtype=int)
    scores = np.full((5, 2), 0.5)
    assert np.isnan(METRICS["roc_auc"].point(one_class, scores))
    assert np.isnan(METRICS["average_precision"].point(0 * one_class, scores))
    assert np.isnan(METRICS["brier"].point(one_class, scores * np.nan))
    assert np.isnan(METRICS["brier"].point(one_class[:0], scores[:0]))
