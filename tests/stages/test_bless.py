"""Bless: the gates have their say, and anything that is not a clear yes deploys nothing."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

import acme
from retrain.artifacts import Candidate, FeatureSet, GateResult, Scorecard, Verdict, canonical
from retrain.errors import ArtifactChanged, LedgerError, MetricError, StoreError, TrainingError
from retrain.gates.base import Gate
from retrain.ledger import Judged, Ledger
from retrain.stages.bless import ask, bless, decide
from retrain.stages.evaluate import evaluate
from retrain.stages.freshness import freshness
from retrain.stages.redeploy import redeployed


def gate(verdict: Verdict, name: str) -> GateResult:
    return next(result for result in verdict.gates if result.gate == name)


def test_a_first_honest_model_is_blessed_on_baselines_and_the_verdict_says_so(workshop: Any, make_rows: Any) -> None:
    _, _, verdict = workshop.judge(make_rows())
    assert verdict.outcome == "blessed"
    assert verdict.reason.startswith("no champion yet")
    assert {result.gate: result.outcome for result in verdict.gates} == {
        "stability": "passed",
        "inputs": "passed",
        "value": "not applied",
        "baseline": "passed",
        "change": "not applied",
        "decay": "not applied",
        "suspicious": "not applied",
        "slices": "not applied",
    }


def test_an_honest_challenger_is_blessed_against_the_champion(with_champion: Any, make_rows: Any) -> None:
    _, _, verdict = with_champion.judge(make_rows(seed=1), "run-1")
    assert verdict.outcome == "blessed", verdict.reason
    assert verdict.champion == 1
    assert gate(verdict, "change").outcome == "passed"
    assert gate(verdict, "suspicious").outcome == "passed"
    slices = gate(verdict, "slices")
    assert slices.outcome == "passed"
    assert "colour=blue" in slices.reason


def test_a_sparse_feature_is_no_fault_though_the_holdout_has_none_of_it(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame["leak"] = np.nan
    frame.loc[[100, 1100, 2100], "leak"] = 1.0  # 99.9 % are missing
    _, _, verdict = workshop.judge(frame)
    assert gate(verdict, "stability").outcome == "passed"
    assert verdict.outcome == "blessed", verdict.reason


def test_a_feature_of_a_week_that_is_over_is_no_fault(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame["leak"] = frame["leak"].where((frame.index > 600) & (frame.index < 1020))  # 7 of 40 days, then 23 without
    _, _, verdict = workshop.judge(frame)
    assert gate(verdict, "stability").outcome == "passed"
    assert verdict.outcome == "blessed", verdict.reason


def test_a_feature_that_was_always_there_and_is_now_missing_is_vetoed_by_name(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame.loc[frame.index[-601:], "leak"] = np.nan
    frame.loc[5, "leak"] = np.nan
    _, _, verdict = workshop.judge(frame)
    assert verdict.outcome == "vetoed"
    assert gate(verdict, "stability").reason == (
        "feature leak has lost its values: "
        "it is missing in 601 of 601 (100.00%) held-out and 1 of 2,399 (0.04%) training rows"
    )


def test_a_cleared_run_that_comes_to_another_model_has_that_one_judged_too(with_champion: Any, make_rows: Any) -> None:
    with_champion.judge(make_rows(seed=1), "run-1")
    with_champion.judge(make_rows(seed=2), "run-1")
    with_champion.judge(make_rows(seed=2), "run-1")
    ledger = with_champion.site.ledger(with_champion.spec.name)
    judged = [body.version for entry, body in ledger.of(Judged) if entry.run == "run-1"]
    assert judged == [3, 2], "each version once"
    assert all(ledger.version(number).blessed for number in judged)


def test_labels_shuffled_before_the_holdout_are_vetoed_by_the_change_gate(with_champion: Any, make_rows: Any) -> None:
    frame = make_rows(seed=1)
    old = (frame["at"] < frame["at"].max() - np.timedelta64(10, "D")).to_numpy()
    frame.loc[old, "late"] = np.random.default_rng(0).permutation(frame.loc[old, "late"])
    _, _, verdict = with_champion.judge(frame, "run-1")
    assert verdict.outcome == "vetoed"
    assert gate(verdict, "change").outcome == "failed"
    assert "change gate: brier" in verdict.reason


def test_labels_shuffled_everywhere_are_not_blessed_by_the_baseline_gate(workshop: Any, make_rows: Any) -> None:
    frame = make_rows(seed=1)
    frame["late"] = np.random.default_rng(0).permutation(frame["late"])
    _, _, verdict = workshop.judge(frame)
    assert verdict.outcome == "vetoed"
    assert gate(verdict, "baseline").outcome == "failed"


def test_a_feature_that_knows_the_label_is_vetoed_as_suspicious(with_champion: Any, make_rows: Any) -> None:
    _, _, verdict = with_champion.judge(make_rows(seed=1, leak=True), "run-1")
    assert verdict.outcome == "vetoed"
    assert "suspiciously better" in verdict.reason
    assert gate(verdict, "suspicious").outcome == "failed"
    assert gate(verdict, "change").outcome == "passed"


def test_the_verdict_is_written_once_and_names_the_gates(workshop: Any, make_rows: Any) -> None:
    candidate, scorecard, verdict = workshop.judge(make_rows())
    head = workshop.site.ledger(workshop.spec.name).head
    again = bless(workshop.spec, workshop.request(), scorecard, workshop.fresh_site())
    ledger = workshop.site.ledger(workshop.spec.name)
    assert again == verdict
    assert ledger.head == head
    entry, _ = next(ledger.of(Judged))
    assert entry.body.by == "gates"
    assert entry.body.outcome == "blessed"
    assert ledger.version(candidate.version).blessed


def test_a_lost_ledger_does_not_make_a_first_model(workshop: Any, make_rows: Any) -> None:
    client = mlflow.MlflowClient(workshop.site.settings.mlflow_tracking_uri)
    workshop.train(make_rows())
    client.set_registered_model_alias(workshop.spec.name, "champion", "1")
    with pytest.raises(LedgerError, match="knows no champion, but MLflow does: version 1"):
        workshop.judge(make_rows())
    client.delete_registered_model_alias(workshop.spec.name, "champion")
    assert workshop.judge(make_rows())[2].outcome == "blessed"


def test_one_failure_vetoes_and_one_doubt_leaves_it_undecided() -> None:
    def results(**outcomes: Any) -> tuple[GateResult, ...]:
        return tuple(GateResult(gate=name, outcome=outcome, reason="so") for name, outcome in outcomes.items())

    assert decide(results(a="passed", b="undecided", c="failed")) == ("vetoed", "c gate: so")
    assert decide(results(a="passed", b="undecided", c="not applied")) == ("undecided", "b gate: so")
    assert decide(results(a="passed", b="not applied"))[0] == "blessed"
    assert decide(results(a="not applied"))[0] == "undecided"
    assert decide(())[0] == "undecided"


# -- what the champion was blessed at ----------------------------------------------------------------------------


def measured(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same rows with a number to predict."""
    frame["late"] = 3 * frame["x"] + 0.3 * np.random.default_rng(seed + 50).normal(size=len(frame))
    return frame


