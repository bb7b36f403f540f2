"""One word and one sentence a pipeline: the worst of its parts, with what somebody has to know to act."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ledger_world import body as body_of
from retrain.artifacts import ColumnDrift, Drift, Ref, Request, now
from retrain.ledger import Ledger
from retrain.ledger import release as machine
from retrain.site import Site
from retrain.status import Health, Standing, standing, worst_first
from retrain.status.standing import unread
from retrain.words import moment
from visits_world import YAML, look, promote, report, served, train, write

CANARY = "canary: {patience: 2d, shadow: {patience: 3h}}\n"


def told(site: Site) -> Standing:
    return standing(look(site))


def compare(site: Site, champion: int, *, drifted: bool) -> None:
    """What the drift stage hands on."""
    column = ColumnDrift(column="x", distance="psi", value=0.4, threshold=0.1, drifted=drifted, severity="matters")
    ref = Ref(kind="snapshot", key="s", pipeline="visits")
    made = Drift(
        key=f"d{champion}{drifted}", pipeline="visits", snapshot=ref, reference=ref, champion=champion,
        columns=(column,), drifted=drifted,
    )  # fmt: skip
    site.store.create(Drift.path("visits", made.key), made.to_bytes())
    request = Request(data_end=now(), run="run-9", actor="airflow:schedule")
    site.ledger("visits").record_stage("drift", made, request)


def test_new_until_something_is_released_and_then_ok_with_version_since_age_and_next_run(
    site: Site, ledger: Ledger
) -> None:
    assert (told(site).word, told(site).said) == ("NEW", "nothing has been released yet")
    promote(ledger, 1)
    found = told(site)
    assert (found.word, found.champion, found.limit) == ("OK", 1, 30 * 86400)
    assert found.since is not None
    assert found.next_run is not None
    assert found.said == (f"version 1 since {moment(found.since)}, data 9 d old, next run {moment(found.next_run)}"), (
        "who serves, since when, on how old data, and what comes"
    )


def test_a_broken_spec_is_named_with_its_file_and_line(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    file = write(site, YAML + "colour: red\n")
    found = told(site)
    assert found.word == "BROKEN"
    assert found.said == f"Unknown key `colour`. Where: {file}, line 7, key `colour`."
    assert (found.champion, found.limit) == (1, None), "who serves does not depend on it"
    write(site, YAML)
    assert told(site).word == "OK", "it is read again as soon as it is mended"


@pytest.mark.parametrize("outcome", ["failed", "bad data"])
def test_a_failed_retraining_stands_until_another_one_came_to_an_end(site: Site, ledger: Ledger, outcome: str) -> None:
    promote(ledger, 1)
    report(site, outcome, "run-7")
    found = told(site)
    assert found.word == "FAILED"
    assert "run-7" in found.said
    assert found.said.endswith(outcome)
    ledger.append(body_of("fresh", reason="begun"), actor="airflow:schedule", run="run-8")
    assert told(site).word == "FAILED", "one that is running has not mended anything yet"
    assert look(site).health == Health(level="bad", reasons=(f"the last retraining ended: {outcome}",))
    report(site, "promoted", "run-8")
    assert told(site).word == "OK"


def test_what_waits_is_told_with_for_whom_and_until_when(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    write(site, YAML + "bless: {approval: {required: true, by: [carol], within: 2h}}\n")
    found = told(site)
    asked = ledger.entries()[3].at
    assert (found.word, found.ends) == ("WAITING", asked + timedelta(hours=2))
    assert found.said == f"waits for carol until {moment(asked + timedelta(hours=2))}: approve or reject version 2"
    ledger.append(body_of("verdict", version=2, outcome="undecided"), actor="airflow:schedule")
    assert told(site).said == "waits for an operator: bless or veto version 2, which the gates left undecided"


def test_old_data_and_drift_that_matters_are_told_before_a_canary(site: Site, ledger: Ledger) -> None:
    train(ledger, 3, now() - timedelta(days=45))
    promote(ledger, 3)
    assert told(site).word == "STALE"
    assert told(site).said == "the champion's data ended 45 d ago, and `staleness.model` is 30d"
    promote(ledger, 1)
    compare(site, 3, drifted=True)
    assert told(site).word == "OK", "a champion of before had drifted"
    compare(site, 1, drifted=True)
    assert (told(site).word, told(site).said) == ("DRIFTED", "drifted: x (moved and matters)")
    compare(site, 1, drifted=False)
    assert told(site).word == "OK"


def test_a_canary_is_told_with_its_version_share_step_and_end(site: Site, ledger: Ledger) -> None:
    write(site, YAML + CANARY)
    promote(ledger, 1)
    shadow = machine.start_shadow(ledger.release(), served(2), shadow=0.5, steps=(0.125, 0.5), reason="rehearsed")
    begun = ledger.append(shadow, actor="airflow:schedule", run="run-2")
    found = told(site)
    assert (found.word, found.phase, found.share, found.step, found.steps) == ("CANARY", "shadow", 0.0, 0, 2)
    assert found.ends == begun.at + timedelta(hours=3)
    assert found.said.startswith("version 2 in shadow of 50 % of the requests: rehearsed; ends by ")
    ramped = machine.ramp(shadow, reason="no alarm")
    entry = ledger.append(ramped, actor="canary", run="run-2")
    found = told(site)
    assert (found.phase, found.challenger, found.share, found.step) == ("canary", 2, 0.125, 1)
    assert found.ends == entry.at + timedelta(days=2), "patience with a canary is counted from its first step"
    assert found.said == f"version 2 at 12.5 %, step 1 of 2: no alarm; ends by {moment(entry.at + timedelta(days=2))}"
    ledger.append(machine.ramp(ramped, reason="on"), actor="canary", run="run-2")
    assert told(site).ends == found.ends
    ledger.append(machine.pause(ledger.release(), reason="patience is over"), actor="canary", run="run-2")
    paused = told(site)
    assert (paused.word, paused.ends, paused.challenger) == ("WAITING", None, 2)
    assert paused.said == "waits for an operator: resume or abort the paused release of version 2: patience is over"


def test_what_is_paused_in_its_shadow_is_in_its_shadow(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    shadow = machine.start_shadow(ledger.release(), served(2), shadow=0.5, steps=(0.125, 0.5), reason="rehearsed")
    ledger.append(shadow, actor="airflow:schedule", run="run-2")
    ledger.append(machine.pause(shadow, reason="let me look"), actor="cli:alice")
    assert (told(site).phase, told(site).step) == ("shadow", 0)
    ledger.append(machine.resume(ledger.release(), shadow, reason="fine"), actor="cli:alice")
    ramped = machine.ramp(ledger.release(), reason="no alarm")
    ledger.append(ramped, actor="canary", run="run-2")
    ledger.append(machine.pause(ramped, reason="let me look again"), actor="cli:alice")
    assert (told(site).phase, told(site).step) == ("canary", 1)


def test_where_the_folder_is_not_limits_and_next_runs_are_not_known(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    (site.settings.pipelines / "visits" / "pipeline.yaml").unlink()
    found = told(site)
    assert (found.word, found.limit, found.next_run) == ("OK", None, None)
    assert found.age is not None


def test_the_worst_comes_first_and_an_unread_ledger_before_all() -> None:
    def one(word: Any, pipeline: str) -> Standing:
        return Standing(pipeline=pipeline, word=word, said="so")

    words = ["OK", "NEW", "CANARY", "DRIFTED", "STALE", "WAITING", "FAILED", "BROKEN"]
    found = worst_first([one("OK", "b"), *(one(word, "a") for word in words), unread("z", "gone")])
    assert [(each.word, each.pipeline) for each in found] == [
        ("UNREAD", "z"),
        *((word, "a") for word in reversed(words)),
        ("OK", "b"),
    ]
