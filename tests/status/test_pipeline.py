"""How a pipeline stands: since when, how well, what waits for whom; and that it rests when nothing is under way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger_world import body as body_of
from retrain.artifacts import now
from retrain.ledger import Ledger, overrule
from retrain.ledger import ledger as ledgers
from retrain.ledger import release as machine
from retrain.site import Site
from retrain.status import PipelineStatus
from visits_world import YAML, look, promote, report, served, train, write


def test_a_pipeline_without_a_champion_says_so(site: Site, ledger: Ledger) -> None:
    found = look(site)
    assert (found.state, found.champion, found.health.level) == ("nothing served", None, "attention")
    assert found.health.reasons == ("nothing has been released yet",)
    assert found.next_run is not None
    assert found.next_run.hour == 6


def test_who_serves_is_told_with_since_when_whatever_was_tried_meanwhile(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    first = ledger.entries()[-1].at
    ledger.append(
        machine.start_shadow(ledger.release(), served(2), shadow=1.0, steps=(0.1, 0.5), reason="try"), actor="canary"
    )
    under_way = look(site)
    assert (under_way.state, under_way.under_way and under_way.under_way.version) == ("shadowing", 2)
    ledger.append(machine.roll_back(ledger.release(), reason="harm is shown"), actor="canary", run="run-2")
    found = look(site)
    assert found.champion is not None
    assert (found.champion.version, found.champion.since, found.challenger) == (1, first, None)
    assert found.health.level == "good"


def test_after_a_rollback_is_done_the_pipeline_serves_and_is_not_rolled_back_for_ever(
    site: Site, ledger: Ledger
) -> None:
    promote(ledger, 1)
    promote(ledger, 2)
    overrule.roll_back(ledger, to=None, actor="cli:alice", reason="wrong since noon")
    found = look(site)
    assert (found.state, found.champion and found.champion.version) == ("serving", 1)
    assert found.last_release is not None
    assert (found.last_release.decision, found.last_release.by, found.last_release.reason) == (
        "rolled back",
        "human",
        "wrong since noon",
    )


@pytest.mark.parametrize(
    ("outcome", "level"),
    [("promoted", "good"), ("fresh enough", "good"), ("vetoed", "attention"), ("bad data", "bad"), ("failed", "bad")],
)
def test_health_is_the_worst_of_its_parts_with_the_reason(site: Site, ledger: Ledger, outcome: str, level: str) -> None:
    promote(ledger, 2)
    report(site, outcome, "run-3")
    found = look(site)
    assert found.health.level == level
    assert (found.health.reasons != ()) == (level != "good")
    assert all(outcome in reason for reason in found.health.reasons)
    assert (found.runs[0].run, found.runs[0].outcome) == ("run-3", outcome)


def test_an_old_champion_and_a_broken_spec_are_named_the_worse_one_first(site: Site, ledger: Ledger) -> None:
    train(ledger, 3, now() - timedelta(days=45))
    promote(ledger, 3)
    old = look(site)
    assert (old.health.level, old.ages[0].stale) == ("attention", True)
    assert "`staleness.model` is 30d" in old.health.reasons[0]
    write(site, "task: [")
    broken = look(site)
    assert broken.health.level == "bad"
    assert "is not YAML" in broken.health.reasons[0]
    assert broken.champion is not None, "who serves does not depend on the spec"


def test_what_waits_for_a_human_is_told_with_for_whom(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    ledger.append(body_of("verdict", version=2, outcome="undecided", reason="few rows"), actor="airflow:schedule")
    (waiting,) = look(site).waiting
    assert "bless or veto version 2" in waiting.what
    write(site, YAML + "bless: {approval: {required: true, by: [carol]}}\n")
    ledger.append(body_of("verdict", version=2, outcome="blessed"), actor="airflow:schedule", run="run-2")
    (waiting,) = look(site).waiting
    assert (waiting.who, waiting.what) == ("carol", "approve or reject version 2")
    ledger.append(body_of("approval", version=2, approved=True, reason="approved by carol"), actor="airflow:carol")
    assert look(site).waiting == ()
    shadow = machine.start_shadow(ledger.release(), served(2), shadow=1.0, steps=(0.1,), reason="try")
    ledger.append(shadow, actor="canary")
    ledger.append(machine.pause(shadow, reason="patience is over"), actor="canary")
    paused = look(site)
    assert (paused.state, paused.health.level) == ("paused", "attention")
    assert "resume or abort the paused release of version 2" in paused.waiting[0].what


@pytest.mark.parametrize(("outcome", "asked"), [("awaiting approval", 1), ("rehearsal failed", 0)])
def test_nobody_waits_for_an_answer_to_a_run_that_came_to_something_else(
    site: Site, ledger: Ledger, outcome: str, asked: int
) -> None:
    promote(ledger, 1)
    write(site, YAML + "bless: {approval: {required: true}}\n")
    assert [waiting.what for waiting in look(site).waiting] == ["approve or reject version 2"]
    report(site, outcome, "run-2")
    assert len(look(site).waiting) == asked


def test_a_version_that_serves_waits_for_nobody(site: Site, ledger: Ledger) -> None:
    promote(ledger, 2)
    write(site, YAML + "bless: {approval: {required: true}}\n")
    assert look(site).waiting == ()


def test_a_machine_without_the_pipelines_folder_has_nothing_to_complain_of(site: Site, ledger: Ledger) -> None:
    promote(ledger, 2)
    (site.settings.pipelines / "visits" / "pipeline.yaml").unlink()
    found = look(site)
    assert (found.health.level, found.spec_problem) == ("good", None)


def test_a_wrong_clock_is_named_and_no_age_is_negative(
    site: Site, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.setattr(ledgers, "now", lambda: now() + timedelta(days=1))
        promote(ledger, 1)
    found = look(site)
    assert found.health.level == "attention"
    assert "written by airflow:schedule in run run-1, is stamped 1 d ahead of the clock here" in found.health.reasons[0]
    assert found.champion is not None
    assert found.last_release is not None
    told = [found.champion.since, found.last_release.at, *(run.last for run in found.runs), *found.stages.values()]
    assert max(told) <= now()
    assert all(age.age >= 0 for age in found.ages)


def test_it_is_the_same_as_json(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    found = look(site)
    assert PipelineStatus.model_validate_json(found.model_dump_json()) == found
    assert found.versions[0].data_end < datetime.now(UTC)