def moved(frame: pd.DataFrame) -> pd.DataFrame:
    """The same in a world where x means the opposite."""
    frame["x"] = -frame["x"]
    return frame


def test_rows_that_broke_for_both_models_are_not_blessed(workshop: Any, make_rows: Any) -> None:
    ridge = {"estimator": "sklearn.linear_model.Ridge", "search": {"alpha": [1.0]}}
    workshop.write(task="regression", train={"candidates": [ridge], "budget": 1}, bless={"change": None})
    first, _, verdict = workshop.judge(measured(make_rows(), 0), "run-0")
    assert verdict.outcome == "blessed", verdict.reason
    workshop.promote(first)
    frame = measured(make_rows(seed=1), 1)
    frame.loc[frame["at"] >= frame["at"].max() - np.timedelta64(10, "D"), "x"] += 0.3  # what is held out, and only that
    _, _, verdict = workshop.judge(frame, "run-1")
    assert {one.gate for one in verdict.gates if one.outcome == "undecided"} == {"decay"}, "no other gate sees it"
    assert verdict.outcome == "undecided"
    assert "the champion has fallen: rmse 0.2941 when it was blessed, 0.9" in verdict.reason
    assert "most likely the newest rows are broken" in verdict.reason


def test_a_world_that_moved_is_left_to_the_model_that_learnt_it(with_champion: Any, make_rows: Any) -> None:
    _, scorecard, verdict = with_champion.judge(moved(make_rows(seed=1)), "run-1")
    brier = scorecard.score("brier")
    assert brier.challenger < 0.6 * brier.champion, "more than the suspicious gate believes of a champion that holds"
    assert verdict.outcome == "blessed", verdict.reason
    assert "the world moved, and the challenger is shown to win back" in verdict.reason


