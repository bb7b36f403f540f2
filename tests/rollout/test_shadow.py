"""The shadow: who is shadowed, when it is enough, what ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ledger_world import body as body_of
from release_world import shadow
from retrain.artifacts import now
from retrain.errors import LedgerMoved, ReleaseError, StoreError, UsageError
from retrain.ledger import Answered, Judged
from retrain.ledger import ledger as ledgers
from retrain.ledger import release as machine
from retrain.stages.roll_back import roll_back


def begin(world: Any, candidate: Any, request: Any = None) -> Any:
    return shadow.begin(world.spec, request or world.request(), candidate, world.site)


def advance(world: Any, candidate: Any, watch: Any = None) -> Any:
    return shadow.advance(world.spec, world.request(), candidate, world.site, watch or world.watch(candidate))


def test_without_a_champion_there_is_nothing_to_shadow(make_world: Any) -> None:
    world = make_world()
    progress = begin(world, world.candidate(1), world.request("run-1"))
    assert (progress.state, progress.summary) == ("done", "no champion: nothing to shadow")
    assert world.releases() == []


def test_it_begins_once_whoever_asks(world: Any) -> None:
    candidate = world.candidate(2)
    for _ in range(2):
        assert begin(world, candidate).state == "waiting"
    again = shadow.begin(world.spec, world.request("run-3"), candidate, world.another_site())
    assert again.state == "waiting"
    assert world.states() == ["promoted", "shadowing"]
    assert (world.releases()[-1].shadow, world.releases()[-1].share) == (1.0, 0.0)


def test_enough_answers_and_no_alarm(world: Any) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    watch = world.watch(candidate)
    assert advance(world, candidate, watch).summary == "no traffic yet"
    world.traffic(20)
    progress = advance(world, candidate, watch)
    assert (progress.state, progress.summary, progress.decided) == ("waiting", "20 of 50 shadow answers", False)
    world.traffic(40)
    progress = advance(world, candidate, watch)
    assert (progress.state, progress.decided) == ("done", True)
    assert "60 of 50 shadow answers, none alarming" in progress.summary
    assert world.states() == ["promoted", "shadowing"]


def test_failing_answers_roll_back_and_the_ledger_says_why(world: Any) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    world.traffic(60, challenger_errors=0.5)
    progress = advance(world, candidate)
    assert progress.state == "rolled_back"
    assert progress.evidence["metrics"][0]["worse"]
    assert world.states() == ["promoted", "shadowing", "rolled_back"]
    assert "harm in the shadow: errors: challenger" in world.releases()[-1].reason
    assert advance(world, candidate).state == "rolled_back"
    assert begin(world, candidate).state == "rolled_back"
    assert len(world.releases()) == 3


@pytest.mark.parametrize("requests", [0, 20])
def test_patience_ends_in_a_rollback(world: Any, monkeypatch: pytest.MonkeyPatch, requests: int) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    world.traffic(requests)
    monkeypatch.setattr(ledgers, "now", lambda: now() + timedelta(minutes=59))
    assert advance(world, candidate).state == "waiting"
    monkeypatch.setattr(ledgers, "now", lambda: now() + timedelta(minutes=61))
    progress = advance(world, candidate)
    assert progress.state == "rolled_back"
    assert f"1h are over with {requests} of 50 shadow answers" in progress.summary


def test_an_unreadable_log_is_waited_for_until_patience_ends(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)

    class Blind:
        def shadow(self) -> None:
            raise StoreError("The store is away.")

    assert advance(world, candidate, Blind()).state == "waiting"
    monkeypatch.setattr(ledgers, "now", lambda: now() + timedelta(hours=2))
    assert advance(world, candidate, Blind()).state == "rolled_back"


def test_it_is_left_out_when_the_canary_is_skipped_or_no_answers_are_asked_for(make_world: Any) -> None:
    world = make_world(shadow={"requests": 0})
    world.champion()
    candidate = world.candidate(2)
    assert begin(world, candidate).summary == "the pipeline asks for no shadow"
    request = world.request(skip_canary=True, reason="the champion is on fire")
    assert "the champion is on fire" in begin(world, candidate, request).summary
    with pytest.raises(UsageError, match="without a reason"):
        begin(world, candidate, world.request(skip_canary=True, reason=" "))
    assert world.states() == ["promoted"]


def test_a_newer_challenger_supersedes_the_older(world: Any) -> None:
    older, newer = world.candidate(2), world.candidate(3)
    begin(world, older)
    assert begin(world, newer, world.request("run-3")).state == "waiting"
    assert world.states() == ["promoted", "shadowing", "rolled_back", "shadowing"]
    assert world.releases()[-1].challenger.version == 3
    told = advance(world, older)
    assert (told.state, told.summary) == ("rolled_back", "version 2 was rolled back: superseded by version 3")
    assert len(world.releases()) == 4


def test_a_later_run_may_try_a_rolled_back_version_again(world: Any) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    roll_back(world.spec, world.request(), candidate, world.site, "a human says so")
    assert begin(world, candidate).state == "rolled_back"
    assert begin(world, candidate, world.request("run-9", redeploy=2)).state == "waiting"
    assert world.states()[-1] == "shadowing"


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("verdict", {"outcome": "vetoed", "reason": "no"}, "not blessed"),
        ("approval", {"approved": False, "reason": "no"}, "not blessed"),
        ("rehearsal", {"passed": False, "reason": "no"}, "not blessed"),
        ("stale", {"reason": "old"}, "it is stale"),
    ],
)
def test_nothing_is_begun_that_the_ledger_does_not_allow(world: Any, kind: Any, body: Any, why: str) -> None:
    candidate = world.candidate(2)
    world.ledger.append(body_of(kind, version=2, **body), actor="test", run="run-2")
    with pytest.raises(ReleaseError, match=why):
        begin(world, candidate)
    assert world.states() == ["promoted"]


def test_without_a_rehearsal_or_a_wanted_approval_nothing_is_begun(world: Any) -> None:
    with pytest.raises(ReleaseError, match="no rehearsal of it has passed"):
        begin(world, world.candidate(2, rehearsed=False))
    bless = world.spec.bless.model_copy(
        update={"approval": world.spec.bless.approval.model_copy(update={"required": True})}
    )
    world.spec = world.spec.model_copy(update={"bless": bless})
    candidate = world.candidate(3)
    with pytest.raises(ReleaseError, match="nobody has approved it"):
        begin(world, candidate, world.request("run-3"))
    world.ledger.append(
        Answered.model_validate({"version": 3, "approved": True, "reason": ""}), actor="alice", run="run-3"
    )
    assert begin(world, candidate, world.request("run-3")).state == "waiting"


def test_a_veto_while_it_shadows_rolls_it_back(world: Any) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    body = {"version": 2, "outcome": "vetoed", "reason": "wrong carrier", "verdict": None, "by": "alice"}
    world.ledger.append(Judged.model_validate(body), actor="alice")
    progress = advance(world, candidate)
    assert (progress.state, world.states()[-1]) == ("rolled_back", "rolled_back")
    assert "no longer blessed: wrong carrier" in progress.summary


def test_a_lost_race_is_decided_again(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate, other = world.candidate(2), world.candidate(3)
    ledger = world.site.ledger("flights")
    append, raced = ledger.append, []

    def slow(kind: Any, *rest: Any, **keys: Any) -> Any:
        if not raced:
            raced.append(True)
            begin_elsewhere = shadow.begin(world.spec, world.request("run-3"), other, world.another_site())
            assert begin_elsewhere.state == "waiting"
        return append(kind, *rest, **keys)

    monkeypatch.setattr(ledger, "append", slow)
    assert begin(world, candidate).state == "waiting"
    assert world.states() == ["promoted", "shadowing", "rolled_back", "shadowing"]
    assert world.releases()[-1].challenger.version == 2


def test_settling_does_not_hide_a_real_refusal(world: Any) -> None:
    def refuse(head: int) -> None:
        raise ReleaseError("no")

    with pytest.raises(ReleaseError):
        world.ledger.settle(refuse)
    tries = []

    def move(head: int) -> str:
        tries.append(head)
        if len(tries) < 3:
            raise LedgerMoved("moved")
        return "settled"

    assert world.ledger.settle(move) == "settled"


def test_a_champion_is_not_shadowed_by_itself(world: Any) -> None:
    candidate = world.candidate(1)
    assert begin(world, candidate, world.request("run-9")).summary == "version 1 is the champion already"
    assert machine.Release.model_validate(world.releases()[-1]).state == "promoted"
