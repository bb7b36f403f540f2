"""The report of a run on a target that was away when its release was decided."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest
from airflow.sdk.exceptions import AirflowFailException

from retrain.errors import GatewayError
from retrain.ledger import Release
from retrain.spec import Spec
from retrain.targets.base import Target


class Balancer(Target):
    """Keeps what it is told; it may be away."""

    told: ClassVar[list[int]] = []
    away: ClassVar[bool] = False

    def apply(self, release: Release, number: int, spec: Any, site: Any) -> None:
        if Balancer.away:
            raise ConnectionError("no route to host")
        Balancer.told.append(number)

    def rehearse(self, candidate: Any, spec: Any, site: Any) -> Any:
        raise NotImplementedError

    def watch(self, candidate: Any, spec: Any, site: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def promoted(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run on a balancer that never heard of the promotion it ended with; the promotion's entry, and the report."""
    Balancer.told, Balancer.away = [], False
    load = Spec.load

    def on_the_balancer(folder: Any) -> Spec:
        spec = load(folder)
        canary = spec.canary.model_copy(update={"target": Balancer(kind="balancer")})
        return spec.model_copy(update={"canary": canary})

    monkeypatch.setattr(Spec, "load", on_the_balancer)
    candidate, ledger = world.candidate(2), world.site.ledger("visits")
    served = Release(state="promoted", champion=ledger.version(2).served, reason="the canary passed")
    entry = ledger.append(served, actor="test", run="manual__1")
    return entry.number, world.task("report", candidate=candidate.ref().model_dump())


def ended(world: Any, **states: str) -> Any:
    """The context of a report; how the tasks before it ended."""
    context = world.context()
    context["ti"].states = states
    return context


def test_the_report_tells_a_target_what_the_run_decided_and_it_missed(world: Any, promoted: Any) -> None:
    number, report = promoted
    context = ended(world, **{"release.promote": "failed"})
    report.execute(context)
    assert Balancer.told == [number]
    assert "version 2 promoted" in context["ti"].note


def test_a_target_that_is_away_at_the_end_makes_the_report_try_again(
    world: Any, promoted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, report = promoted
    Balancer.away = True
    told: list[Any] = []
    monkeypatch.setattr(type(report), "alert", lambda self, context, event: told.append(event))
    context = ended(world, **{"release.promote": "failed"})
    with pytest.raises(GatewayError, match=f"does not follow ledger entry {number} yet: ConnectionError"):
        report.execute(context)
    assert "no route to host" in context["ti"].note
    assert [(event.kind, event.on) for event in told] == [("run_failed", "failure")]
    assert "`retrain status visits` says who serves" in told[0].do
    Balancer.away = False
    report.execute(context)
    assert Balancer.told == [number]


def test_a_run_that_came_to_no_version_tells_no_target(world: Any, promoted: Any) -> None:
    world.task("report", candidate="null").execute(ended(world, **{"data.collect": "failed"}))
    assert Balancer.told == []


# -- a form that asks for the impossible -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"skip_canary": True}, "gives no reason"),
        ({"redeploy": 999}, "has no version 999"),
        ({"redeploy": 3}, "it is vetoed (because)"),
        ({"data_end": "2024-04-01"}, "no time zone"),
    ],
)
def test_a_form_that_asks_for_the_impossible_is_refused_by_the_first_task_alone(
    world: Any, form: dict[str, Any], said: str
) -> None:
    world.candidate(3, outcome="vetoed")
    context = world.context(params=form, run_id="manual__2")
    with pytest.raises(AirflowFailException, match=re.escape(said)):
        world.task("data.collect").execute(context)
    refusal = context["ti"].note
    assert said in refusal.replace("\\", "")

    later = world.context(params=form, run_id="manual__2", handed_on={("data.collect", "retrain_note"): refusal})
    later["ti"].states = {"data.collect": "failed", "data.validate": "upstream_failed"}
    world.task("report").execute(later)
    note = later["ti"].pushed["retrain_run_note"]
    assert "failed at collect" in note
    assert note.endswith(refusal)
    assert "What to do:" in note
