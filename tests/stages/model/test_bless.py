from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pytest

from retrain.artifacts import GateResult, Verdict
from retrain.errors import LedgerError
from retrain.ledger import Judged
from retrain.stages.bless import bless, decide


def gate(verdict: Verdict, name: str) -> GateResult:
    return next(result for result in verdict.gates if result.gate == name)


def test_a_first_honest_model_is_blessed_on_baselines_and_the_verdict_says_so(workshop: Any, make_rows: Any) -> None:
    _, _, verdict = workshop.judge(make_rows())
    assert verdict.outcome == "blessed"
    assert verdict.reason.startswith("no champion yet")
    assert {result.gate: result.outcome for result in verdict.gates} == {
        "stability": "passed",
        "value": "not applied",
        "baseline": "passed",
        "change": "not applied",
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