def test_a_bad_challenger_beside_a_champion_that_holds_is_the_only_bad_one(with_champion: Any, make_rows: Any) -> None:
    frame = make_rows(seed=1)
    old = (frame["at"] < frame["at"].max() - np.timedelta64(10, "D")).to_numpy()
    frame.loc[old, "late"] = np.random.default_rng(0).permutation(frame.loc[old, "late"])
    _, _, verdict = with_champion.judge(frame, "run-1")
    assert verdict.outcome == "vetoed"
    assert "decay gate: the champion is not shown to have fallen" in verdict.reason
    assert "only the challenger is bad" in verdict.reason


def test_a_champion_whose_scorecard_is_gone_is_judged_without_its_past(with_champion: Any, make_rows: Any) -> None:
    ledger = with_champion.site.ledger(with_champion.spec.name)
    first = next(body for _, body in ledger.of(Judged))
    old = with_champion.site.read(Verdict, first.verdict).scorecard
    with_champion.site.store.delete(Scorecard.path(old.pipeline, old.key))
    _, _, verdict = with_champion.judge(make_rows(seed=1), "run-1")
    assert verdict.outcome == "blessed", verdict.reason
    assert gate(verdict, "decay").outcome == "not applied"


# -- gates and metrics of others -------------------------------------------------------------------------------


def test_somebody_elses_gate_reads_the_held_out_rows_and_decides(workshop: Any, make_rows: Any) -> None:
    asked = {"gates": ["stability", "baseline", "acme:EqualRates"], "slices": None, "change": None}
    workshop.write(bless={**asked, "equal_rates": {"column": "colour"}})
    _, scorecard, verdict = workshop.judge(make_rows())
    result = gate(verdict, "equal_rates")
    assert result.outcome == "failed"
    assert result.evidence["gap"] > 0.1
    assert result.evidence["rows"] == scorecard.holdout_rows
    assert verdict.outcome == "vetoed"
    assert "equal_rates gate: rates by colour differ by" in verdict.reason
    workshop.write(bless={**asked, "equal_rates": {"column": "colour", "margin": 1}})
    again = bless(workshop.spec, workshop.request(), scorecard, workshop.site)
    assert again.key != verdict.key, "its settings are part of what the verdict is"
    assert again.outcome == "blessed"


def test_what_is_not_asked_of_ours_is_said(workshop: Any, make_rows: Any) -> None:
    gates = {"gates": ["value", "baseline"], "slices": None, "change": None}
    workshop.write(bless=gates)
    _, scorecard, verdict = workshop.judge(make_rows())
    assert [result.gate for result in verdict.gates] == ["value", "baseline"]
    assert verdict.reason.endswith("not asked by this pipeline: stability, inputs, suspicious, change, decay, slices")
    assert "one gate passed (baseline)" in verdict.reason
    workshop.write(bless={**gates, "gates": ["baseline", "value"]})
    assert bless(workshop.spec, workshop.request(), scorecard, workshop.site).key != verdict.key


