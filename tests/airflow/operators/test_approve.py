"""A human answers before anything is released."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, exceptions
from airflow.sdk.exceptions import DownstreamTasksSkipped, TaskDeferred

from retrain.airflow.dag import draw
from retrain.artifacts import GateResult, Ref, Verdict
from retrain.ledger import Answered
from retrain.spec import Spec

# Airflow 3.2 waits in the triggerer, which knows the moment; from 3.3 on the scheduler waits, which knows the time.
WAITING: type[BaseException] = getattr(exceptions, "TaskAwaitingInput", TaskDeferred)
VISITS = Path(__file__).parents[2] / "system" / "pipelines" / "visits"


@pytest.fixture
def asking(world: Any) -> Any:
    """The world with a Dag that asks for approval, and a verdict to approve."""
    spec = Spec.load(VISITS)
    approval = spec.bless.approval.model_copy(update={"required": True, "by": ("alice",)})
    with DAG("visits") as world.dag:
        draw(spec.model_copy(update={"bless": spec.bless.model_copy(update={"approval": approval})}))
    candidate = world.candidate(4)
    gate = GateResult(gate="change", outcome="passed", reason="better | much")
    scorecard = Ref(kind="scorecard", key="s", pipeline="visits")
    verdict = Verdict(
        key="v", pipeline="visits", scorecard=scorecard, candidate=candidate.ref(), version=4, champion=1,
        outcome="blessed", gates=(gate,), reason="better",
    )  # fmt: skip
    world.site.store.create(Verdict.path("visits", "v"), verdict.to_bytes())
    return world


def answer(option: str, user: Any) -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime(2024, 4, 1, tzinfo=UTC),
        "responded_by_user": user,
        "timedout": user is None,
    }


def patience(waiting: Any) -> timedelta:
    if isinstance(waiting, TaskDeferred):
        moment: datetime = waiting.trigger.timeout_datetime
        return moment - datetime.now(UTC)
    left: timedelta = waiting.timeout
    return left


def given(world: Any) -> Any:
    return world.task(
        "verdict.approve", verdict={"kind": "verdict", "key": "v", "pipeline": "visits"}, subject="Release?"
    )


def test_it_is_there_only_if_the_pipeline_asks_for_it(world: Any) -> None:
    assert "verdict.approve" not in world.dag.task_ids


def test_it_waits_without_a_worker_and_a_silent_human_rejects(asking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **k: asked.update(k))
    context = asking.context()
    context["task_instance"] = context["ti"]
    context["ti"].id = "id"
    with pytest.raises(WAITING) as found:
        given(asking).execute(context)
    within = Spec.load(VISITS).bless.approval.within
    assert within - timedelta(minutes=10) < patience(found.value) <= within
    assert asked["defaults"] == ["Reject"]
    assert asked["assigned_users"] == [{"id": "alice", "name": "alice"}]
    assert "| change | passed | better \\| much |" in asked["body"]


@pytest.mark.parametrize(
    ("option", "user", "actor", "approved"),
    [
        ("Approve", {"id": "alice", "name": "alice"}, "airflow:alice", True),
        ("Reject", {"id": "bob", "name": "bob"}, "airflow:bob", False),
        ("Reject", None, "airflow:timeout", False),
    ],
)
def test_the_answer_goes_into_the_ledger_once(asking: Any, option: str, user: Any, actor: str, approved: bool) -> None:
    for _ in range(2):  # a retried task answers again
        context = asking.context()
        if approved:
            given(asking).execute_complete(context, answer(option, user))
        else:
            with pytest.raises(DownstreamTasksSkipped) as found:
                given(asking).execute_complete(context, answer(option, user))
            assert "release.rehearse" in found.value.tasks
            assert "report" not in found.value.tasks
    entries = [entry for entry, _ in asking.site.ledger("visits").of(Answered)]
    assert [(e.actor, e.body.version, e.body.approved) for e in entries] == [(actor, 4, approved)]
