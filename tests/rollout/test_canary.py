"""The canary: honest challengers are promoted, harmful ones rolled back, and nothing else ever happens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import fewer
from release_world import canary, shadow
from retrain.artifacts import now
from retrain.errors import LogBroken, ReleaseError, StoreError, UsageError
from retrain.ledger import Judged, overrule
from retrain.ledger import ledger as ledgers
from retrain.ledger import release as machine
from retrain.site import Site
from retrain.stages.promote import promote

NO_SHADOW = {"shadow": {"requests": 0}}


@pytest.fixture
def world(make_world: Any) -> Any:
    """Version 1 serves, and nobody asks for a shadow."""
    made = make_world(**NO_SHADOW)
    made.champion()
    return made


def begin(world: Any, candidate: Any, request: Any = None) -> Any:
    return canary.begin(world.spec, request or world.request(), candidate, world.site)


def advance(world: Any, candidate: Any, watch: Any = None, request: Any = None) -> Any:
    watch = watch or world.watch(candidate)
    return canary.advance(world.spec, request or world.request(), candidate, world.site, watch)


def write(world: Any, release: Any) -> None:
    world.ledger.append(release, actor="alice")


def later(monkeypatch: pytest.MonkeyPatch, **delta: int) -> None:
    """What time it is for whoever reads or writes the ledger."""
    monkeypatch.setattr(ledgers, "now", lambda: now() + timedelta(**delta))


# -- whole releases ----------------------------------------------------------------------------------------------


def test_an_honest_challenger_is_promoted(make_world: Any) -> None:
    world = make_world()
    world.champion()
    progress = world.drive(world.candidate(2), world.request())
    assert progress.state == "done"
    assert world.states() == ["promoted", "shadowing", "ramping 1", "ramping 2", "ramping 3", "promoted"]
    last = world.releases()[-1]
    assert (last.champion.version, last.previous.version) == (2, 1)
    assert "the canary passed: errors: challenger" in last.reason
    assert "harm beyond 0.03 is excluded" in last.reason


@pytest.mark.parametrize(
    ("harm", "metric", "worse"),
    [
        ("1 % to 6 % errors", "errors", {"challenger_errors": 0.06}),
        ("0.04 more loss", "loss", {"shift": 0.22}),
        ("ten times slower", "latency", {"slower": 12.0}),
    ],
)
def test_harm_is_rolled_back_with_its_numbers(world: Any, harm: str, metric: str, worse: dict[str, float]) -> None:
    progress = world.drive(world.candidate(2), world.request(), looks=100, **worse)
    assert progress.state == "rolled_back"
    assert world.states()[-1] == "rolled_back"
    assert f"harm is shown: {metric}: " in world.releases()[-1].reason
    assert world.ledger.champion().version == 1
    assert next(one for one in progress.evidence["metrics"] if one["name"] == metric)["worse"]


def test_without_labels_it_is_undecided(world: Any) -> None:
    progress = world.drive(world.candidate(2), world.request(), looks=12, per_look=400, labels=False)
    assert progress.state == "waiting"
    assert "not excluded yet: loss" in progress.summary
    assert world.states()[-1] == "ramping 3"


def test_without_labels_it_is_promoted_if_the_spec_does_not_need_them(make_world: Any) -> None:
    world = make_world(**NO_SHADOW, loss={"margin": 0.03, "required": False})
    world.champion()
    assert world.drive(world.candidate(2), world.request(), per_look=400, labels=False).state == "done"


def test_without_traffic_it_waits_and_then_loses_patience(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    watch = world.watch(candidate)
    for _ in range(3):
        assert advance(world, candidate, watch).summary == "step 1 of 3 at 20 %: no traffic yet"
    later(monkeypatch, minutes=61)
    progress = advance(world, candidate, watch)
    assert (progress.state, world.states()) == ("rolled_back", ["promoted", "ramping 1", "rolled_back"])
    assert "1h are over and nothing is shown: no traffic yet" in world.releases()[-1].reason


# -- the ramp ----------------------------------------------------------------------------------------------------


def test_a_step_needs_its_requests_and_its_time(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(**NO_SHADOW, step_time="10m")
    world.champion()
    candidate = world.candidate(2)
    begin(world, candidate)
    watch = world.watch(candidate)
    world.traffic(100)
    assert "of 60 requests" in advance(world, candidate, watch).summary
    world.traffic(400)
    assert "s of 10m" in advance(world, candidate, watch).summary
    later(monkeypatch, minutes=11)
    assert advance(world, candidate, watch).summary == "step 2 of 3 at 50 %"
    assert "no traffic yet" in advance(world, candidate, watch).summary  # a step counts its own requests only
    assert world.states() == ["promoted", "ramping 1", "ramping 2"]


def test_a_restart_goes_on_where_it_was(world: Any) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    world.traffic(500)
    assert "step 2 of 3" in advance(world, candidate).summary
    world.traffic(200)
    site = world.another_site()
    again = canary.begin(world.spec, world.request(), candidate, site)
    assert again.summary == "step 2 of 3 at 50 %"
    progress = canary.advance(world.spec, world.request(), candidate, site, world.watch(candidate, site))
    assert progress.summary == "step 3 of 3 at 80 %"


def test_it_goes_on_from_the_shadow(make_world: Any) -> None:
    world = make_world()
    world.champion()
    candidate = world.candidate(2)
    shadow.begin(world.spec, world.request(), candidate, world.site)
    assert advance(world, candidate).summary == "step 1 of 3 at 20 %"
    assert world.states() == ["promoted", "shadowing", "ramping 1"]


def test_what_has_passed_stays_passed_for_the_task_that_asks_again(world: Any) -> None:
    candidate = world.candidate(2)
    progress = begin(world, candidate)
    while progress.state == "waiting":
        world.traffic(400)
        progress = advance(world, candidate)
    for again in (begin(world, candidate), advance(world, candidate)):
        assert (again.state, again.decided) == ("done", True)
        assert again.summary.startswith("promote version 2: errors")
    assert [entry.kind for entry in world.ledger.entries()].count("canary") == 1
    assert world.states()[-1] == "ramping 3"  # promoting is the next stage's work


# -- patience, humans, other releases ----------------------------------------------------------------------------


def test_patience_may_end_in_a_pause_and_a_human_goes_on(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(**NO_SHADOW, on_patience="pause")
    world.champion()
    candidate = world.candidate(2)
    begin(world, candidate)
    world.traffic(500)
    advance(world, candidate)
    with monkeypatch.context() as patch:
        later(patch, minutes=61)
        progress = advance(world, candidate)
        assert (progress.state, progress.decided) == ("paused", False)
        assert "1h are over and nothing is shown: no traffic yet" in progress.summary
        assert advance(world, candidate).state == "paused"
    overrule.resume(world.ledger, actor="cli:alice", reason="go on")
    assert advance(world, candidate).state == "waiting"  # patience starts anew
    assert world.states() == ["promoted", "ramping 1", "ramping 2", "paused 2", "ramping 2"]


# -- clocks that are wrong ---------------------------------------------------------------------------------------


WORSE_BUT_TOLERATED = {"champion_errors": 0.0, "challenger_errors": 0.03, "labels": False}


def test_a_challenger_that_is_worse_within_its_margin_is_tolerated(make_world: Any) -> None:
    world = make_world(**NO_SHADOW, errors={"margin": 0.1}, loss=None)
    world.champion()
    progress = world.drive(world.candidate(2), world.request(), **WORSE_BUT_TOLERATED)
    assert progress.state == "done"
    assert any(metric["noticed"] for metric in progress.evidence["metrics"])


def test_a_human_may_be_asked_about_one_that_is_worse_and_is_asked_once(make_world: Any) -> None:
    world = make_world(**NO_SHADOW, errors={"margin": 0.06}, loss=None, on_worse="pause")
    world.champion()
    candidate = world.candidate(2)
    progress = world.drive(candidate, world.request(), **WORSE_BUT_TOLERATED)
    assert progress.state == "paused"
    assert "worse, and not shown to be by more than is allowed: errors" in progress.summary
    overrule.resume(world.ledger, actor="cli:alice", reason="go on")
    world.traffic(50, **WORSE_BUT_TOLERATED)
    assert advance(world, candidate).state == "waiting"


def test_who_paused_it_by_hand_was_not_asked_about_one_that_is_worse(make_world: Any) -> None:
    world = make_world(**NO_SHADOW, errors={"margin": 0.06}, loss=None, on_worse="pause")
    world.champion()
    candidate = world.candidate(2)
    begin(world, candidate)
    overrule.pause(world.ledger, actor="cli:alice", reason="let me look")
    overrule.resume(world.ledger, actor="cli:alice", reason="go on")
    progress = world.drive(candidate, world.request(), **WORSE_BUT_TOLERATED)
    assert progress.state == "paused"
    assert "worse, and not shown to be by more than is allowed: errors" in progress.summary


@pytest.mark.parametrize("days", [1, 400, -1], ids=["a day ahead", "a year ahead", "a day behind"])
def test_a_decision_of_a_wrong_clock_neither_stalls_nor_hastens_patience(
    world: Any, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Each look is that of another driver, on a machine whose clock is right."""
    candidate = world.candidate(2)
    with monkeypatch.context() as there:
        later(there, days=days)
        begin(world, candidate)
    states = []
    for minutes in (0, 30, 59, 62):
        later(monkeypatch, minutes=minutes)
        world.site = world.another_site()
        states.append(advance(world, candidate).state)
    assert states == ["waiting", "waiting", "waiting", "rolled_back"]
    assert world.states() == ["promoted", "ramping 1", "ramping 1", "rolled_back"]
    assert "1h are over" in world.releases()[-1].reason


