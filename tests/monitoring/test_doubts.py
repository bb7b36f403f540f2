"""Evidence that cannot be trusted holds a release, whatever its metrics say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from release_world import canary, ramping, rows_of

CHALLENGER = {"arm": "challenger", "version": 2}


def arms(world: Any, requests: int, share: float) -> list[dict[str, Any]]:
    """Rows of requests that name nobody, of which the challenger gets a share."""
    number = world.ledger.release_number()
    tried = np.random.default_rng(5).random(requests) < share
    return rows_of(world, number, *[CHALLENGER if one else {} for one in tried])


def labels_of(rows: list[dict[str, Any]], *, late: timedelta = timedelta(0)) -> list[dict[str, Any]]:
    return [{"at": row["at"] + late, "id": row["id"], "label": "true"} for row in rows]


def doubts(world: Any, candidate: Any) -> str:
    return "; ".join(world.watch(candidate).canary().doubts)


def test_a_fair_coin_and_prompt_labels_leave_no_doubt(world: Any) -> None:
    candidate = ramping(world)
    rows = arms(world, 2000, share=0.5)
    world.write("predictions", rows)
    world.write("labels", labels_of(rows))
    assert doubts(world, candidate) == ""


def test_a_log_that_loses_the_challengers_rows_is_noticed(world: Any) -> None:
    candidate = ramping(world)
    rows = [row for place, row in enumerate(arms(world, 2000, share=0.5)) if row["arm"] == "champion" or place % 2]
    world.write("predictions", rows)
    assert "entities where its share is" in doubts(world, candidate)


def test_labels_that_come_for_one_arm_only_are_noticed(world: Any) -> None:
    candidate = ramping(world)
    rows = arms(world, 2000, share=0.5)
    world.write("predictions", rows)
    seen = [row for place, row in enumerate(rows) if row["arm"] == "champion" or place % 3 == 0]
    world.write("labels", labels_of(seen))
    assert "labels come for" in doubts(world, candidate)
    assert "of the challenger's answers" in doubts(world, candidate)


def test_labels_that_come_after_their_delay_are_noticed(make_world: Any) -> None:
    world = make_world()
    world.champion()
    candidate = ramping(world)
    rows = arms(world, 1000, share=0.5)
    watch = world.watch(candidate)
    world.write("predictions", rows)
    world.write("labels", labels_of(rows[:500]))
    watch.canary()
    world.write("labels", labels_of(rows[990:]))
    watch.canary()
    world.write("labels", labels_of(rows[500:990], late=timedelta(seconds=3)))
    assert "set `source.label_delay`" in "; ".join(watch.canary().doubts)


def test_entities_that_change_arms_by_themselves_are_noticed(make_world: Any) -> None:
    world = make_world(entity="tail")
    world.champion()
    candidate = ramping(world)
    rows = arms(world, 400, share=0.5)
    for place, row in enumerate(rows):
        row["entity"] = f"N{place % 40}"
    world.write("predictions", rows[:40])
    watch = world.watch(candidate)
    watch.canary()
    world.write("predictions", rows[40:])
    assert "changed arms without a decision" in "; ".join(watch.canary().doubts)


@pytest.mark.parametrize("step", [1, 3])
def test_a_release_in_doubt_gets_no_larger_share_and_is_not_promoted(make_world: Any, step: int) -> None:
    world = make_world(shadow={"requests": 0}, steps=[0.5, 0.6, 0.7][-step:] if step == 1 else [0.5], loss=None)
    world.champion()
    candidate = world.candidate(2)
    canary.begin(world.spec, world.request(), candidate, world.site)
    share = world.ledger.release().share
    lost = [row for place, row in enumerate(arms(world, 6000, share)) if row["arm"] == "champion" or place % 3]
    world.write("predictions", lost)
    progress = canary.advance(world.spec, world.request(), candidate, world.site, world.watch(candidate))
    assert progress.state == "waiting"
    assert "in doubt: the challenger got" in progress.summary
    assert world.ledger.release().share == share
