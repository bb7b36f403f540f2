"""Back: from a challenger to its champion, and by hand to an older one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from release_world import shadow
from retrain.errors import ReleaseError
from retrain.stages.promote import promote
from retrain.stages.roll_back import roll_back
from retrain.tracking import aliases


def promoted(world: Any, *versions: int) -> None:
    for version in versions:
        request = world.request(f"run-{version}", skip_canary=True, reason="test")
        promote(world.spec, request, world.candidate(version), world.site)


def test_it_drops_the_challenger_once(world: Any) -> None:
    candidate = world.candidate(2)
    shadow.begin(world.spec, world.request(), candidate, world.site)
    for _ in range(2):
        release = roll_back(world.spec, world.request(), candidate, world.site, "no good")
        assert (release.state, release.champion.version, release.reason) == ("rolled_back", 1, "no good")
    assert world.states() == ["promoted", "shadowing", "rolled_back"]


def test_it_leaves_alone_who_was_never_tried_and_who_is_champion(world: Any) -> None:
    for version in (1, 2):
        release = roll_back(world.spec, world.request(), world.candidate(version), world.site, "no good")
        assert (release.state, release.champion.version) == ("promoted", 1)


def test_it_does_not_drop_another_challenger(world: Any) -> None:
    older, newer = world.candidate(2), world.candidate(3)
    shadow.begin(world.spec, world.request(), older, world.site)
    shadow.begin(world.spec, world.request("run-3"), newer, world.site)
    release = roll_back(world.spec, world.request(), older, world.site, "late")
    assert release.challenger.version == 3


def test_by_hand_it_goes_back_and_further_back_and_never_forth(world: Any) -> None:
    promoted(world, 2, 3)
    assert world.go_back(None, "bad").champion.version == 2
    again = world.go_back(None, "bad too")
    assert (again.champion.version, again.previous) == (1, None)
    with pytest.raises(ReleaseError, match="no blessed champion before it"):
        world.go_back(None, "all bad")


def test_the_next_one_to_return_to_is_named_so_that_gateways_keep_it(world: Any) -> None:
    promoted(world, 2, 3)
    assert world.go_back(None, "bad").previous.version == 1


def test_by_hand_to_a_version(world: Any) -> None:
    promoted(world, 2, 3)
    assert world.go_back(1, "far back").champion.version == 1
    for number, why in ((9, "no version 9"), (1, "champion already")):
        with pytest.raises(ReleaseError, match=why):
            world.go_back(number, "no")
    world.candidate(4, blessed=False)
    with pytest.raises(ReleaseError, match="never been the champion"):
        world.go_back(4, "no")


def test_the_ledger_is_written_before_the_aliases_are_touched(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = world.candidate(2)
    shadow.begin(world.spec, world.request(), candidate, world.site)
    seen = []
    monkeypatch.setattr(aliases, "mirror", lambda ledger, settings: seen.append(ledger.release().state))
    roll_back(world.spec, world.request(), candidate, world.site, "bad")
    assert seen == ["rolled_back"]


def test_nothing_heavy_is_imported_on_the_way(root: Any) -> None:
    code = (
        "import sys, retrain.stages.roll_back as r; heavy = {'mlflow', 'pandas', 'numpy', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; sys.exit(str(heavy) if heavy else 0)"], cwd=root, check=False
    )
    assert done.returncode == 0
