"""A target of Acme's whose `watch` fails, as the triggerer meets it."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from release_world import canary, make_world, no_mlflow
from retrain.airflow.triggers import release as module
from retrain.airflow.triggers.release import ReleaseTrigger

__all__ = ["make_world", "no_mlflow"]

WATCH = "acme_retrain.targets.Cautious.canary"


@pytest.fixture
def world(acme: Path, make_world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Version 1 serves on Acme's fleet."""
    monkeypatch.setattr(module, "TROUBLES", 2)
    made = make_world(shadow={"requests": 0}, target={"kind": "acme_retrain.targets:Fleet", "routes": str(tmp_path)})
    made.champion()
    return made


@pytest.fixture
def trigger(world: Any) -> ReleaseTrigger:
    """The trigger of the canary of version 2."""
    candidate, request = world.candidate(2), world.request()
    canary.begin(world.spec, request, candidate, world.site)
    return ReleaseTrigger.of("canary", world.spec, request, candidate, world.site)


def told(trigger: ReleaseTrigger) -> dict[str, Any]:
    """The one event it ends with."""

    async def collect() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    (event,) = asyncio.run(asyncio.wait_for(collect(), 60))
    return dict(event)


def test_what_it_raises_is_told_with_target_version_and_what_to_do(
    trigger: ReleaseTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def fail(self: Any) -> Any:
        asked.append(self)
        raise KeyError("cluster")

    monkeypatch.setattr(WATCH, fail)
    event = told(trigger)
    assert event["error"] == (
        "The canary of version 2 of 'flights' could not be watched: The target 'acme_retrain.targets:Fleet' of "
        "'flights' does not show what comes of version 2: KeyError: 'cluster'."
    )
    assert event["where"] == "flights/pipeline.yaml, key `canary.target`"
    assert "mend its `watch`" in event["do"]
    assert len(asked) == 3, "it may have been a passing fault"


def test_one_that_fails_now_and_then_is_asked_on(
    world: Any, trigger: ReleaseTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from acme_retrain.targets import Cautious

    watched, asked = Cautious.canary, itertools.count(1)

    def canary(self: Any) -> Any:
        if (number := next(asked)) % 3:
            raise ConnectionError("reset by peer")
        if number == 9:
            world.go_back(None, "a human has seen enough")
        return watched(self)

    monkeypatch.setattr(WATCH, canary)
    event = told(trigger)
    assert (event["state"], event["summary"]) == ("rolled_back", "version 2 was rolled back: a human has seen enough")


def test_one_that_answers_nonsense_is_told_at_once(trigger: ReleaseTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WATCH, lambda self: None)
    event = told(trigger)
    assert event["error"].startswith("The canary of version 2 of 'flights' could not be watched: AttributeError: ")
    assert "the report rolls the challenger back" in event["do"]