def test_slices_that_are_not_asked_about_are_not_scored(with_champion: Any, make_rows: Any) -> None:
    with_champion.write(bless={"gates": ["stability", "change"], "slices": None})
    _, scorecard, verdict = with_champion.judge(make_rows(seed=1), "run-1")
    assert scorecard.slices == scorecard.left_out == ()
    assert verdict.outcome == "blessed", verdict.reason


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raising", "KeyError: 'age'"),
        ("silent", "NoneType, not a GateResult"),
        ("shouting", "outcome"),
        ("unwritable", "Unable to serialize"),
    ],
)
def test_a_gate_that_raises_or_talks_nonsense_vetoes_and_is_named(
    workshop: Any, make_rows: Any, name: str, says: str
) -> None:
    workshop.write(bless={"gates": ["stability", "baseline", f"acme:{name.title()}"], "slices": None, "change": None})
    _, _, verdict = workshop.judge(make_rows())
    assert verdict.outcome == "vetoed"
    assert gate(verdict, name).outcome == "failed"
    assert f"{name} gate: it could not judge" in verdict.reason
    assert says in verdict.reason


def test_a_lost_store_is_no_veto() -> None:
    with pytest.raises(StoreError):
        ask("cut", acme.Cut(), None)  # type: ignore[arg-type]


def test_a_gate_speaks_under_the_name_the_pipeline_has_for_it() -> None:
    class Posing(Gate):
        def judge(self, evidence: Any) -> GateResult:
            return GateResult(gate="change", outcome="passed", reason="so")

    assert ask("posing", Posing(), None).gate == "posing"  # type: ignore[arg-type]


def test_a_model_may_be_judged_by_somebody_elses_metric(workshop: Any, make_rows: Any) -> None:
    workshop.write(bless={"metric": "acme:missed"})
    candidate, scorecard, verdict = workshop.judge(make_rows())
    assert [score.metric for score in scorecard.scores][:2] == ["missed", "brier"]
    assert candidate.validation_loss == pytest.approx(scorecard.scores[0].challenger, abs=0.05)
    assert verdict.outcome == "blessed", verdict.reason
    assert "missed" in verdict.reason


@pytest.mark.parametrize("name", ["unknown", "broken", "misshapen", "meddling", "statistic_of_all"])
def test_a_metric_that_goes_wrong_in_training_makes_no_model(workshop: Any, make_rows: Any, name: str) -> None:
    workshop.write(bless={"metric": f"acme:{name}"})
    with pytest.raises((MetricError, TrainingError), match=name):
        workshop.judge(make_rows())


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_a_metric_that_is_lost_after_training_never_blesses(
    with_champion: Any, make_rows: Any, monkeypatch: pytest.MonkeyPatch, lost: float
) -> None:
    with_champion.write(bless={"metric": "acme:missed"})
    candidate, made = with_champion.train(make_rows(seed=1), "run-1")
    monkeypatch.setattr(acme, "missed", dataclasses.replace(acme.missed, statistic=lambda t, a: lambda w: lost))
    request = with_champion.request("run-1")
    scorecard = evaluate(with_champion.spec, request, candidate, made, with_champion.site)
    verdict = bless(with_champion.spec, request, scorecard, with_champion.site)
    assert verdict.outcome == "vetoed"
    assert {"change", "suspicious", "baseline"} <= {one.gate for one in verdict.gates if one.outcome == "failed"}


def test_a_gate_that_could_not_judge_is_asked_again(workshop: Any, make_rows: Any, monkeypatch: Any) -> None:
    workshop.write(bless={"gates": ["baseline", "acme:Raising"], "slices": None, "change": None})
    _, scorecard, verdict = workshop.judge(make_rows())
    assert verdict.outcome == "vetoed"
    well = GateResult(gate="raising", outcome="passed", reason="it was a bad minute")
    monkeypatch.setattr(acme.Raising, "judge", lambda self, evidence: well)
    again = bless(workshop.spec, workshop.request("run-1"), scorecard, workshop.site)
    assert again.outcome == "blessed", again.reason
    ledger = workshop.site.ledger(workshop.spec.name)
    assert [body.outcome for _, body in ledger.of(Judged)] == ["blessed", "vetoed"]
    assert ledger.version(again.version).blessed


