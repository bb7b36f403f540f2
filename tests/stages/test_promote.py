"""Promoting: once, and never what the ledger does not allow."""

from __future__ import annotations

from typing import Any

import pytest

from ledger_world import body as body_of
from release_world import canary, shadow
from retrain.errors import ReleaseError
from retrain.ledger import Excluded, overrule
from retrain.ledger import release as machine
from retrain.stages.promote import promote
from retrain.stages.roll_back import roll_back
from retrain.tracking import aliases


def passed(world: Any, version: int = 2, run: str = "run-2") -> Any:
    """A version whose canary has passed."""
    candidate = world.candidate(version)
    canary.begin(world.spec, world.request(run, skip_canary=False), candidate, world.site)
    while "ramping 3" not in world.states()[-1:]:
        world.ledger.append(machine.ramp(world.ledger.release(), reason="test"), actor="test")
    body = {"version": version, "passed": True, "reason": "all is well", "evidence": {}}
    world.ledger.append(Excluded.model_validate(body), actor="canary", run=run, once=f"{run}/canary")
    return candidate


def doit(world: Any, candidate: Any, run: str = "run-2", **keys: Any) -> Any:
    return promote(world.spec, world.request(run, **keys), candidate, world.site)


def test_the_first_champion_needs_no_canary(make_world: Any) -> None:
    world = make_world()
    release = doit(world, world.candidate(1), "run-1")
    assert (release.state, release.champion.version, release.reason) == (
        "promoted",
        1,
        "version 1 is the first champion",
    )


def test_a_passed_canary_is_promoted_once(world: Any) -> None:
    candidate = passed(world)
    first = doit(world, candidate)
    again = promote(world.spec, world.request(), candidate, world.another_site())
    assert first == again
    assert (first.champion.version, first.previous.version, first.challenger) == (2, 1, None)
    assert world.states().count("promoted") == 2
    assert first.reason == "the canary passed: all is well"


def test_without_a_passed_canary_nothing_is_promoted(world: Any) -> None:
    candidate = world.candidate(2)
    with pytest.raises(ReleaseError, match="canary has not passed"):
        doit(world, candidate)
    shadow.begin(world.spec, world.request(), candidate, world.site)
    with pytest.raises(ReleaseError, match="canary has not passed"):
        doit(world, candidate)
    assert world.ledger.champion().version == 1


def test_a_pass_of_an_earlier_trial_does_not_count(world: Any) -> None:
    candidate = passed(world)
    roll_back(world.spec, world.request(), candidate, world.site, "too late")
    canary.begin(world.spec, world.request("run-9"), candidate, world.site)
    with pytest.raises(ReleaseError, match="canary has not passed"):
        doit(world, candidate, "run-9")


def test_what_was_rolled_back_in_between_is_not_promoted(world: Any) -> None:
    candidate = passed(world)
    world.go_back(None, "I saw something")
    for keys in ({}, {"skip_canary": True, "reason": "hurry"}):
        with pytest.raises(ReleaseError, match="its release has ended: I saw something"):
            doit(world, candidate, **keys)
    assert world.ledger.champion().version == 1


def test_a_retried_task_does_not_promote_what_was_replaced_since(make_world: Any) -> None:
    world = make_world()
    world.champion()
    candidate = world.candidate(2)
    doit(world, candidate, skip_canary=True, reason="hurry")
    world.go_back(None, "it was bad")
    with pytest.raises(ReleaseError, match="promoted it once"):
        doit(world, candidate, skip_canary=True, reason="hurry")
    assert world.ledger.champion().version == 1


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("verdict", {"outcome": "vetoed", "reason": "a human says no"}, "not blessed .a human says no"),
        ("stale", {"reason": "old"}, "it is stale"),
        ("rehearsal", {"passed": False, "reason": "it does not load"}, "it does not load"),
    ],
)
def test_nothing_is_promoted_that_the_ledger_does_not_allow(world: Any, kind: Any, body: Any, why: str) -> None:
    candidate = passed(world)
    world.ledger.append(body_of(kind, version=2, **body), actor="alice", run="run-2")
    for keys in ({}, {"skip_canary": True, "reason": "hurry"}):
        with pytest.raises(ReleaseError, match=why):
            doit(world, candidate, **keys)
    assert world.ledger.champion().version == 1


def test_a_paused_release_waits_for_the_human(world: Any) -> None:
    candidate = passed(world)
    world.ledger.append(machine.pause(world.ledger.release(), reason="let me look"), actor="alice")
    with pytest.raises(ReleaseError, match="paused: let me look"):
        doit(world, candidate)
    overrule.resume(world.ledger, actor="cli:alice", reason="fine")
    assert doit(world, candidate).state == "promoted"


def test_a_skipped_canary_drops_whoever_is_being_tried(world: Any) -> None:
    shadow.begin(world.spec, world.request(), world.candidate(2), world.site)
    doit(world, world.candidate(3), "run-3", skip_canary=True, reason="hurry")
    assert world.states() == ["promoted", "shadowing", "rolled_back", "promoted"]
    assert world.releases()[2].reason == "superseded by version 3"


@pytest.mark.parametrize("stage", ["promote", "roll_back"])
def test_aliases_that_were_missed_are_set_when_it_is_tried_again(
    world: Any, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    candidate = passed(world)
    again = {"promote": lambda: doit(world, candidate), "roll_back": lambda: back(world, candidate)}[stage]
    again()
    seen: list[str] = []
    monkeypatch.setattr(aliases, "mirror", lambda ledger, settings: seen.append(ledger.release().state))
    again()
    assert seen == [world.states()[-1]]


def back(world: Any, candidate: Any) -> Any:
    return roll_back(world.spec, world.request(), candidate, world.site, "bad")
