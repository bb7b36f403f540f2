"""What is written down of each look: whoever drives writes it, whoever shows reads it, and nothing depends on it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import fewer
from release_world import canary, shadow
from retrain.artifacts import now
from retrain.errors import StoreDenied
from retrain.ledger import ledger as ledgers
from retrain.ledger import overrule
from retrain.monitoring.evidence import LiveEvidence
from retrain.rollout import looks as module
from retrain.rollout.canary import Canary
from retrain.rollout.looks import MOST, Look, TrialStory, thinned, trial_story, unwatched
from retrain.store.local import LocalStore
from retrain.words import second

NO_SHADOW = {"shadow": {"requests": 0}}


@pytest.fixture
def world(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Version 1 serves, nobody asks for a shadow, and every look is written."""
    monkeypatch.setattr(module, "EVERY", 0.0)
    made = make_world(**NO_SHADOW)
    made.champion()
    return made


@pytest.fixture
def shadowed(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Version 2 is in its shadow, with a first look at 30 requests; and every look is written."""
    monkeypatch.setattr(module, "EVERY", 0.0)
    world = make_world()
    world.champion()
    candidate = world.candidate(2)
    shadow.begin(world.spec, world.request(), candidate, world.site)
    world.traffic(30)
    advance(world, candidate, shadow)
    return world, candidate


def begin(world: Any, version: int = 2) -> Any:
    candidate = world.candidate(version)
    canary.begin(world.spec, world.request(), candidate, world.site)
    return candidate


def advance(world: Any, candidate: Any, phase: Any = canary) -> Any:
    return phase.advance(world.spec, world.request(), candidate, world.site, world.watch(candidate))


def story(world: Any) -> TrialStory:
    """As another process reads it."""
    found = trial_story("flights", world.another_site())
    assert found is not None
    return found


def written(world: Any) -> list[str]:
    paths: list[str] = world.site.store.list("flights/looks")
    return paths


def later(monkeypatch: pytest.MonkeyPatch, **delta: int) -> None:
    monkeypatch.setattr(ledgers, "now", lambda: now() + timedelta(**delta))


# -- what is told ------------------------------------------------------------------------------------------------


def test_where_nothing_was_tried_there_is_nothing_to_tell(world: Any) -> None:
    assert trial_story("flights", world.site) is None
    assert written(world) == []


def test_each_look_is_told_as_it_was_seen(world: Any) -> None:
    candidate = begin(world)
    told = story(world)
    assert (told.version, told.champion, told.phase, told.state) == (2, 1, "canary", "ramping")
    assert (told.summary, told.requests.challenger, told.metrics) == ("step 1 of 3 at 20 %", 0, ())
    assert (told.alpha, told.on_patience, told.watched) == (0.05, "rollback", True)
    assert told.patience_ends == pytest.approx(told.started + timedelta(hours=1), abs=timedelta(seconds=30))

    world.traffic(100)
    progress = advance(world, candidate)
    told, seen = story(world), LiveEvidence.model_validate(progress.evidence)
    assert told.summary == progress.summary
    assert (told.metrics, told.labels, told.doubts) == (seen.metrics, seen.labels, seen.doubts)
    assert (told.requests.champion, told.requests.challenger) == (seen.champion, seen.challenger)
    assert told.share_seen == seen.challenger / 100
    assert told.open == tuple(metric.summary for metric in seen.metrics)
    assert [metric.unit for metric in told.metrics] == ["share", "ms", "brier"]
    assert sum(metric.weight for metric in told.metrics) == pytest.approx(1.0)

    world.traffic(400)
    advance(world, candidate)
    told = story(world)
    assert (told.step, told.steps, told.share, told.share_seen) == (2, (0.2, 0.5, 0.8), 0.5, None)
    assert [look.step for look in told.looks] == [1, 2]
    assert set(told.looks[-1].values) == {"errors", "latency", "loss"}
    difference, lower, upper = told.looks[-1].values["errors"]
    assert lower < difference < upper


def test_a_whole_release_is_told_from_its_shadow_to_its_end(shadowed: tuple[Any, Any]) -> None:
    world, candidate = shadowed
    told = story(world)
    assert (told.phase, told.state, told.step, told.share, told.share_seen) == ("shadow", "shadowing", 0, 1.0, 1.0)
    world.drive(candidate, world.request())
    told = story(world)
    assert (told.phase, told.state, told.step) == ("canary", "promoted", 3)
    assert told.ended is not None
    assert (told.watched, told.patience_ends, told.open) == (None, None, ())
    assert [look.step for look in told.looks] == sorted(look.step for look in told.looks)
    assert {look.step for look in told.looks} == {0, 1, 2, 3}
    assert json.loads(told.model_dump_json())["metrics"][0]["within"]


def test_a_harmful_one_is_told_with_what_showed_it(world: Any) -> None:
    progress = world.drive(world.candidate(2), world.request(), challenger_errors=0.3)
    told = story(world)
    assert (told.state, told.summary) == ("rolled_back", progress.summary)
    assert any(metric.worse for metric in told.metrics)


def test_a_newer_trial_has_looks_of_its_own(world: Any) -> None:
    advance(world, begin(world, 2))
    advance(world, begin(world, 3))
    assert len(written(world)) == 2
    assert story(world).version == 3


def test_what_it_costs_does_not_grow_with_the_log(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = begin(world)
    world.traffic(300)
    advance(world, candidate)
    site = world.another_site()
    assert trial_story("flights", site) is not None
    asked: list[str] = []
    for name in ("get", "exists", "list", "fetch"):
        real = getattr(LocalStore, name)
        monkeypatch.setattr(LocalStore, name, lambda self, path, real=real: asked.append(path) or real(self, path))
    assert trial_story("flights", site) is not None
    assert not any("/log/" in path for path in asked)
    assert len([path for path in asked if "/looks/" in path]) == 1
    assert sum(len(site.store.get(path)) for path in written(world)) < 10_000


# -- who takes over ----------------------------------------------------------------------------------------------


def test_who_takes_over_goes_on_with_the_looks_that_are_there(world: Any) -> None:
    candidate = begin(world)
    for _ in range(3):  # each look is that of another driver
        world.traffic(40)
        advance(world, candidate)
    assert len(story(world).looks) == 3


def test_numbers_are_written_every_few_seconds_and_steps_at_once(make_world: Any) -> None:
    world = make_world(**NO_SHADOW)
    world.champion()
    candidate = begin(world)
    phase = Canary(world.spec, world.request(), candidate, world.another_site())
    for _ in range(4):
        world.traffic(10)
        phase.look()
    assert len(story(world).looks) == 1
    world.traffic(500)
    phase.look()
    assert [look.step for look in story(world).looks] == [1, 2]


@pytest.mark.parametrize(
    "lie", [b"", b"{", b"\xff\xfe", b"null", b'{"version": 2}', "another version", "NaN", "a thousand looks"]
)
def test_what_is_not_to_be_read_is_begun_anew_and_the_release_goes_on(world: Any, lie: bytes | str) -> None:
    candidate = begin(world)
    world.traffic(50)
    advance(world, candidate)
    (path,) = written(world)
    told = json.loads(world.site.store.get(path))
    if lie == "another version":
        lie = json.dumps({**told, "version": 7, "summary": "promoted!"}).encode()
    elif lie == "NaN":
        told["looks"][0]["values"]["errors"] = [float("nan")] * 3
        lie = json.dumps(told).encode()
    elif lie == "a thousand looks":
        lie = json.dumps({**told, "looks": told["looks"] * 1000}).encode()
    world.site.store.put(path, lie)
    assert (story(world).version, story(world).state, story(world).step) == (2, "ramping", 1)
    world.traffic(400)
    watch = world.watch(candidate)
    phase = Canary(world.spec, world.request(), candidate, world.another_site())
    phase.__dict__["watch"] = watch
    assert "step 2 of 3" in phase.look().summary
    phase.look()
    assert "step 2 of 3" in story(world).summary
    assert 1 <= len(story(world).looks) <= MOST


def test_a_lost_one_is_begun_anew(world: Any) -> None:
    candidate = begin(world)
    world.site.store.delete(written(world)[0])
    assert (story(world).watched, story(world).alpha, story(world).summary) == (None, None, "step 1 of 3")
    world.traffic(50)
    advance(world, candidate)
    assert len(story(world).looks) == 1


def test_a_store_that_does_not_take_it_is_told_once_and_decides_nothing(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def put(self: Any, path: str, data: bytes) -> None:
        raise StoreDenied("The store does not let us write.", where=path)

    monkeypatch.setattr(LocalStore, "put", put)
    candidate = begin(world)
    phase = Canary(world.spec, world.request(), candidate, world.another_site())
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            world.traffic(300)
            phase.look()
    assert world.states()[-1] == "ramping 3"
    told = [record.getMessage() for record in caplog.records if "could not be written down" in record.getMessage()]
    assert len(told) == 1
    assert "version 2 of pipeline 'flights'" in told[0]
    assert story(world).state == "ramping"


# -- pauses ------------------------------------------------------------------------------------------------------


def test_a_pause_is_told_and_what_was_seen_before_it_counts_after_the_resume(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = begin(world)
    world.traffic(100)
    before = LiveEvidence.model_validate(advance(world, candidate).evidence)
    overrule.pause(world.ledger, actor="cli:alice", reason="latency on the graph")
    assert (story(world).state, story(world).summary, story(world).share) == ("paused", "latency on the graph", 0.0)
    progress = advance(world, candidate)
    assert "paused: latency on the graph; to go on: `retrain resume flights" in progress.summary
    told = story(world)
    assert (told.summary, told.patience_ends, told.metrics) == (progress.summary, None, before.metrics)
    with monkeypatch.context() as patch:
        later(patch, hours=3)  # a pause has no end of its own
        assert advance(world, candidate).state == "paused"
        overrule.resume(world.ledger, actor="cli:alice", reason="it was the graph")
        world.traffic(200)
        after = LiveEvidence.model_validate(advance(world, candidate).evidence)
        assert after.challenger > before.challenger
        assert len(after.asked) == 2
        told = story(world)
        assert told.patience_ends - told.started == pytest.approx(timedelta(hours=4), abs=timedelta(minutes=1))
        assert told.share_seen == pytest.approx(after.challenger / 300)
    assert world.states() == ["promoted", "ramping 1", "paused 1", "ramping 1", *world.states()[4:]]


def test_a_shadow_that_was_paused_goes_on_as_a_shadow(shadowed: tuple[Any, Any]) -> None:
    world, candidate = shadowed
    overrule.pause(world.ledger, actor="cli:alice", reason="let me look")
    paused = advance(world, candidate, shadow)
    assert (paused.state, paused.decided) == ("paused", False)
    assert (story(world).phase, story(world).state) == ("shadow", "paused")
    overrule.resume(world.ledger, actor="cli:alice", reason="fine")
    world.traffic(30)
    done = advance(world, candidate, shadow)
    assert (done.state, done.summary.split(",")[0]) == ("done", "60 of 50 shadow answers")
    assert world.states() == ["promoted", "shadowing", "paused", "shadowing"]


def test_that_nobody_watches_is_said_with_what_to_do(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = begin(world)
    assert unwatched("flights", story(world)) is None
    with monkeypatch.context() as patch:
        later(patch, minutes=10)
        told = story(world)
        assert told.watched is False
        said = unwatched("flights", told)
        assert said is not None
        assert f"the last look was at {second(told.looked_at)}" in said
        assert "`retrain run flights --redeploy 2`" in said
        advance(world, candidate)
        assert unwatched("flights", story(world)) is None
    overrule.abort(world.ledger, actor="cli:alice", reason="enough")
    assert unwatched("flights", story(world)) is None


def test_who_watches_a_pause_says_so(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = begin(world)
    overrule.pause(world.ledger, actor="cli:alice", reason="let me look")
    advance(world, candidate)
    later(monkeypatch, minutes=10)
    advance(world, candidate)
    assert story(world).watched


# -- thinning ----------------------------------------------------------------------------------------------------


def many(steps: list[int]) -> list[Look]:
    begun = now()
    return [
        Look(at=begun + timedelta(seconds=place), requests=place, step=step, share=0.1, values={})
        for place, step in enumerate(steps)
    ]


@fewer(50)
@given(st.lists(st.tuples(st.integers(1, 200), st.booleans()), min_size=1, max_size=30))
def test_thinning_keeps_order_ends_and_steps_and_holds_its_bound(runs: list[tuple[int, bool]]) -> None:
    """Also taken up one by one, as they come."""
    steps, step = [], 0
    for length, further in runs:
        step += further
        steps += [step] * length
    every = many(steps)
    kept: tuple[Look, ...] = ()
    for look in every:
        kept = thinned((*kept, look))
    first_of_step = [look for place, look in enumerate(every) if place == 0 or steps[place - 1] != look.step]
    for left in (kept, thinned(every)):
        assert len(left) <= MOST
        assert [look.requests for look in left] == sorted({look.requests for look in left})
        assert (left[0], left[-1]) == (every[0], every[-1])
        assert set(map(repr, first_of_step)) <= set(map(repr, left))
    assert len(kept) == min(len(every), len(kept))
    assert len(every) <= MOST or len(kept) >= MOST // 2


def test_where_every_look_is_a_step_the_oldest_go() -> None:
    left = thinned(many(list(range(500))))
    assert len(left) == MOST
    assert (left[0].step, left[-1].step) == (0, 499)
