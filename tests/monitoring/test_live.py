"""The evidence is a function of the log, whoever reads it and how often."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples import fewer
from retrain.ledger import release as machine
from retrain.ledger.release import Served
from retrain.monitoring import live as watching


def ramping(world: Any, version: int = 2) -> Any:
    """Version 2 at the first step of its ramp."""
    candidate = world.candidate(version)
    current = world.ledger.release()
    started = machine.start_shadow(
        current, Served(version=version, model=candidate.model), shadow=0, steps=(0.5, 0.8), reason="test"
    )
    world.ledger.append(machine.ramp(started, reason="test"), actor="test", run="run-2")
    return candidate


def rows_of(world: Any, number: int, *kinds: dict[str, Any]) -> list[dict[str, Any]]:
    """Prediction rows under one routing decision, a millisecond apart."""
    plain = {"release": number, "arm": "champion", "version": 1, "entity": None, "inputs": "{}", "output": "{}"}
    plain |= {"score": 0.5, "latency_ms": 1.0, "error": None, "served": True}
    rows = []
    for kind in kinds:
        world.ids += 1
        world.at += timedelta(milliseconds=1)
        rows.append(plain | {"at": world.at, "id": f"r{world.ids}"} | kind)
    return rows


PREDICTIONS, LABELS = (0, 2, 4, 6, 8), (1, 3, 5, 7, 9)
"""The parts of a log of which each table is larger than the smaller limit below."""


@pytest.mark.parametrize("limit", [watching.MOST_ROWS, 450])
@fewer(6)
@example(order=[*PREDICTIONS, *LABELS], looks=[True] * 10)  # rows are left out before there is a label …
@example(order=[*LABELS, *PREDICTIONS], looks=[True] * 10)  # … and labels before there is a prediction
@given(order=st.permutations([*PREDICTIONS, *LABELS]), looks=st.lists(st.booleans(), min_size=10, max_size=10))
def test_evidence_is_the_same_whatever_the_polling_pattern(
    make_world: Any, monkeypatch: pytest.MonkeyPatch, limit: int, order: list[int], looks: list[bool]
) -> None:
    monkeypatch.setattr(watching, "MOST_ROWS", limit)
    world = make_world(seed=3, entity="tail")
    world.champion()
    candidate = ramping(world)
    parts: list[tuple[Any, list[dict[str, Any]]]] = []
    with monkeypatch.context() as patch:
        patch.setattr(world, "write", lambda table, rows: parts.append((table, rows)))
        for _ in range(5):
            world.traffic(100, challenger_errors=0.05)
    looked_often = world.watch(candidate)
    for part, look in zip(order, looks, strict=True):  # late parts, labels before their predictions
        world.write(*parts[part])
        if look:
            looked_often.canary()
    assert looked_often.canary() == world.watch(candidate, world.another_site()).canary()
    assert len(looked_often._rows) + len(looked_often._labels) <= limit


@pytest.mark.parametrize("first", ["predictions", "labels"])
def test_more_rows_than_are_kept_may_come_before_the_first_of_the_other_table(
    world: Any, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr(watching, "MOST_ROWS", 50)
    candidate = ramping(world)
    rows = rows_of(world, world.ledger.release_number(), *[{}, {"arm": "challenger", "version": 2}] * 50)
    tables = {
        "predictions": rows,
        "labels": [{"at": row["at"], "id": row["id"], "label": "true"} for row in rows],
    }
    watch = world.watch(candidate)
    world.write(first, tables.pop(first))
    seen = watch.canary()
    assert seen.labels == 0
    assert (seen.champion + seen.challenger > 0) == (first == "predictions")
    for table, late in tables.items():
        world.write(table, late)
    assert 0 < watch.canary().labels <= 25
    assert watch.canary() == world.watch(candidate).canary()


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
    assert errors.worse
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
    assert loss.challenger == pytest.approx({"binary": 0.25, "multiclass": 0.25, "regression": 4.0}[task])
    assert loss.challenger_rows == 5
