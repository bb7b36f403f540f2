"""Losses on the same requests say with few labels what two arms say with many."""

from __future__ import annotations

from typing import Any

import pytest

from release_world import canary, shadow

TOLERANT = {"errors": {"margin": 0.5}}
"""So that it is the loss that a promotion waits for."""

PAIRED = TOLERANT | {"loss": {"margin": 0.015, "answer_changes_label": False}}


@pytest.fixture
def world(make_world: Any) -> Any:
    made = make_world(**PAIRED)
    made.champion()
    return made


def driven(world: Any, **traffic: Any) -> tuple[Any, int]:
    """A release until it is decided, and how many labels its evidence has."""
    progress = world.drive(world.candidate(2), world.request(), per_look=100, **traffic)
    losses = [metric for metric in progress.evidence["metrics"] if metric["name"] == "loss"]
    return progress, losses[0]["challenger_rows"]


def test_the_challenger_goes_on_answering_beside_the_champion(world: Any) -> None:
    progress, labels = driven(world)
    assert progress.state == "done"
    assert "on the same" in progress.summary
    assert {one.shadow for one in world.releases() if one.state == "ramping"} == {1.0}
    assert labels > 300
    (loss,) = [metric for metric in progress.evidence["metrics"] if metric["name"] == "loss"]
    assert loss["lower"] < loss["difference"] < loss["upper"] < loss["margin"] == 0.015
    assert loss["difference"] == pytest.approx(loss["challenger"] - loss["champion"], abs=0.01)
    assert loss["unit"] == "brier"


def test_it_takes_fewer_requests_than_two_arms_do(world: Any, make_world: Any) -> None:
    arms = make_world(**TOLERANT, loss={"margin": 0.015})
    arms.champion()
    arms.drive(arms.candidate(2), arms.request(), per_look=100)
    progress, _ = driven(world)
    assert progress.state == "done"
    assert world.ids < 0.5 * arms.ids


def test_answers_that_are_more_wrong_are_rolled_back_on_the_same_requests(world: Any) -> None:
    progress, _ = driven(world, shift=0.35)
    assert progress.state == "rolled_back"
    assert "shown to be worse by more than 0.015" in progress.summary


def test_where_an_answer_may_change_its_label_arms_are_compared(make_world: Any) -> None:
    world = make_world(loss={"margin": 0.03})
    world.champion()
    candidate, request = world.candidate(2), world.request()
    shadow.begin(world.spec, request, candidate, world.site)
    world.traffic(100)
    shadow.advance(world.spec, request, candidate, world.site, world.watch(candidate))
    canary.begin(world.spec, request, candidate, world.site)
    assert world.ledger.release().shadow == 0.0
    world.traffic(300)
    assert "on the same" not in world.watch(candidate).canary().summary
