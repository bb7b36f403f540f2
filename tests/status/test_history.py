"""What served when, what was tried, what was judged, and by whom."""

from __future__ import annotations

import pytest

from hostile_names import HOSTILE
from ledger_world import body as body_of
from retrain.ledger import Ledger, Release, overrule
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.site import Site
from retrain.status import History, history
from visits_world import promote, served


def shadow(ledger: Ledger, number: int, run: str) -> Release:
    begun = machine.start_shadow(ledger.release(), served(number), shadow=1.0, steps=(0.1, 0.5), reason="try")
    ledger.append(begun, actor="airflow:schedule", run=run)
    return begun


def test_a_pipeline_that_has_done_nothing_has_no_past(site: Site) -> None:
    assert history(site.ledger("nothing")) == History(served=(), trials=(), verdicts=())


def test_who_served_is_told_without_a_gap_with_how_why_and_by_whom(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    shadow(ledger, 2, "run-2")
    ledger.append(machine.promote(ledger.release(), served(2), reason="better"), actor="canary", run="run-2")
    overrule.roll_back(ledger, to=None, actor="cli:alice", reason="wrong since noon")
    first, second, third = history(ledger).served
    assert [(one.version, one.how, one.reason, one.by, one.run) for one in (first, second, third)] == [
        (1, "promoted", "it is better", "airflow:schedule", "run-1"),
        (2, "promoted", "better", "canary", "run-2"),
        (1, "rolled back", "wrong since noon", "cli:alice", None),
    ]
    assert (first.end, second.end, third.end) == (second.start, third.start, None)
    assert (first.entry, third.entry) == (5, ledger.head)


def test_each_trial_has_its_beginning_its_end_and_what_it_came_to(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    begun = shadow(ledger, 2, "run-2")
    ledger.append(machine.ramp(begun, reason="no alarm"), actor="canary", run="run-2")
    ledger.append(machine.roll_back(ledger.release(), reason="harm is shown"), actor="canary", run="run-2")
    shadow(ledger, 2, "run-3")
    ledger.append(machine.ramp(ledger.release(), reason="no alarm"), actor="canary", run="run-3")
    under_way = history(ledger).trials
    assert [(one.version, one.outcome, one.reason, one.run) for one in under_way] == [
        (2, "rolled back", "harm is shown", "run-2"),
        (2, "ramping", "no alarm", "run-3"),
    ]
    assert (under_way[0].end, under_way[1].end) == (ledger.entries()[7].at, None)
    ledger.append(machine.promote(ledger.release(), served(2), reason="harm is excluded"), actor="canary")
    assert [one.outcome for one in history(ledger).trials] == ["rolled back", "promoted"]
    assert len(history(ledger).served) == 2


def test_a_trial_that_a_human_ended_by_returning_to_its_version_came_to_what_the_trial_says(
    site: Site, ledger: Ledger
) -> None:
    promote(ledger, 1)
    promote(ledger, 2)
    overrule.roll_back(ledger, to=1, actor="cli:alice", reason="wrong since noon")
    shadow(ledger, 2, "run-3")
    overrule.roll_back(ledger, to=2, actor="cli:alice", reason="it was the graph")
    trial, told = trials.newest(ledger), history(ledger).trials[-1]
    assert trial is not None
    assert trial.promoted
    assert (told.version, told.outcome, told.reason) == (2, "promoted", "it was the graph")


def test_every_answer_about_a_version_is_told_the_gates_and_the_humans(site: Site, ledger: Ledger) -> None:
    ledger.append(body_of("rehearsal", version=2, passed=False, reason="no answer"), actor="airflow:schedule")
    ledger.append(body_of("approval", version=1, approved=False, reason="rejected by carol"), actor="airflow:carol")
    ledger.append(body_of("stale", version=1, reason="31 d old"), actor="airflow:schedule", run="run-1")
    overrule.bless(ledger, 2, actor="cli:alice", reason="I looked")
    assert [(one.version, one.outcome, one.by) for one in history(ledger).verdicts] == [
        (1, "blessed", "gates"),
        (2, "blessed", "gates"),
        (2, "rehearsal failed", "airflow:schedule"),
        (1, "rejected", "airflow:carol"),
        (1, "stale", "airflow:schedule"),
        (2, "blessed", "cli:alice"),
    ]


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_what_people_wrote_is_text_and_stays_what_it_was(site: Site, ledger: Ledger, name: str) -> None:
    promote(ledger, 1)
    overrule.veto(ledger, 2, actor=f"airflow:{name}", reason=name)
    found = history(ledger)
    assert (found.verdicts[-1].reason, found.verdicts[-1].by) == (name, f"airflow:{name}")
    assert History.model_validate_json(found.model_dump_json()) == found
