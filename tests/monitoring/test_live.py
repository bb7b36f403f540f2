"""The evidence is a function of the log, whoever reads it and how often."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import fewer
from release_world import ramping, rows_of
from retrain.ledger import release as machine
from retrain.monitoring.evidence import LiveEvidence
from retrain.monitoring.loss import shown_as


@fewer(6)
@given(looks=st.lists(st.booleans(), min_size=10, max_size=10))
def test_evidence_is_the_same_however_often_one_looks(make_world: Any, looks: list[bool]) -> None:
    world = make_world(seed=3, entity="tail")
    world.champion()
    candidate = ramping(world)
    looked_often = world.watch(candidate)
    for look in looks:
        world.traffic(100, challenger_errors=0.05)
        if look:
            looked_often.canary()
    once = world.watch(candidate, world.another_site()).canary()
    assert without_bounds(looked_often.canary()) == without_bounds(once)


def without_bounds(seen: LiveEvidence) -> dict[str, Any]:
    """What is counted; sums of floats taken up in other pieces differ in their last digits."""
    plain = seen.model_dump()
    for metric in plain["metrics"]:
        metric["upper"] = pytest.approx(metric["upper"])
        metric["champion"], metric["challenger"] = (pytest.approx(metric[arm]) for arm in ("champion", "challenger"))
    return plain


def test_rows_that_come_late_are_taken_up_when_they_come(make_world: Any) -> None:
    world = make_world(entity="tail")
    world.champion()
    candidate = ramping(world)
    parts: list[tuple[Any, list[dict[str, Any]]]] = []
    write = world.write
    world.write = lambda table, rows: parts.append((table, rows))
    for _ in range(4):
        world.traffic(200)
    watch = world.watch(candidate)
    for table, rows in reversed(parts):  # labels before their predictions, the oldest rows last
        write(table, rows)
        seen = watch.canary()
    assert (seen.champion + seen.challenger, seen.labels > 700) == (800, True)


def test_looking_at_an_unchanged_log_changes_nothing(world: Any) -> None:
    candidate = ramping(world)
    world.traffic(300)
    watch = world.watch(candidate)
    assert watch.canary() == watch.canary()


def test_only_rows_of_this_trial_count(world: Any) -> None:
    candidate = ramping(world)
    world.traffic(200, challenger_errors=1.0)  # an earlier trial of the same version
    world.ledger.append(machine.roll_back(world.ledger.release(), reason="no"), actor="test")
    world.traffic(100, champion_errors=1.0)  # nobody is tried
    candidate = ramping(world)
    number = world.ledger.release_number()
    world.traffic(100, champion_errors=0, challenger_errors=0)
    seen = world.watch(candidate).canary()
    assert (seen.metrics[0].champion, seen.metrics[0].challenger) == (0.0, 0.0)
    assert seen.champion + seen.challenger == 100
    assert seen.asked == {number: seen.challenger}


def test_rows_of_a_decision_that_another_driver_has_just_written_are_not_lost(world: Any) -> None:
    candidate = ramping(world)
    world.traffic(100)
    watch = world.watch(candidate)
    watch.canary()
    further = machine.ramp(world.ledger.release(), reason="by somebody else")
    number = world.ledger.append(further, actor="test").number
    world.traffic(100)
    assert watch.canary().asked[number] > 50


def test_a_fallback_is_no_champion_request_and_a_failed_request_is_one_error(world: Any) -> None:
    candidate = ramping(world)
    number = world.ledger.release_number()
    failed = {"arm": "challenger", "version": 2, "error": "ValueError", "score": None, "output": None, "served": False}
    rows = rows_of(world, number, *[{}] * 7, *[failed] * 3, *[{"arm": "fallback"}] * 3, *[{"arm": "shadow"}] * 2)
    world.write("predictions", rows)
    errors = world.watch(candidate).canary().metrics[0]
    assert (errors.champion_rows, errors.challenger_rows, errors.challenger) == (7, 3, 1.0)


@pytest.mark.parametrize("score", [None, float("nan"), float("inf")])
def test_an_answer_that_is_no_number_is_a_failure(world: Any, score: float | None) -> None:
    candidate = ramping(world)
    number = world.ledger.release_number()
    rows = rows_of(world, number, *[{}] * 5, *[{"arm": "challenger", "version": 2, "score": score}] * 5)
    world.write("predictions", rows)
    assert world.watch(candidate).canary().metrics[0].challenger == 1.0


def test_labels_late_twice_unknown_or_unusable(world: Any) -> None:
    candidate = ramping(world)
    rows = rows_of(world, world.ledger.release_number(), *[{}] * 6, *[{"arm": "challenger", "version": 2}] * 6)

    def label(row: dict[str, Any], value: str, later: int = 1) -> dict[str, Any]:
        return {"at": row["at"] + timedelta(hours=later), "id": row["id"], "label": value}

    world.write("labels", [label(row, "true") for row in rows[:8]])
    watch = world.watch(candidate)
    assert watch.canary().labels == 0  # labels without predictions wait
    world.write("predictions", rows)
    assert watch.canary().labels == 8
    world.write("labels", [label(row, "false", later=2) for row in rows[:8]])  # twice: the first counts
    world.write("labels", [{"at": world.at, "id": "nobody", "label": "true"}])
    world.write("labels", [label(row, text) for row, text in zip(rows[8:], ["{", "null", '"x"', "[1]"], strict=True)])
    assert watch.canary().labels == 8
    loss = watch.canary().metrics[-1]
    assert (loss.champion, loss.challenger) == (0.25, 0.25)


def test_the_clock_of_a_gateway_may_be_behind(world: Any) -> None:
    candidate = ramping(world)
    world.at -= timedelta(minutes=2)
    world.traffic(50)
    seen = world.watch(candidate).canary()
    assert seen.champion + seen.challenger == 50


def test_harm_within_the_margin_is_tolerated_once_shown(make_world: Any) -> None:
    world = make_world(errors={"margin": 0.2})
    world.champion()
    candidate = ramping(world)
    world.traffic(3000, champion_errors=0.0, challenger_errors=0.05, labels=False)
    errors = world.watch(candidate).canary().metrics[0]
    assert errors.noticed
    assert errors.within
    assert not errors.harm


@pytest.mark.parametrize(("task", "bound"), [("binary", 1.0), ("multiclass", 1.0), ("regression", None)])
def test_every_task_has_a_loss(make_world: Any, task: str, bound: float | None) -> None:
    world = make_world(task=task)
    world.champion()
    candidate = ramping(world)
    number = world.ledger.release_number()
    output = json.dumps({"prediction": "a", "probabilities": {"a": 0.5, "b": 0.5}})
    score = {"score": None if task == "multiclass" else 0.5, "output": output}
    rows = rows_of(world, number, *[score] * 5, *[score | {"arm": "challenger", "version": 2}] * 5)
    label = {"binary": "1", "multiclass": '"a"', "regression": "2.5"}[task]
    world.write("predictions", rows)
    world.write("labels", [{"at": row["at"], "id": row["id"], "label": label} for row in rows])
    loss = world.watch(candidate).canary().metrics[-1]
    assert loss.challenger == pytest.approx({"binary": 0.25, "multiclass": 0.25, "regression": 2.0}[task])
    assert loss.unit == ("rmse" if task == "regression" else "brier")
    assert loss.challenger_rows == 5


def test_a_difference_its_bounds_and_its_margin_are_in_one_unit(make_world: Any) -> None:
    world = make_world(loss={"margin": 0.3})
    world.champion()
    candidate = ramping(world)
    world.traffic(1500, shift=0.2, slower=1.5)
    seen = world.watch(candidate).canary()
    assert [metric.unit for metric in seen.metrics] == ["share", "ms", "brier"]
    for metric in seen.metrics:
        assert metric.difference == pytest.approx(metric.challenger - metric.champion, abs=0.05)
        if metric.unit == "ms":
            assert (metric.lower, metric.upper) == (None, None)
            assert metric.margin == pytest.approx(metric.champion + 20.0), "twice the champion's, and 20 ms"
        else:
            assert metric.lower < metric.difference < metric.upper
            assert metric.within == (metric.upper < metric.margin)
    assert sum(metric.weight for metric in seen.metrics) == pytest.approx(0.95), "the shadow has the rest"
    assert sum(seen.kept.values()) == seen.champion


def test_labels_that_are_known_and_of_answers_that_are_not_ripe_are_counted(make_world: Any) -> None:
    world = make_world()
    world.champion()
    candidate = ramping(world)
    world.traffic(200)
    watch = world.watch(candidate)
    seen = watch.canary()
    ripe = next(int(metric.summary.split(" ripe")[0].split()[-1]) for metric in seen.metrics if metric.name == "loss")
    assert seen.waiting_labels == seen.labels - ripe
    assert ripe > 0


def test_squared_errors_are_told_as_their_root() -> None:
    told = shown_as(4.0, 9.0, 5.0, (-math.inf, 12.0), 2.25, squared=True)
    assert (told["champion"], told["challenger"], told["difference"]) == (2.0, 3.0, 1.0)
    assert (told["bounds"], told["margin"], told["unit"]) == ((-math.inf, 2.0), 0.5, "rmse")
    assert shown_as(None, None, math.nan, (-math.inf, math.inf), 0.0, squared=True)["champion"] is None
