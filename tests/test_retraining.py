"""One retraining in one process: the order of its stages, where it ends early, and that it always reports."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from retrain import retraining, story
from retrain.alerts.base import Sender
from retrain.alerts.events import Event
from retrain.artifacts import ModelRef
from retrain.errors import DataError, GatewayError, ReleaseError, StoreError, ValidationFailed
from retrain.ledger import Served, StageDone
from retrain.retraining import Interrupted
from retrain.rollout.canary import Canary
from retrain.rollout.progress import progress
from retrain.rollout.shadow import Shadow
from retrain.targets.base import Target
from retraining_world import Line, line

__all__ = ["line"]

ALL = "collect validate drift features train evaluate bless freshness rehearse shadow canary promote"


def test_the_stages_come_in_the_order_of_the_story(line: Line) -> None:
    line.run()
    told = [stage for stage, state, _ in line.told if state == "running"]
    assert told == [stage.name for stage in story.told(line.spec) if stage.group and stage.name != "roll_back"]


def test_the_stages_come_in_the_order_of_the_dag(line: Line) -> None:
    outcome = line.run()
    assert [stage for stage, state, _ in line.told if state == "success"] == [*ALL.split(), "report"]
    assert [stage for stage, state, _ in line.told if state == "running"] == ALL.split()
    assert (outcome.decision, outcome.exit_status) == ("promoted", 0)
    assert outcome.headline == "flights: version 1 promoted: version 1 is the first champion"
    assert outcome.report.stages["roll_back"] == "skipped"
    assert line.ledger.champion().version == 1


def test_doing_it_again_changes_nothing(line: Line) -> None:
    first = line.run()
    releases = [entry for entry in line.ledger.entries() if entry.kind == "release"]
    assert line.run().decision == first.decision == "promoted"
    assert [entry for entry in line.ledger.entries() if entry.kind == "release"] == releases


def vetoed(line: Line) -> None:
    line.pretend("bless", lambda: line.verdict("vetoed"))


def undecided(line: Line) -> None:
    line.pretend("bless", lambda: line.verdict("undecided"))


def fresh_enough(line: Line) -> None:
    def fresh() -> str:
        line.decide("fresh", reason="2 days old", champion=1)
        return "2 days old"

    line.pretend("fresh_enough", fresh, of="drift")


def stale(line: Line) -> None:
    def old() -> Any:
        line.decide("stale", version=1, reason="10 days old")
        return SimpleNamespace(fresh=False, reason="10 days old")

    line.pretend("freshness", old)


def unapproved(line: Line) -> None:
    approval = line.spec.bless.approval.model_copy(update={"required": True})
    bless = line.spec.bless.model_copy(update={"approval": approval})
    line.spec = line.spec.model_copy(update={"bless": bless})


def rehearsal_failed(line: Line) -> None:
    line.pretend("rehearse", lambda: line.rehearsal(False))


@pytest.mark.parametrize(
    ("ending", "last", "decision", "status"),
    [
        (fresh_enough, "drift", "fresh enough", 0),
        (vetoed, "bless", "vetoed", 1),
        (undecided, "bless", "undecided", 1),
        (unapproved, "bless", "awaiting approval", 0),
        (stale, "freshness", "stale", 1),
        (rehearsal_failed, "rehearse", "rehearsal failed", 1),
    ],
)
def test_a_decision_ends_it_early_and_is_no_failure(
    line: Line, ending: Any, last: str, decision: str, status: int
) -> None:
    ending(line)
    outcome = line.run()
    assert (outcome.decision, outcome.exit_status) == (decision, status)
    done = [stage for stage, state, _ in line.told if state == "success"]
    assert done[-2:] == [last, "report"]
    assert line.ledger.champion() is None
    assert not [entry for entry in line.ledger.entries() if entry.kind == "release"]


def test_an_approval_in_the_ledger_lets_it_go_on(line: Line) -> None:
    unapproved(line)
    line.decide("approval", version=1, approved=True, reason="fine")
    assert line.run().decision == "promoted"


@pytest.mark.parametrize("stage", ALL.split()[:9])
def test_a_failure_is_raised_after_the_report_is_written(line: Line, stage: str) -> None:
    line.fail(stage, DataError("The data are no good."))
    with pytest.raises(DataError, match="no good") as caught:
        line.run()
    assert caught.value.__notes__ == [f"flights: failed at {stage}"]
    assert line.told[-2][:2] == (stage, "failed")
    newest = next(done for _, done in line.ledger.of(StageDone) if done.stage == "report")
    assert newest.summary == f"flights: failed at {stage}"


def test_bad_data_stop_it_at_validate(line: Line) -> None:
    line.fail("require_valid", ValidationFailed("3 expectations are broken."), of="validate")
    with pytest.raises(ValidationFailed):
        line.run()
    assert ("validate", "failed") in [said[:2] for said in line.told]
    assert "drift" not in line.called


def test_a_report_that_cannot_be_written_does_not_hide_the_failure(line: Line) -> None:
    line.fail("collect", DataError("no good"))
    line.fail("report", StoreError("The store is away."))
    with pytest.raises(DataError) as caught:
        line.run()
    assert "The report could not be written: The store is away." in caught.value.__notes__[0]


class Ear(Sender):
    """Somebody who is told."""

    def send(self, event: Event) -> None:
        HEARD.append(event)


HEARD: list[Event] = []


def succeeded(line: Line) -> None:
    pass


def broken(line: Line) -> None:
    line.fail("train", DataError("no good"))


def unreported(line: Line) -> None:
    line.fail("report", StoreError("The store is away."))


@pytest.mark.parametrize(
    ("ending", "on", "kind", "version", "headline"),
    [
        (succeeded, "success", "promoted", 1, "version 1 promoted"),
        (vetoed, "decision", "vetoed", 1, "version 1 vetoed: suspicious"),
        (fresh_enough, "decision", "fresh_enough", None, "fresh enough: 2 days old"),
        (broken, "failure", "run_failed", None, "failed at train"),
        (unreported, "failure", "run_failed", None, "The report could not be written: The store is away."),
    ],
)
def test_whoever_asked_for_it_is_told_how_it_ended(
    line: Line, ending: Any, on: str, kind: str, version: int | None, headline: str
) -> None:
    HEARD.clear()
    line.spec = line.spec.model_copy(update={"alerts": (Ear(to="ear", on=("failure", "decision", "success")),)})
    ending(line)
    with suppress(DataError, StoreError):
        line.run()
    (event,) = HEARD
    assert (event.on, event.kind, event.pipeline, event.run, event.version) == (on, kind, "flights", "run-1", version)
    assert headline in event.headline


def test_a_sender_that_breaks_changes_nothing_for_the_run(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ear, "send", lambda self, event: 1 / 0)
    line.spec = line.spec.model_copy(update={"alerts": (Ear(to="ear", on=("success",)),)})
    assert line.run().decision == "promoted"


# -- the release -------------------------------------------------------------------------------------------------


def scripted(monkeypatch: pytest.MonkeyPatch, phase: Any, *states: Any) -> None:
    """A shadow or canary that says these states in turn, or raises."""
    said = iter(states)

    def say(*_: object) -> Any:
        state = next(said)
        if isinstance(state, Exception):
            raise state
        return progress("canary", state, f"it is {state}")

    monkeypatch.setattr(phase, "begin", say)
    monkeypatch.setattr(phase, "look", say)


def test_it_looks_until_the_release_is_decided(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, Shadow, "waiting", "waiting", "done")
    scripted(monkeypatch, Canary, "waiting", "done")
    line.run()
    said = [(stage, state) for stage, state, _ in line.told if stage in {"shadow", "canary"}]
    assert said == [
        *[("shadow", state) for state in ("running", "waiting", "waiting", "success")],
        *[("canary", state) for state in ("running", "waiting", "success")],
    ]


@pytest.mark.parametrize("phase", [Shadow, Canary])
def test_a_rollback_ends_it_without_a_promotion(line: Line, monkeypatch: pytest.MonkeyPatch, phase: Any) -> None:
    scripted(monkeypatch, Shadow, "done")
    scripted(monkeypatch, phase, "waiting", "rolled_back")
    outcome = line.run()
    assert outcome.report.stages["roll_back"] == "success"
    assert outcome.report.stages["promote"] == "skipped"
    assert line.ledger.champion() is None


def test_a_pause_ends_it_and_leaves_the_release_as_it_is(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, Shadow, "done")
    scripted(monkeypatch, Canary, "waiting", "paused")
    outcome = line.run()
    assert (outcome.report.stages["promote"], outcome.report.stages["roll_back"]) == ("skipped", "skipped")


def test_a_lost_store_is_waited_for_but_not_for_ever(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    away = StoreError("The store is away.")
    scripted(monkeypatch, Shadow, "done")
    scripted(monkeypatch, Canary, "waiting", *[away] * (retraining.LOST_LOOKS - 1), "done")
    assert line.run().decision == "promoted"
    scripted(monkeypatch, Shadow, "done")
    scripted(monkeypatch, Canary, "waiting", *[away] * retraining.LOST_LOOKS)
    with pytest.raises(StoreError, match="away"):
        line.run()


class Fleet(Target):
    """Keeps what it is told; it is away for a while."""

    told: ClassVar[list[int]] = []
    away: ClassVar[int] = 0

    def apply(self, release: Any, number: int, spec: Any, site: Any) -> None:
        if Fleet.away:
            Fleet.away -= 1
            raise ConnectionError("no route to host")
        Fleet.told.append(number)

    def rehearse(self, candidate: Any, spec: Any, site: Any) -> Any:
        raise NotImplementedError

    def watch(self, candidate: Any, spec: Any, site: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("away", [1, 2])
def test_a_target_that_missed_the_promotion_hears_of_it_before_the_report(line: Line, away: int) -> None:
    """Away once: it is told at the end of the run. Away then, too: no report says that all is well."""
    canary = line.spec.canary.model_copy(update={"target": Fleet(kind="fleet")})
    line.spec = line.spec.model_copy(update={"canary": canary})
    Fleet.told, Fleet.away = [], away
    with pytest.raises(GatewayError, match="no route to host") as caught:
        line.run(skip_canary=True, reason="in a hurry")
    number = line.ledger.release_number()
    assert line.ledger.release().serves(1)
    if away == 1:
        assert Fleet.told == [number]
        assert "version 1 promoted" in caught.value.__notes__[0]
    else:
        assert Fleet.told == []
        assert f"does not follow ledger entry {number} yet" in caught.value.__notes__[0]


def test_a_skipped_canary_is_promoted_with_its_reason(line: Line) -> None:
    line.champion()
    outcome = line.run(skip_canary=True, reason="the champion is on fire")
    assert outcome.headline == "flights: version 1 promoted: canary skipped by test: the champion is on fire"


def test_a_version_is_released_again_without_training(line: Line) -> None:
    line.candidate()
    line.verdict("blessed")
    outcome = line.run(redeploy=1)
    assert outcome.decision == "promoted"
    assert line.called == ["rehearse"]
    assert outcome.report.stages["train"] == "skipped"


def test_a_version_that_is_not_blessed_is_not_released_again(line: Line) -> None:
    line.candidate()
    line.verdict("vetoed")
    with pytest.raises(ReleaseError, match="cannot be released again: it is vetoed"):
        line.run(redeploy=1)
    with pytest.raises(ReleaseError, match="no version 7"):
        line.run(redeploy=7)
    assert line.ledger.champion() is None


# -- stopped from outside ----------------------------------------------------------------------------------------


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def served(version: int) -> Served:
    return Served(version=version, model=ModelRef(digest="0" * 64, path="m", files={}))


@pytest.mark.parametrize("stage", ALL.split()[:9])
def test_an_interrupted_run_says_where_it_stopped_and_goes_on_from_there(line: Line, stage: str) -> None:
    with line.monkeypatch.context() as patch:
        patch.setattr(f"retrain.stages.{stage}.{stage}", interrupt)
        with pytest.raises(Interrupted) as caught:
            line.run()
    ended = caught.value.ended
    assert (ended.decision, ended.exit_status) == ("interrupted", 130)
    assert ended.headline == f"flights: interrupted at {stage}"
    assert line.told[-2:] == [(stage, "interrupted", ""), ("report", "success", ended.headline)]
    assert line.ledger.champion() is None
    assert line.run().decision == "promoted"


@pytest.mark.parametrize("phase", ["shadow", "canary"])
def test_an_interrupted_release_is_rolled_back_because_nobody_watches_it(line: Line, phase: str) -> None:
    line.champion()
    if phase == "canary":
        without = line.spec.canary.shadow.model_copy(update={"requests": 0})
        canary = line.spec.canary.model_copy(update={"shadow": without})
        line.spec = line.spec.model_copy(update={"canary": canary})
    line.monkeypatch.setattr(retraining.time, "sleep", interrupt)
    with pytest.raises(Interrupted) as caught:
        line.run()
    reason = "the run was interrupted, so nobody watches it"
    assert caught.value.ended.headline == f"flights: interrupted at {phase}; version 1 rolled back: {reason}"
    standing = line.ledger.release()
    assert (standing.state, standing.reason, standing.champion.version) == ("rolled_back", reason, 9)


def test_interrupted_before_its_release_it_leaves_another_run_s_release_alone(line: Line) -> None:
    line.champion()
    line.candidate()
    line.decide("release", state="shadowing", champion=line.ledger.champion(), challenger=served(1), steps=(0.5,))
    line.pretend("evaluate", interrupt)
    with pytest.raises(Interrupted):
        line.run()
    assert line.ledger.release().tries(1)


def test_interrupted_again_it_ends_as_it_stands(line: Line) -> None:
    line.pretend("train", interrupt)
    line.pretend("report", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        line.run()
    assert not isinstance(caught.value, Interrupted)


def test_whoever_asked_for_it_is_told_that_it_was_interrupted(line: Line) -> None:
    HEARD.clear()
    line.spec = line.spec.model_copy(update={"alerts": (Ear(to="ear", on=("decision",)),)})
    line.pretend("train", interrupt)
    with pytest.raises(Interrupted):
        line.run()
    assert [event.kind for event in HEARD] == ["interrupted"]
