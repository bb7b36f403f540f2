"""What a human may decide by hand, and what the ledger refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import fewer
from retrain.artifacts import ModelRef, Ref
from retrain.errors import ReleaseError, RetrainError, UsageError
from retrain.ledger import Entry, FreshEnough, Judged, Ledger, Trained
from retrain.ledger import release as machine
from retrain.ledger.overrule import abort, bless, champions, pause, resume, roll_back, veto
from retrain.ledger.release import Release, Served
from retrain.site import Site
from retrain.store.local import LocalStore

BY = {"actor": "cli:alice", "reason": "the night shift says so"}


def served(number: int) -> Served:
    return Served(version=number, model=ModelRef(digest=f"{number:064x}", path=f"p/models/{number}", files={"a": "b"}))


def trained(ledger: Ledger, number: int, outcome: str = "blessed") -> None:
    """A version as training and gates leave it."""
    ledger.append(
        Trained.model_validate(
            {
                "version": number,
                "candidate": Ref(kind="candidate", key=f"c{number}", pipeline="p").model_dump(),
                "model": served(number).model.model_dump(),
                "data_end": "2013-04-01T00:00:00Z",
                "snapshot": Ref(kind="snapshot", key="s", pipeline="p").model_dump(),
                "run_id": "r",
            }
        ),
        actor="test",
    )
    body = {"version": number, "outcome": outcome, "reason": "by the gates", "verdict": None, "by": "gates"}
    ledger.append(Judged.model_validate(body), actor="test")


def write(ledger: Ledger, release: Release) -> None:
    ledger.append(release, actor="test", after=ledger.head)


def promoted(ledger: Ledger, number: int) -> None:
    write(ledger, machine.promote(ledger.release(), served(number), reason="it is better"))


def shadowing(ledger: Ledger, number: int) -> None:
    write(ledger, machine.start_shadow(ledger.release(), served(number), shadow=1.0, steps=(0.1, 0.5), reason="try"))


@pytest.fixture
def ledger(site: Site) -> Ledger:
    """Versions 1, 2 and 3 were champions, in this order; 4 was vetoed."""
    ledger = site.ledger("p")
    for number in (1, 2, 3):
        trained(ledger, number)
        promoted(ledger, number)
    trained(ledger, 4, "vetoed")
    return ledger


def champion(ledger: Ledger) -> int:
    found = Ledger(ledger.store, ledger.pipeline).champion()
    assert found is not None
    return found.version


def test_a_rollback_returns_to_the_champion_before(ledger: Ledger) -> None:
    entry = roll_back(ledger, to=None, **BY)
    assert champion(ledger) == 2
    assert (entry.actor, entry.body.reason, entry.body.state) == ("cli:alice", BY["reason"], "rolled_back")


def test_typed_twice_it_goes_back_twice_and_never_forward(ledger: Ledger) -> None:
    roll_back(ledger, to=None, **BY)
    roll_back(ledger, to=None, **BY)
    assert champion(ledger) == 1
    with pytest.raises(ReleaseError, match="no blessed champion before it"):
        roll_back(ledger, to=None, **BY)
    assert champion(ledger) == 1


def test_while_a_challenger_is_tried_it_is_dropped_and_the_champion_stays(ledger: Ledger) -> None:
    trained(ledger, 5)
    shadowing(ledger, 5)
    roll_back(ledger, to=None, **BY)
    release = ledger.release()
    assert (release.state, release.challenger) == ("rolled_back", None)
    assert champion(ledger) == 3


def test_a_named_version_must_have_served_and_be_blessed(ledger: Ledger) -> None:
    roll_back(ledger, to=1, **BY)
    assert champion(ledger) == 1
    with pytest.raises(ReleaseError, match="never been the champion"):
        roll_back(ledger, to=4, **BY)
    with pytest.raises(ReleaseError, match="no version 9"):
        roll_back(ledger, to=9, **BY)
    with pytest.raises(ReleaseError, match="champion already"):
        roll_back(ledger, to=1, **BY)
    veto(ledger, 2, **BY)
    with pytest.raises(ReleaseError, match="was vetoed"):
        roll_back(ledger, to=2, **BY)


def test_a_champion_that_was_vetoed_since_is_passed_over(ledger: Ledger) -> None:
    veto(ledger, 2, **BY)
    roll_back(ledger, to=None, **BY)
    assert champion(ledger) == 1


def test_without_a_champion_there_is_nothing_to_roll_back_to(site: Site) -> None:
    with pytest.raises(ReleaseError, match="never served"):
        roll_back(site.ledger("new"), to=None, **BY)


def test_a_rollback_decided_on_a_release_that_someone_changed_is_not_made(ledger: Ledger) -> None:
    theirs = Ledger(ledger.store, "p")
    mine = Racing(ledger.store, "p", lambda: roll_back(theirs, to=1, **BY))
    with pytest.raises(
        ReleaseError, match=r"cli:alice was first with pipeline 'p', at .* \(ledger entry 12\): rolled back"
    ):
        roll_back(mine, to=None, **BY)
    assert champion(ledger) == 1


def test_a_rollback_that_loses_the_number_to_a_note_is_made_all_the_same(ledger: Ledger) -> None:
    theirs = Ledger(ledger.store, "p")
    mine = Racing(ledger.store, "p", lambda: theirs.append(FreshEnough(reason="note", champion=1), actor="test"))
    roll_back(mine, to=None, **BY)
    assert champion(ledger) == 2


# -- pause, resume, abort --------------------------------------------------------------------------------------


def trying(ledger: Ledger, *states: str) -> None:
    """Version 5 in its shadow, then at so many steps."""
    trained(ledger, 5)
    shadowing(ledger, 5)
    for _ in states:
        write(ledger, machine.ramp(ledger.release(), shadow=0.5, reason="no harm"))


@pytest.mark.parametrize("steps", [[], ["first"], ["first", "second"]], ids=["shadow", "step 1", "step 2"])
def test_a_resume_goes_on_where_the_pause_stopped_it(ledger: Ledger, steps: list[str]) -> None:
    trying(ledger, *steps)
    before = ledger.release()
    entry = pause(ledger, **BY)
    assert (entry.body.state, entry.body.share, entry.body.shadow, entry.by) == ("paused", 0.0, 0.0, "human")
    entry = resume(ledger, actor="cli:bob", reason="it was the network")
    assert entry.body == before.model_copy(update={"reason": "it was the network"})
    assert (entry.actor, entry.run) == ("cli:bob", None)


@pytest.mark.parametrize("paused", [False, True])
def test_an_abort_drops_the_version_that_is_tried_and_nothing_else(ledger: Ledger, paused: bool) -> None:
    trying(ledger, "first")
    if paused:
        pause(ledger, **BY)
    entry = abort(ledger, **BY)
    assert (entry.body.state, entry.body.challenger, champion(ledger)) == ("rolled_back", None, 3)
    with pytest.raises(ReleaseError, match=r"nothing to abort.*version 5 was rolled back, by cli:alice at 20"):
        abort(ledger, **BY)
    assert champion(ledger) == 3


@pytest.mark.parametrize("act", [pause, resume, abort])
def test_where_nothing_was_ever_tried_there_is_nothing_to_steer(ledger: Ledger, act: Any) -> None:
    head = ledger.head
    with pytest.raises(ReleaseError, match="no version of pipeline 'p' is being released"):
        act(ledger, **BY)
    assert ledger.head == head


def test_who_pauses_or_resumes_twice_is_told_who_was_first(ledger: Ledger) -> None:
    trying(ledger, "first")
    pause(ledger, actor="cli:bob", reason="latency")
    with pytest.raises(ReleaseError, match=r"paused already, by cli:bob at 20.* UTC: latency.*retrain resume p"):
        pause(ledger, **BY)
    resume(ledger, actor="cli:bob", reason="gone")
    with pytest.raises(ReleaseError, match=r"not paused: .*by cli:bob at 20.* UTC: gone"):
        resume(ledger, **BY)


def acts(number: int) -> dict[str, Callable[..., Entry]]:
    return {
        "pause": pause,
        "resume": resume,
        "abort": abort,
        "rollback": partial(roll_back, to=None),
        "veto": lambda ledger, **by: veto(ledger, number, **by),
        "bless": lambda ledger, **by: bless(ledger, number, **by),
    }


@pytest.mark.parametrize("first", sorted(acts(5)))
@pytest.mark.parametrize("second", sorted(acts(5)))
@pytest.mark.parametrize("paused", [False, True])
def test_of_two_who_saw_the_same_one_is_first_and_the_other_is_told_so(
    ledger: Ledger, first: str, second: str, paused: bool
) -> None:
    """Whatever the first one could do, the second one does not do, and nothing of theirs is written."""
    trying(ledger, "first")
    if paused:
        pause(ledger, actor="canary", reason="patience")
    seen = ledger.head
    try:
        done = acts(5)[first](ledger, actor="airflow:bob", reason="I see", seen=seen)
    except ReleaseError:
        return
    with pytest.raises(ReleaseError, match=r"airflow:bob was first with pipeline 'p', at 20"):
        acts(5)[second](ledger, **BY, seen=seen)
    assert ledger.head == done.number


def test_a_step_of_the_machine_is_nobody_who_was_first(ledger: Ledger) -> None:
    trying(ledger)
    seen = ledger.head
    write(ledger, machine.ramp(ledger.release(), reason="no harm"))
    write(ledger, machine.ramp(ledger.release(), reason="no harm"))
    assert pause(ledger, **BY, seen=seen).body.step == 2
    seen = ledger.head
    trained(ledger, 6)
    ledger.append(FreshEnough(reason="note", champion=3), actor="test")
    assert bless(ledger, 4, **BY, seen=seen).body.outcome == "blessed"


def test_a_promotion_between_the_look_and_the_click_is(ledger: Ledger) -> None:
    trying(ledger)
    seen = ledger.head
    promoted(ledger, 5)
    for act in acts(5).values():
        with pytest.raises(ReleaseError, match=r"test was first.*promoted: champion 5"):
            act(ledger, **BY, seen=seen)
    assert champion(ledger) == 5


def test_a_verdict_of_another_version_is_nobodys_business(ledger: Ledger) -> None:
    seen = ledger.head
    veto(ledger, 2, **BY)
    assert bless(ledger, 4, **BY, seen=seen).body.outcome == "blessed"
    with pytest.raises(ReleaseError, match=r"was first.*version 2 vetoed"):
        roll_back(ledger, to=2, **BY, seen=seen)


@pytest.mark.parametrize("act", [pause, abort, partial(roll_back, to=None)])
def test_who_loses_the_race_for_the_number_is_told_who_won_it(ledger: Ledger, act: Any) -> None:
    trying(ledger, "first")
    theirs = Ledger(ledger.store, "p")
    mine = Racing(ledger.store, "p", lambda: pause(theirs, actor="cli:bob", reason="latency"))
    with pytest.raises(ReleaseError, match=r"cli:bob was first .*paused: champion 3, challenger 5.*latency"):
        act(mine, **BY)
    assert ledger.release().state == "paused"


def test_a_pause_that_loses_the_number_to_a_step_of_the_machine_is_made_all_the_same(ledger: Ledger) -> None:
    trying(ledger, "first")
    theirs = Ledger(ledger.store, "p")
    mine = Racing(ledger.store, "p", lambda: write(theirs, machine.ramp(theirs.release(), reason="no harm")))
    assert pause(mine, **BY).body.step == 2


class Racing(Ledger):
    """A ledger in which somebody else writes just before the first append."""

    def __init__(self, store: LocalStore, pipeline: str, meanwhile: Any) -> None:
        super().__init__(store, pipeline)
        self.meanwhile = meanwhile

    def append(self, *args: Any, **keys: Any) -> Entry:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return super().append(*args, **keys)


def test_a_human_may_bless_what_the_gates_vetoed(ledger: Ledger) -> None:
    entry = bless(ledger, 4, **BY)
    assert ledger.version(4).blessed
    assert (entry.body.by, entry.body.outcome) == ("cli:alice", "blessed")
    with pytest.raises(ReleaseError, match="blessed already"):
        bless(ledger, 4, **BY)


def test_a_veto_drops_the_version_that_is_being_released(ledger: Ledger) -> None:
    trained(ledger, 5)
    shadowing(ledger, 5)
    veto(ledger, 5, **BY)
    release = ledger.release()
    assert (release.state, release.challenger) == ("rolled_back", None)
    assert "cli:alice" in release.reason
    assert not ledger.version(5).blessed
    assert ledger.version(5).standing == "vetoed"
    with pytest.raises(ReleaseError, match="vetoed already"):
        veto(ledger, 5, **BY)


def test_the_gates_of_a_later_run_do_not_lift_what_a_human_forbade(ledger: Ledger) -> None:
    """The same data and code give the same version, which the gates would bless again."""
    trained(ledger, 5)
    veto(ledger, 5, **BY)
    again = {"version": 5, "outcome": "blessed", "reason": "6 gates passed", "verdict": None, "by": "gates"}
    ledger.append(Judged.model_validate(again), actor="airflow:schedule", run="run-9", once="run-9/verdict/v")
    assert (ledger.version(5).blessed, ledger.version(5).standing) == (False, "vetoed")
    assert ledger.version(5).reason == BY["reason"]
    bless(ledger, 5, **BY)
    assert ledger.version(5).blessed


def test_a_human_may_forbid_for_good_what_the_gates_have_only_vetoed(ledger: Ledger) -> None:
    trained(ledger, 5)
    gates = {"version": 5, "outcome": "vetoed", "reason": "change", "verdict": None, "by": "gates"}
    ledger.append(Judged.model_validate(gates), actor="airflow:schedule", run="run-8", once="run-8/verdict/v")
    veto(ledger, 5, **BY)
    ledger.append(Judged.model_validate({**gates, "outcome": "blessed"}), actor="airflow:schedule", run="run-9")
    assert not ledger.version(5).blessed
    with pytest.raises(ReleaseError, match="vetoed already"):
        veto(ledger, 5, **BY)


def test_the_champion_cannot_be_vetoed(ledger: Ledger) -> None:
    head = ledger.head
    with pytest.raises(ReleaseError, match="retrain rollback p"):
        veto(ledger, 3, **BY)
    assert ledger.head == head


@pytest.mark.parametrize("reason", ["", "  "])
def test_no_decision_without_a_reason(ledger: Ledger, reason: str) -> None:
    head = ledger.head
    for decide in (
        lambda: bless(ledger, 4, actor="a", reason=reason),
        lambda: veto(ledger, 2, actor="a", reason=reason),
    ):
        with pytest.raises(UsageError, match="--reason"):
            decide()
    for steer in (pause, resume, abort, partial(roll_back, to=None)):
        with pytest.raises(UsageError, match="--reason"):
            steer(ledger, actor="a", reason=reason)
    assert ledger.head == head


def test_redeploying_an_old_version_makes_it_the_newest_champion(ledger: Ledger) -> None:
    promoted(ledger, 1)
    assert champions(ledger.entries()) == [2, 3, 1]
    roll_back(ledger, to=None, **BY)
    assert champion(ledger) == 3


STEERED = ["pause", "resume", "abort"]
ACTIONS = st.lists(st.sampled_from(["promote", "shadow", "rollback", "veto", "bless", *STEERED]), max_size=12)


class MemoryStore:
    """What a ledger needs of a store, without a disk."""

    uri = "memory"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get(self, path: str) -> bytes:
        return self.objects[path]

    def exists(self, path: str) -> bool:
        return path in self.objects

    def list(self, prefix: str) -> list[str]:
        return sorted(path for path in self.objects if path.startswith(prefix))

    def create(self, path: str, data: bytes) -> bool:
        return self.objects.setdefault(path, data) is data

    def clock(self) -> None:
        return None


@fewer(50)
@given(ACTIONS, st.data())
def test_whatever_humans_do_the_champion_is_always_a_version_that_was_promoted(actions, data) -> None:
    ledger = Ledger(MemoryStore(), "p")
    trained(ledger, 1)
    promoted(ledger, 1)
    ever = {1}
    for action in actions:
        number = data.draw(st.integers(1, len(ledger.versions())))
        try:
            if action == "promote":
                number = len(ledger.versions()) + 1
                trained(ledger, number)
                promoted(ledger, number)
                ever.add(number)
            elif action == "shadow":
                number = len(ledger.versions()) + 1
                trained(ledger, number)
                shadowing(ledger, number)
            elif action in STEERED:
                acts(number)[action](ledger, **BY)
            elif action == "rollback":
                roll_back(ledger, to=data.draw(st.none() | st.just(number)), **BY)
            else:
                (veto if action == "veto" else bless)(ledger, number, **BY)
        except RetrainError:
            pass
        assert champion(ledger) in ever
        assert champions(ledger.entries())[-1] == champion(ledger)


@fewer(50)
@given(st.lists(st.tuples(st.sampled_from(["go on", *STEERED]), st.sampled_from(["go on", *STEERED])), max_size=8))
def test_two_people_who_press_at_once_do_one_thing(rounds: list[tuple[str, str]]) -> None:
    """Both look, then both act: at most one entry a round by a human, and the state is what that one says."""
    store = MemoryStore()
    ledger = Ledger(store, "p")
    for number in (1, 2):
        trained(ledger, number)
    promoted(ledger, 1)
    shadowing(ledger, 2)
    people = {"cli:alice": Ledger(store, "p"), "cli:bob": Ledger(store, "p")}
    for round_ in rounds:
        before, seen = ledger.release(), ledger.head
        won, refused = [], [""]
        for (who, theirs), action in zip(people.items(), round_, strict=True):
            try:
                if action != "go on":
                    won.append((acts(2)[action](theirs, actor=who, reason=action, seen=seen), action))
                elif before.state in {"shadowing", "ramping"} and not won:
                    write(theirs, machine.ramp(theirs.release(), reason="no harm"))
            except ReleaseError as error:
                refused.append(str(error))
        assert len(won) <= 1
        if won and won[0][0].actor == "cli:alice" and round_[1] != "go on":
            assert "cli:alice was first" in refused[-1]
        after = ledger.release()
        if won:
            assert {"pause": "paused", "abort": "rolled_back"}.get(won[0][1], after.state) == after.state
            assert won[0][1] != "resume" or (before.state == "paused" and after.state in {"shadowing", "ramping"})
        assert after.champion == before.champion


def test_a_veto_that_was_half_written_when_another_entry_came_is_finished(ledger: Ledger) -> None:
    promoted(ledger, 1)
    trained(ledger, 2)
    shadowing(ledger, 2)
    other = Ledger(ledger.store, "p")
    seen, append = ledger.head, ledger.append

    def with_another_between(body: Any, **given: Any) -> Entry:
        entry = append(body, **given)
        if isinstance(body, Release):
            other.append(FreshEnough(reason="nothing drifted", champion=1), actor="airflow:schedule")
        return entry

    ledger.append = with_another_between  # type: ignore[method-assign]
    veto(ledger, 2, seen=seen, **BY)
    assert ledger.release().state == "rolled_back"
    assert ledger.version(2).standing == "vetoed"


@pytest.mark.parametrize("seen", [-1, 10**9])
def test_nobody_has_seen_what_is_not_there(ledger: Ledger, seen: int) -> None:
    promoted(ledger, 1)
    promoted(ledger, 2)
    with pytest.raises(UsageError, match="Nobody has seen"):
        roll_back(ledger, to=1, seen=seen, **BY)
