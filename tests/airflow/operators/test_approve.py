"""A human answers before anything is released."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, exceptions
from airflow.sdk.exceptions import DownstreamTasksSkipped, TaskDeferred
from markdown_it import MarkdownIt

from hostile import DANGEROUS, rendered
from retrain.airflow.dag import draw
from retrain.artifacts import FileRef, GateResult, Ref, Score, Scorecard, SliceScore, Verdict
from retrain.ledger import Answered
from retrain.spec import Spec

# Airflow 3.2 waits in the triggerer, which knows the moment; from 3.3 on the scheduler waits, which knows the time.
WAITING: type[BaseException] = getattr(exceptions, "TaskAwaitingInput", TaskDeferred)
EVIL = "![x](http://evil.example/p.png) <img src=x> \x1b[31m"
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
    card = a_scorecard(candidate.ref())
    world.site.store.create(Scorecard.path("visits", "s"), card.to_bytes())
    verdict = Verdict(
        key="v", pipeline="visits", scorecard=card.ref(), candidate=candidate.ref(), version=4, champion=1,
        outcome="blessed", gates=(gate,), reason="better",
    )  # fmt: skip
    world.site.store.create(Verdict.path("visits", "v"), verdict.to_bytes())
    return world


def a_scorecard(candidate: Ref) -> Scorecard:
    """Better as a whole, worse in one slice whose name is an attack."""

    def score(champion: float, challenger: float, metric: str = "log_loss") -> Score:
        both = {"champion": champion, "challenger": challenger, "difference": challenger - champion}
        return Score(metric=metric, better="lower", rows=500, **both)

    slices = (
        SliceScore(column="carrier", value="AA", score=score(0.5, 0.4)),
        SliceScore(column="carrier", value=EVIL, score=score(0.5, 0.75)),
        SliceScore(column="carrier", value="UA", score=score(0.5, 0.6)),
    )
    return Scorecard(
        key="s", pipeline="visits", candidate=candidate, version=4, champion=1, holdout_rows=1500, holdout_days=14,
        scores=(score(0.5, 0.45), score(20_000.0, 12_345.6, "rmse")), baselines={}, slices=slices, left_out=(),
        finite=True, predictions=FileRef(path="x", sha256="0" * 64, bytes=0, rows=0),
    )  # fmt: skip


def answer(option: str, user: Any, reason: str | None = None) -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": {} if reason is None else {"reason": reason},
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
    context = asking.context(params={"reason": "the newest is too slow"})
    context["task_instance"] = context["ti"]
    context["ti"].id = "id"
    with pytest.raises(WAITING) as found:
        given(asking).execute(context)
    within = Spec.load(VISITS).bless.approval.within
    assert within - timedelta(minutes=10) < patience(found.value) <= within
    assert asked["defaults"] == ["Reject"]
    assert asked["assigned_users"] == [{"id": "alice", "name": "alice"}]
    assert asked["params"]["reason"]["value"] is None
    body = asked["body"]
    assert "| change | passed | better \\| much |" in body
    assert "| log_loss | 0.5 | 0.45 | better by 0.05 |" in body
    assert "| rmse | 20,000 | 12,346 | better by 7,654 |" in body
    assert re.search(r"Answer until \*\*\d{4}-\d\d-\d\d \d\d:\d\d UTC\*\*", body)
    order = [body.index(name) for name in ("worse by 0.25", "UA", "AA")]
    assert order == sorted(order), "worst first"
    kinds, shown = rendered(body)
    assert not (DANGEROUS - {"link_open"}) & kinds
    assert "No answer in time is a rejection" in shown
    assert "the newest is too slow" in shown
    tokens = [child for token in MarkdownIt("gfm-like").parse(body) for child in token.children or ()]
    (link,) = [token.attrs["href"] for token in tokens if token.type == "link_open"]
    assert link.endswith("/retrain/dags/visits/runs/manual__1/tasks/verdict.approve")
    assert link.startswith("/"), "our own, wherever Airflow is"


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


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("seen with the team\n\x1b[31m", "approved by alice: seen with the team"),
        ("  ", "approved by alice"),
        (None, "approved by alice"),
    ],
)
def test_the_reason_of_an_answer_is_in_the_ledger_with_the_name(asking: Any, reason: str | None, kept: str) -> None:
    given(asking).execute_complete(asking.context(), answer("Approve", {"id": "alice", "name": "alice"}, reason))
    ((entry, body),) = asking.site.ledger("visits").of(Answered)
    assert (entry.actor, body.reason) == ("airflow:alice", kept)


def test_a_task_that_is_tried_again_after_the_answer_asks_nobody_twice(asking: Any) -> None:
    given(asking).execute_complete(asking.context(), answer("Approve", {"id": "alice", "name": "alice"}))
    context = asking.context()
    given(asking).execute(context)
    assert context["ti"].note == "version 4 approved by alice"