def test_mended_code_of_somebody_elses_gate_is_asked_again(
    workshop: Any, make_rows: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    asked: list[int] = []
    workshop.write(bless={"gates": ["baseline", "acme:Raising"], "slices": None, "change": None})
    passed = GateResult(gate="raising", outcome="passed", reason="so")
    monkeypatch.setattr(acme.Raising, "judge", lambda self, evidence: asked.append(1) or passed)
    _, scorecard, _ = workshop.judge(make_rows())
    bless(workshop.spec, workshop.request("run-1"), scorecard, workshop.site)
    assert len(asked) == 1, "the same code has said it already"
    (tmp_path / "acme.py").write_text("# mended")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(acme.__spec__, "origin", str(tmp_path / "acme.py"))
    bless(workshop.spec, workshop.request("run-1"), scorecard, workshop.site)
    assert len(asked) == 2


# -- what was edited in the store --------------------------------------------------------------------------------


def edit(workshop: Any, artifact: Any, **fields: Any) -> None:
    """Somebody writes into the store, in good form."""
    path = artifact.path(artifact.pipeline, artifact.key)
    store = workshop.site.store
    store.put(path, canonical(json.loads(store.get(path)) | fields))
    workshop.fresh_site()


def test_an_edited_verdict_blesses_nothing(with_champion: Any, make_rows: Any) -> None:
    _, scorecard, verdict = with_champion.judge(make_rows(seed=1, leak=True), "run-1")
    assert verdict.outcome == "vetoed"
    edit(with_champion, verdict, outcome="blessed", reason="all gates passed")
    with pytest.raises(ArtifactChanged, match=f"The verdict '{verdict.key}'"):
        bless(with_champion.spec, with_champion.request("run-2"), scorecard, with_champion.site)
    assert not with_champion.site.ledger(with_champion.spec.name).version(verdict.version).blessed


def test_a_verdict_pins_the_scorecard_and_the_scorecard_the_candidate(with_champion: Any, make_rows: Any) -> None:
    candidate, scorecard, verdict = with_champion.judge(make_rows(seed=1), "run-1")
    request = with_champion.request("run-2")
    untouched = with_champion.site.store.get(scorecard.path(scorecard.pipeline, scorecard.key))
    edit(with_champion, scorecard, finite=False)
    with pytest.raises(ArtifactChanged, match=f"The scorecard '{scorecard.key}'"):
        freshness(with_champion.spec, request, candidate, with_champion.site)
    feature_set = with_champion.site.read(FeatureSet, candidate.features)
    with pytest.raises(ArtifactChanged, match=f"The scorecard '{scorecard.key}'"):
        evaluate(with_champion.spec, request, candidate, feature_set, with_champion.site)
    with_champion.site.store.put(scorecard.path(scorecard.pipeline, scorecard.key), untouched)
    edit(with_champion, candidate, finite=False)
    with pytest.raises(ArtifactChanged, match=f"The candidate '{candidate.key}'"):
        with_champion.site.read(Candidate, with_champion.site.read(Scorecard, verdict.scorecard).candidate)


def test_an_edited_candidate_is_neither_judged_nor_released_again(with_champion: Any, incumbent: Any) -> None:
    edit(with_champion, incumbent, version=7)
    with pytest.raises(ArtifactChanged, match=f"The candidate '{incumbent.key}'"):
        redeployed(with_champion.spec, with_champion.request("run-9", redeploy=1), with_champion.site)


def test_a_candidate_of_an_earlier_release_is_held_against_its_number_and_model(
    with_champion: Any, incumbent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No entry of then knows its bytes; but the ledger says which model the number was given to."""
    monkeypatch.setattr(Ledger, "contents", lambda *_: frozenset())
    request = with_champion.request("run-9", redeploy=1)
    assert redeployed(with_champion.spec, request, with_champion.site) == incumbent
    edit(with_champion, incumbent, model={**incumbent.model.model_dump(), "digest": "0" * 64})
    with pytest.raises(ArtifactChanged, match="is not the candidate that the ledger knows"):
        redeployed(with_champion.spec, request, with_champion.site)
