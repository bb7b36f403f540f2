"""The release as a state machine: which arrows exist, and what never happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.artifacts import ModelRef
from retrain.errors import ReleaseError
from retrain.ledger.release import Release, Served, pause, promote, ramp, restore, resume, roll_back, start_shadow

STEPS = (0.1, 0.25, 0.5)


def served(version: int) -> Served:
    return Served(version=version, model=ModelRef(digest=f"{version:064x}", path=f"m/{version}", files={}))


def begun(champion: int = 1, challenger: int = 2) -> Release:
    first = promote(Release(), served(champion), reason="first")
    return start_shadow(first, served(challenger), shadow=0.5, steps=STEPS, reason="try")


def at_step(step: int) -> Release:
    release = begun()
    for _ in range(step):
        release = ramp(release, reason="no harm")
    return release


def paused() -> Release:
    return pause(at_step(2), reason="patience is over")


ACTIONS: dict[str, Callable[[Release], Release]] = {
    "start_shadow": lambda release: start_shadow(release, served(3), shadow=1.0, steps=STEPS, reason="r"),
    "ramp": lambda release: ramp(release, reason="r"),
    "pause": lambda release: pause(release, reason="r"),
    "resume": lambda release: resume(release, at_step(2), reason="r"),
    "promote": lambda release: promote(release, release.challenger or served(3), reason="r"),
    "roll_back": lambda release: roll_back(release, reason="r"),
    "restore": lambda release: restore(release, served(9), reason="r"),
}
STATES: dict[str, tuple[Release, str]] = {
    "idle": (Release(), "promote restore"),
    "promoted": (promote(Release(), served(1), reason="r"), "start_shadow promote restore"),
    "shadowing": (begun(), "ramp pause promote roll_back restore"),
    "ramping": (at_step(1), "ramp pause promote roll_back restore"),
    "last step": (at_step(3), "pause promote roll_back restore"),
    "paused": (paused(), "resume promote roll_back restore"),
    "rolled back": (roll_back(begun(), reason="r"), "start_shadow promote restore"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_only_these_arrows_exist(state: str, action: str) -> None:
    release, allowed = STATES[state]
    if action in allowed.split():
        assert ACTIONS[action](release).reason == "r"
    else:
        with pytest.raises(ReleaseError):
            ACTIONS[action](release)


@given(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=30))
def test_whatever_is_done_the_release_makes_sense(actions: list[str]) -> None:
    release = Release()
    for action in actions:
        before = release
        try:
            release = ACTIONS[action](release)
        except ReleaseError:
            assert release == before
            continue
        assert release.under_way == (release.challenger is not None)
        assert (release.share > 0) == (release.state == "ramping")
        assert release.shadow == 0 or release.state == "shadowing"
        assert release.champion is not None
        assert release.champion == before.champion or action in {"promote", "restore"}
        if before.state == release.state == "ramping":
            assert (release.step, release.share) == (before.step + 1, STEPS[before.step])
        assert release.started == before.started or action in {"start_shadow", "promote", "restore"}
        assert Release.model_validate_json(release.model_dump_json()) == release


def test_a_pause_takes_the_traffic_away_and_a_human_gives_the_same_step_back() -> None:
    assert (paused().share, paused().shadow, paused().step) == (0, 0, 2)
    resumed = resume(paused(), at_step(2), reason="go on")
    assert (resumed.state, resumed.step, resumed.share) == ("ramping", 2, 0.25)


def test_a_shadow_that_was_paused_goes_on_as_a_shadow() -> None:
    resumed = resume(pause(begun(), reason="wait"), begun(), reason="go on")
    assert (resumed.state, resumed.step, resumed.share, resumed.shadow) == ("shadowing", 0, 0.0, 0.5)


def test_nobody_is_promoted_over_the_one_that_is_tried() -> None:
    with pytest.raises(ReleaseError, match="version 2 is the one being released"):
        promote(begun(), served(3), reason="r")


def test_a_promotion_remembers_the_champion_before() -> None:
    assert promote(at_step(3), served(2), reason="r").previous == served(1)


def test_a_rollback_keeps_champion_and_the_one_before() -> None:
    release = promote(at_step(3), served(2), reason="r")
    dropped = roll_back(start_shadow(release, served(3), shadow=1, steps=STEPS, reason="r"), reason="r")
    assert (dropped.champion, dropped.previous, dropped.challenger) == (served(2), served(1), None)


def test_a_restored_version_never_has_the_abandoned_one_to_return_to() -> None:
    release = promote(at_step(3), served(2), reason="r")
    assert restore(release, served(1), reason="r").previous is None
    assert restore(release, served(1), previous=served(0), reason="r").previous == served(0)


def test_restoring_the_champion_is_refused_unless_it_drops_a_challenger() -> None:
    with pytest.raises(ReleaseError, match="champion already"):
        restore(promote(Release(), served(1), reason="r"), served(1), reason="r")
    assert restore(at_step(1), served(1), reason="r").challenger is None


def test_every_trial_draws_a_salt_of_its_own_and_keeps_it() -> None:
    first, second = begun(), begun()
    assert first.salt
    assert first.salt != second.salt
    ramped = ramp(first, reason="on")
    assert resume(pause(ramped, reason="wait"), ramped, reason="on").salt == first.salt
    assert roll_back(ramped, reason="no").salt == ""