def test_a_wrong_clock_is_said_in_the_ledger_and_while_it_is_waited_for(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = world.candidate(2)
    with monkeypatch.context() as there:
        later(there, days=1)
        begin(world, candidate)
    summary = advance(world, candidate).summary
    assert "step 1 of 3 at 20 %: no traffic yet; Ledger entry" in summary
    assert "written by test in run run-2, is stamped 1 d ahead of the clock here" in summary
    assert "step 1 of 3; stated again: Ledger entry" in world.releases()[-1].reason


@pytest.mark.parametrize("days", [1, -1])
def test_a_step_of_a_wrong_clock_has_its_time_and_keeps_its_requests(
    make_world: Any, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    world = make_world(**NO_SHADOW, step_time="10m")
    world.champion()
    candidate = world.candidate(2)
    with monkeypatch.context() as there:
        later(there, days=days)
        begin(world, candidate)
    world.traffic(500)  # before anybody looks
    assert "s of 10m" in advance(world, candidate).summary
    later(monkeypatch, minutes=11)
    world.site = world.another_site()
    assert advance(world, candidate).summary.startswith("step 2 of 3 at 50 %")


@fewer(8)
@given(turns=st.lists(st.sampled_from([0, 1, -1, 30]), min_size=4, max_size=12))
def test_drivers_whose_clocks_differ_do_not_answer_one_another_for_ever(
    make_world: Any, monkeypatch: pytest.MonkeyPatch, turns: list[int]
) -> None:
    """A driver states a decision again at most once for each clock; nothing is promoted by a clock."""
    world = make_world(**NO_SHADOW)
    world.champion()
    candidate = world.candidate(2)
    begin(world, candidate)
    for days in turns:
        with monkeypatch.context() as there:
            later(there, days=days)
            world.site = world.another_site()
            advance(world, candidate)
    decided = world.states()
    assert decided[:2] == ["promoted", "ramping 1"]
    assert decided.count("ramping 1") <= 1 + len(set(turns))
    assert set(decided[2:]) <= {"ramping 1", "rolled_back"}


def test_a_human_aborts(world: Any) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    world.go_back(None, "I do not like it")
    progress = advance(world, candidate)
    assert (progress.state, progress.summary) == ("rolled_back", "version 2 was rolled back: I do not like it")
    assert begin(world, candidate).state == "rolled_back"
    assert world.states() == ["promoted", "ramping 1", "rolled_back"]


def test_a_human_promotes(world: Any) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    current = world.ledger.release()
    write(world, machine.promote(current, current.challenger, reason="I know it"))
    assert advance(world, candidate).summary == "version 2 is promoted: I know it"


def test_a_veto_rolls_it_back_even_while_it_is_paused(world: Any) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)
    write(world, machine.pause(world.ledger.release(), reason="wait"))
    body = {"version": 2, "outcome": "vetoed", "reason": "wrong carrier", "verdict": None, "by": "alice"}
    world.ledger.append(Judged.model_validate(body), actor="alice")
    assert advance(world, candidate).state == "rolled_back"
    assert world.states()[-1] == "rolled_back"


def test_a_newer_challenger_supersedes_it(world: Any) -> None:
    older, newer = world.candidate(2), world.candidate(3)
    begin(world, older)
    begin(world, newer, world.request("run-3"))
    assert advance(world, older).summary == "version 2 was rolled back: superseded by version 3"
    assert world.states() == ["promoted", "ramping 1", "rolled_back", "ramping 1"]


def test_no_champion_or_the_champion_itself_needs_no_canary(make_world: Any) -> None:
    world = make_world(**NO_SHADOW)
    candidate = world.candidate(1)
    assert begin(world, candidate, world.request("run-1")).summary == "no champion: version 1 goes to everybody at once"
    world.champion()
    assert begin(world, candidate, world.request("run-1")).summary == "version 1 is the champion already"


def test_a_skipped_canary_needs_a_reason_and_keeps_it(world: Any) -> None:
    candidate = world.candidate(2)
    with pytest.raises(UsageError, match="without a reason"):
        begin(world, candidate, world.request(skip_canary=True))
    request = world.request(skip_canary=True, reason="the champion is on fire")
    assert begin(world, candidate, request).state == "done"
    promote(world.spec, request, candidate, world.site)
    assert world.releases()[-1].reason == "canary skipped by test: the champion is on fire"


@pytest.mark.parametrize("error", [StoreError("The store is away."), LogBroken("A part is torn.")])
def test_a_log_that_cannot_be_read_is_waited_for(world: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    candidate = world.candidate(2)
    begin(world, candidate)

    class Blind:
        def canary(self) -> None:
            raise error

    progress = advance(world, candidate, Blind())
    assert (progress.state, "cannot be read" in progress.summary) == ("waiting", True)
    later(monkeypatch, hours=2)
    assert advance(world, candidate, Blind()).state == "rolled_back"


def test_a_version_the_ledger_does_not_allow_is_never_ramped(world: Any) -> None:
    with pytest.raises(ReleaseError, match="not blessed"):
        begin(world, world.candidate(2, blessed=False))
    assert world.states() == ["promoted"]


# -- two drivers, killed anywhere --------------------------------------------------------------------------------


class Killed(BaseException):
    """SIGKILL, for one driver."""


class Hands:
    """A store that lets something happen just before, or just after, its driver writes a ledger entry."""

    def __init__(self, store: Any) -> None:
        self.store, self.before, self.after = store, None, None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def create(self, path: str, data: bytes) -> bool:
        before, self.before = self.before, None
        if before is not None:
            before()
        won = self.store.create(path, data)
        after, self.after = self.after, None
        if after is not None:
            after()
        return bool(won)


class Driver:
    """A task that drives a release: begin, advance, promote; it may be killed and started again."""

    def __init__(self, world: Any, candidate: Any) -> None:
        self.world, self.candidate, self.request = world, candidate, world.request()
        self.restart()

    def restart(self) -> None:
        self.site = Site(self.world.site.settings)
        self.hands = Hands(self.site.store)
        self.site.__dict__["store"] = self.hands
        self.watch = self.world.watch(self.candidate, self.site)
        self.phase: Any = shadow
        self.progress: Any = None

    def turn(self) -> None:
        """One look, and what follows from it."""
        arguments = (self.world.spec, self.request, self.candidate, self.site)
        if self.progress is None:
            self.progress = self.phase.begin(*arguments)
        elif self.progress.state == "waiting":
            self.progress = self.phase.advance(*arguments, self.watch)
        if self.progress.state == "done" and self.phase is shadow:
            self.phase, self.progress = canary, None
        elif self.progress.state == "done":
            promote(*arguments)

    def act(self, what: str, other: Driver) -> None:
        """One look, with something that happens before, meanwhile or after."""
        if what == "restart":
            self.restart()
        if what == "race":  # the other one, as far as this one, looks and writes in the moment this one would write
            other.phase, other.progress = self.phase, self.progress
            self.hands.before = other.turn
        if what == "kill before":
            self.hands.before = kill
        if what == "kill after":
            self.hands.after = kill
        try:
            self.turn()
        except Killed:
            self.restart()
            if what == "race":
                other.restart()
        except ReleaseError:
            assert self.world.states()[-1] == "rolled_back"  # the other one rolled back what this one would promote


def kill() -> None:
    raise Killed


TURNS = st.lists(
    st.tuples(st.sampled_from(["race", "turn", "restart", "kill before", "kill after"]), st.booleans()),
    min_size=6,
    max_size=14,
)


@fewer(6)
@given(turns=TURNS, harm=st.booleans(), seed=st.integers(0, 1000))
def test_two_drivers_killed_anywhere_come_to_one_decision(make_world: Any, turns: Any, harm: bool, seed: int) -> None:
    world = make_world(seed=seed, shadow={"requests": 20}, steps=[0.3, 0.6], step_requests=30)
    world.champion()
    candidate = world.candidate(2)
    drivers = Driver(world, candidate), Driver(world, candidate)
    traffic = {"challenger_errors": 0.4} if harm else {}
    for what, second in turns:
        world.traffic(40, **traffic)
        drivers[second].act(what, drivers[not second])
    to_the_end(world, drivers, traffic)
    assert_one_decision(world, "rolled_back" if harm else None)


def to_the_end(world: Any, drivers: tuple[Driver, Driver], traffic: dict[str, float]) -> None:
    """Let nothing happen any more until a decision is there, and let both see it."""
    for driver in drivers:
        driver.hands.before = driver.hands.after = None
    for _ in range(60):
        if world.states()[-1] in {"promoted", "rolled_back"} and len(world.states()) > 1:
            break
        world.traffic(300, **traffic)
        drivers[0].act("turn", drivers[1])
    for driver in drivers:
        for _ in range(3):
            driver.act("turn", driver)


def assert_one_decision(world: Any, expected: str | None) -> None:
    """Every step in order, each once, and one end, for which there is evidence if it is a promotion."""
    decided = world.states()
    ramp = [int(state.split()[1]) for state in decided if state.startswith("ramping")]
    assert ramp == list(range(1, len(ramp) + 1))
    assert decided[:2] == ["promoted", "shadowing"]
    assert decided[2:] == [*(f"ramping {step}" for step in ramp), decided[-1]]
    assert decided[-1] in ({expected} if expected else {"promoted", "rolled_back"})
    assert [entry.kind for entry in world.ledger.entries()].count("canary") == (decided[-1] == "promoted")


# -- false alarms ------------------------------------------------------------------------------------------------


def rolled_back(make_world: Any, runs: int, requests: int) -> int:
    """How many of some harmless challengers are rolled back at the last step, looked at all the time.

    One look at the end sees every block that any earlier look would have seen, and an alarm stays.
    """
    alarms = 0
    for seed in range(runs):
        world = make_world(seed=seed, **NO_SHADOW)
        world.champion()
        candidate = world.candidate(2)
        begin(world, candidate)
        world.traffic(requests, champion_errors=0.03, challenger_errors=0.03)
        alarms += any(metric.worse for metric in world.watch(candidate).canary().metrics)
    return alarms


def test_a_harmless_challenger_is_rarely_rolled_back(make_world: Any) -> None:
    assert rolled_back(make_world, runs=12, requests=800) <= 3  # 5 % of 12, with room: P < 0.003


@pytest.mark.slow
def test_a_harmless_challenger_is_rolled_back_at_most_as_often_as_alpha_says(make_world: Any) -> None:
    assert rolled_back(make_world, runs=150, requests=3000) <= 15  # 5 % of 150, with room: P < 0.01
