"""Train: the search, the fit, the model that is kept and the version it becomes."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from retrain.errors import (
    FeatureError,
    LedgerError,
    LedgerRewritten,
    RetrainError,
    SpecError,
    TrackingError,
    TrainingError,
)
from retrain.ledger import Trained
from retrain.model.model import Model
from retrain.model.store import fetch_model
from retrain.modelling import search
from retrain.site import Site
from retrain.stages import train as stage
from retrain.tracking.runs import Tracking

TREES = {
    "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
    "params": {"max_iter": 15, "max_leaf_nodes": 7},
}


class Killed(BaseException):
    """What a SIGKILL looks like to the code it hits: nothing catches it."""


def killed(*_: Any, **__: Any) -> None:
    raise Killed


def runs(workshop: Any) -> list[Any]:
    client = mlflow.MlflowClient(workshop.site.settings.mlflow_tracking_uri)
    experiment = client.get_experiment_by_name(workshop.spec.name)
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def test_a_candidate_is_numbered_logged_and_kept(
    workshop: Any, make_rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    candidate, made = workshop.train(make_rows())
    assert candidate.version == 1
    assert candidate.tried == 3
    assert candidate.finite
    assert candidate.train_rows == made.train_rows
    assert candidate.environment["scikit-learn"]

    entry, _ = next(workshop.site.ledger(workshop.spec.name).of(Trained))
    assert entry.body.version == 1
    assert entry.body.model == candidate.model
    assert entry.body.candidate == candidate.ref().model_copy(update={"sha256": None}), "numbered before it is kept"
    assert entry.once == f"trained/{candidate.key}"

    (run,) = runs(workshop)
    assert run.info.run_id == candidate.run_id
    assert run.info.status == "FINISHED"
    assert run.data.tags["retrain.candidate"] == candidate.key
    assert run.data.tags["retrain.version"] == "1"
    assert run.data.params["features_sha256"] == made.sha256
    assert run.inputs.dataset_inputs[0].dataset.digest == candidate.snapshot.key

    client = mlflow.MlflowClient(workshop.site.settings.mlflow_tracking_uri)
    registered = client.get_model_version_by_alias(workshop.spec.name, "challenger")
    assert registered.run_id == candidate.run_id
    assert registered.tags["retrain.version"] == "1"
    assert not list(elsewhere.iterdir())  # neither MLflow nor we litter the folder somebody stands in


def test_mlflow_loads_the_registered_model_and_answers_raw_rows(
    workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = make_rows()
    candidate, _ = workshop.train(frame)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workshop.site.settings.mlflow_tracking_uri)
    loaded = mlflow.pyfunc.load_model(f"models:/{workshop.spec.name}@challenger")
    raw = frame[["x", "colour", "leak"]].tail(20).reset_index(drop=True)
    model = Model.load(fetch_model(workshop.site.store, candidate.model, workshop.site.settings.home / "cache"))
    assert loaded.predict(raw)["probability"].tolist() == model.answer(raw).scores.tolist()
    assert [column.name for column in loaded.metadata.get_input_schema()] == ["x", "colour", "leak"]


def test_the_same_inputs_give_the_same_model_in_another_place(workshop: Any, make_rows: Any) -> None:
    first, _ = workshop.train(make_rows())
    workshop.start_anew()
    with threadpool_limits(limits=4):
        second, _ = workshop.train(make_rows())
    assert second.model.digest == first.model.digest
    assert second.key == first.key
    assert [run.info.run_id for run in runs(workshop)] == [second.run_id]


def test_doing_it_again_changes_nothing(workshop: Any, make_rows: Any) -> None:
    first, _ = workshop.train(make_rows())
    head = workshop.site.ledger(workshop.spec.name).head
    workshop.fresh_site()
    again, _ = workshop.train(make_rows())
    assert again == first
    assert workshop.site.ledger(workshop.spec.name).head == head
    assert len(runs(workshop)) == 1


@pytest.mark.parametrize(
    "where",
    [
        "retrain.stages.train.keep_model",
        "retrain.tracking.runs.Tracking.log_run",
        "mlflow.MlflowClient.log_model_artifacts",
        "mlflow.MlflowClient.set_terminated",
        "retrain.stages.train._number",
        "retrain.tracking.runs.Tracking.register",
        "mlflow.MlflowClient.set_registered_model_alias",
    ],
)
def test_killed_and_run_again_there_is_one_version(
    workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    frame = make_rows()
    with monkeypatch.context() as patch:
        patch.setattr(where, killed)
        with pytest.raises(Killed):
            workshop.train(frame)
    workshop.fresh_site()
    candidate, _ = workshop.train(frame)
    ledger = workshop.site.ledger(workshop.spec.name)
    assert [body.version for _, body in ledger.of(Trained)] == [1]
    (run,) = runs(workshop)
    assert run.info.run_id == candidate.run_id == next(ledger.of(Trained))[1].run_id
    assert run.info.status == "FINISHED"
    client = mlflow.MlflowClient(workshop.site.settings.mlflow_tracking_uri)
    assert len(client.search_model_versions(f"name = '{workshop.spec.name}'")) == 1
    assert candidate.version == 1


def test_what_was_fitted_before_mlflow_failed_is_not_fitted_again(
    workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise TrackingError("MLflow is away.")

    frame = make_rows()
    with monkeypatch.context() as patch:
        patch.setattr(Tracking, "log_run", refuse)
        with pytest.raises(TrackingError) as caught:
            workshop.train(frame)
    assert caught.value.retryable
    monkeypatch.setattr(stage, "_fit", killed)
    candidate, _ = workshop.train(frame)
    assert candidate.version == 1


def test_a_version_that_somebody_else_took_meanwhile_is_not_given_twice(
    workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = Tracking.log_run
    raced = []

    def race(self: Tracking, *arguments: Any) -> str:
        if not raced:
            raced.append(True)
            other, _ = workshop.train(make_rows(seed=5), "run-other")
            assert other.version == 1
        return register(self, *arguments)

    monkeypatch.setattr(Tracking, "log_run", race)
    candidate, _ = workshop.train(make_rows(seed=6))
    assert candidate.version == 2


def test_two_at_once_make_one_candidate(workshop: Any, make_rows: Any) -> None:
    snapshot, made = workshop.features(make_rows())
    refused: list[RetrainError] = []

    def attempt(_: int) -> Any:
        for _ in range(5):
            site = Site(workshop.site.settings)
            try:
                return stage.train(workshop.spec, workshop.request(), made, snapshot, site)
            except RetrainError as error:
                refused.append(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(attempt, range(2))
    assert one == two
    assert one.version == 1
    assert all(error.retryable for error in refused)
    client = mlflow.MlflowClient(workshop.site.settings.mlflow_tracking_uri)
    assert len(client.search_model_versions(f"name = '{workshop.spec.name}'")) == 1
    (run,) = runs(workshop)
    assert run.info.run_id == one.run_id
    assert len(list(workshop.fresh_site().ledger(workshop.spec.name).of(Trained))) == 1


def test_settings_are_chosen_before_the_holdout_and_refitted_on_all_of_it(
    workshop: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    fit = search.fit

    def watch(spec: Any, setting: Any, matrix: Any) -> Any:
        seen.append((len(matrix), matrix.times.max()))
        return fit(spec, setting, matrix)

    monkeypatch.setattr(search, "fit", watch)
    _, made = workshop.train(make_rows())
    *tried, final = seen
    assert all(newest < made.split_at - timedelta(days=5) for _, newest in tried)
    assert final[1] < made.split_at
    assert final[0] == made.train_rows > tried[0][0]


def test_a_regression_and_a_multiclass_task(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame["late"] = 2.0 * frame["x"] + np.random.default_rng(99).normal(size=len(frame)) * 0.1
    ridge = {"estimator": "sklearn.linear_model.Ridge", "search": {"alpha": [0.1, 100.0]}, "scale": True}
    workshop.write(task="regression", train={"candidates": [ridge]})
    _, scorecard, verdict = workshop.judge(frame, "run-regression")
    assert scorecard.scores[0].metric == "rmse"
    assert scorecard.scores[0].challenger == pytest.approx(0.1, rel=0.1)
    assert set(scorecard.baselines) == {"mean", "one_feature"}
    assert verdict.outcome == "undecided" or "one-feature" in verdict.reason  # x alone says it all

    frame["late"] = np.select([frame["x"] > 0.7, frame["x"] > -0.7], ["high", "middle"], "low")
    workshop.write(task="multiclass", train={"candidates": [TREES]})
    candidate, scorecard, _ = workshop.judge(frame, "run-multiclass")
    model = Model.load(fetch_model(workshop.site.store, candidate.model, workshop.site.settings.home / "cache"))
    (answer,) = model.answer(model.frame([{"x": 3.0, "colour": "red", "leak": 0.0}])).output
    assert answer["prediction"] == "high"
    assert sum(answer["probabilities"].values()) == pytest.approx(1.0)
    assert scorecard.score("accuracy").challenger > 0.95


# -- mistakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "key", "says"),
    [
        ({"estimator": "sklearn.linear_model.LogisticRegresion"}, "estimator", "LogisticRegresion"),
        ({"estimator": "no_such_package.Model"}, "estimator", "no_such_package"),
        ({"estimator": "Model"}, "estimator", "import path"),
        ({"estimator": "sklearn.preprocessing.StandardScaler"}, "estimator", "predict_proba"),
        ({"estimator": "sklearn.linear_model.LogisticRegression", "params": {"depth": 3}}, "params", "depth"),
    ],
)
def test_a_wrong_estimator_is_named_with_its_line(
    workshop: Any, make_rows: Any, candidate: dict[str, Any], key: str, says: str
) -> None:
    workshop.write(train={"candidates": [candidate]})
    with pytest.raises(SpecError, match=says) as caught:
        workshop.train(make_rows())
    assert caught.value.key == f"train.candidates.0.{key}"
    assert caught.value.line
    assert workshop.site.ledger(workshop.spec.name).next_version("any") == 1


def test_an_estimator_that_cannot_take_missing_values_says_what_to_do(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame.loc[::7, "x"] = np.nan
    workshop.write(train={"candidates": [{"estimator": "sklearn.linear_model.LogisticRegression"}]})
    with pytest.raises(TrainingError, match="scale: true"):
        workshop.train(frame)
    workshop.write(train={"candidates": [{"estimator": "sklearn.linear_model.LogisticRegression", "scale": True}]})
    assert workshop.train(frame, "run-2")[0].finite


def test_an_empty_tuning_stretch_is_refused(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    split = frame["at"].max() - timedelta(days=10)
    frame = frame[(frame["at"] < split - timedelta(days=6)) | (frame["at"] > split)].reset_index(drop=True)
    with pytest.raises(TrainingError, match=r"0 to choose settings on"):
        workshop.train(frame)


def test_feature_code_that_changed_since_the_features_were_made_is_refused(workshop: Any, make_rows: Any) -> None:
    snapshot, made = workshop.features(make_rows())
    (workshop.folder / "features.py").write_text((workshop.folder / "features.py").read_text() + "\n# changed\n")
    with pytest.raises(FeatureError, match="changed after its features were made"):
        stage.train(workshop.spec, workshop.request(), made, snapshot, workshop.site)


def test_a_candidate_without_its_ledger_is_refused(workshop: Any, make_rows: Any, tmp_path: Path) -> None:
    frame = make_rows()
    workshop.train(frame)
    (workshop.site.settings.home / "store" / workshop.spec.name / "ledger").rename(tmp_path / "lost")
    workshop.fresh_site()
    with pytest.raises(LedgerRewritten, match="which was read before, is not there"):
        workshop.train(frame)
    shutil.rmtree(workshop.site.settings.home / "ledgers")  # a machine that has never read it
    workshop.fresh_site()
    with pytest.raises(LedgerError, match="never gave it that number"):
        workshop.train(frame)


def test_weights_that_are_not_finite_are_seen(workshop: Any, make_rows: Any, odd_estimators: str) -> None:
    workshop.write(train={"candidates": [{"estimator": f"{odd_estimators}.NaNWeights", "scale": True}]})
    candidate, _, verdict = workshop.judge(make_rows())
    assert not candidate.finite
    assert verdict.outcome == "vetoed"
    assert "stability gate: the model's weights have NaN or infinite values" in verdict.reason


def test_answers_that_are_never_finite_are_no_model(workshop: Any, make_rows: Any, odd_estimators: str) -> None:
    workshop.write(train={"candidates": [{"estimator": f"{odd_estimators}.NaNAnswers", "scale": True}]})
    with pytest.raises(TrainingError, match="finite brier"):
        workshop.train(make_rows())


@pytest.fixture
def odd_estimators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of estimators that go wrong."""
    (tmp_path / "odd_estimators.py").write_text(
        """
import numpy as np
from sklearn.linear_model import LogisticRegression

class NaNWeights(LogisticRegression):
    def fit(self, X, y):
        super().fit(X, y)
        self.calibration_ = [np.array([1.0, np.nan])]
        return self

class NaNAnswers(LogisticRegression):
    def predict_proba(self, X):
        return super().predict_proba(X) * np.nan
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_estimators", raising=False)
    return "odd_estimators"


# -- the search ------------------------------------------------------------------------------------------------


def test_within_the_budget_the_whole_grid_is_tried_in_the_specs_order(workshop: Any) -> None:
    assert [one.params for one in search.settings(workshop.spec)] == [
        {"C": 0.1},
        {"C": 1.0},
        {"max_iter": 15, "max_leaf_nodes": 7},
    ]


def test_beyond_the_budget_every_candidate_has_its_turn_and_the_sample_is_seeded(workshop: Any) -> None:
    wide = {"estimator": "sklearn.linear_model.LogisticRegression", "search": {"C": [10.0**n for n in range(50)]}}
    spec = workshop.write(train={"candidates": [wide, TREES], "budget": 6})
    chosen = search.settings(spec)
    assert len(chosen) == 6
    assert [one.position for one in chosen] == [0, 0, 0, 0, 0, 1]
    assert chosen == search.settings(spec)
    other = workshop.write(train={"candidates": [wide, TREES], "budget": 6, "seed": 9})
    assert chosen != search.settings(other)


def test_the_seed_reaches_the_estimator_unless_the_spec_sets_one(workshop: Any) -> None:
    forest = {"estimator": "sklearn.ensemble.RandomForestClassifier"}
    spec = workshop.write(train={"candidates": [forest, {**forest, "params": {"random_state": 77}}]})
    first, second = (search.build(spec, one) for one in search.settings(spec))
    assert (first.random_state, second.random_state) == (1, 77)
