"""The loop that waits for a release to be decided."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.serde import deserialize, serialize

from retrain.airflow.triggers import release as module
from retrain.airflow.triggers.release import ReleaseTrigger
from retrain.artifacts import Candidate, Ref, Request
from retrain.errors import LedgerBroken, StoreError
from retrain.ledger import Release
from retrain.rollout.phase import Phase
from retrain.rollout.progress import progress
from retrain.site import Site
from retrain.spec import Spec

VISITS = Path(__file__).parents[2] / "system" / "pipelines" / "visits"


@pytest.fixture
def trigger(site: Site, monkeypatch: pytest.MonkeyPatch) -> ReleaseTrigger:
    monkeypatch.setattr(Site, "read", lambda self, kind, ref: Candidate.model_construct(version=2))
    return ReleaseTrigger(
        phase="canary",
        pipeline=Spec.load(VISITS).model_dump(mode="json", by_alias=True),
        request=Request(data_end=datetime(2024, 4, 1, tzinfo=UTC), run="r", actor="a").model_dump(mode="json"),
        candidate=Ref(kind="candidate", key="k", pipeline="visits").model_dump(),
        version=2,
        settings={name: str(value) for name, value in site.settings.model_dump().items()},
        poll=0.0,
    )


def watching(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[Any]:
    """Looks that answer, or raise, one after another."""
    given, looks = list(answers), []

    def look(phase: Any) -> Any:
        looks.append(phase)
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, Exception):
            raise answer
        return progress("canary", answer, f"is {answer}")

    monkeypatch.setattr(Phase, "look", look)
    return looks


def events(trigger: ReleaseTrigger) -> list[Any]:
    async def collect() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(collect(), 20))


def test_it_can_be_made_again_by_another_triggerer(trigger: ReleaseTrigger) -> None:
    path, values = trigger.serialize()
    again = deserialize(serialize(values))
    assert path == f"{ReleaseTrigger.__module__}.{ReleaseTrigger.__name__}"
    assert ReleaseTrigger(**again).serialize() == (path, values)


@pytest.mark.parametrize("state", ["done", "rolled_back"])
def test_it_looks_until_something_is_decided(
    trigger: ReleaseTrigger, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    looks = watching(monkeypatch, "waiting", "paused", state)
    (event,) = events(trigger)
    assert event["state"] == state
    assert len(looks) == 3
    assert len({id(phase) for phase in looks}) == 1, "the fold over the log is kept from look to look"


def test_a_pause_is_told_once_and_waited_for(
    trigger: ReleaseTrigger, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = site.ledger("visits").append(Release(state="paused", reason="patience"), actor="canary").number
    watching(monkeypatch, "waiting", "paused", "done")
    (event,) = events(trigger)
    assert (event["state"], event["decided"], event["pause"]) == ("paused", False, number)
    again = ReleaseTrigger(**{**trigger.serialize()[1], "told": event["pause"]})
    looks = watching(monkeypatch, "paused", "paused", "done")
    (event,) = events(again)
    assert (event["state"], "pause" in event, len(looks)) == ("done", False, 3)


def test_a_trigger_of_an_earlier_release_of_this_package_goes_on(trigger: ReleaseTrigger) -> None:
    values = trigger.serialize()[1]
    del values["told"]
    assert ReleaseTrigger(**values).told == 0


def test_a_lost_store_is_waited_for(trigger: ReleaseTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
    watching(monkeypatch, StoreError("away"), StoreError("away"), "done")
    assert events(trigger)[0]["state"] == "done"


def test_a_store_that_stays_lost_is_told(trigger: ReleaseTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TROUBLES", 3)
    looks = watching(monkeypatch, StoreError("away", do="bring it back"))
    whose = "The canary of version 2 of 'visits' could not be watched"
    assert events(trigger) == [{"error": f"{whose}: away", "where": None, "do": "bring it back"}]
    assert len(looks) == 4


def test_a_broken_ledger_is_told_at_once(trigger: ReleaseTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = watching(monkeypatch, LedgerBroken("entry 3 is broken"))
    assert "entry 3" in events(trigger)[0]["error"]
    assert len(looks) == 1


def test_what_nobody_foresaw_is_told_at_once_and_in_our_words(
    trigger: ReleaseTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = watching(monkeypatch, KeyError("share"))
    (event,) = events(trigger)
    assert event["error"] == "The canary of version 2 of 'visits' could not be watched: KeyError: 'share'"
    assert "log of the triggerer" in event["do"]
    assert len(looks) == 1


def test_it_never_blocks_the_event_loop(trigger: ReleaseTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    threads: set[int] = set()

    def look(*_: Any) -> Any:
        threads.add(threading.get_ident())
        return progress("canary", "done", "x")

    monkeypatch.setattr(Phase, "look", look)
    events(trigger)
    assert threading.get_ident() not in threads


def made_of(spec: Spec, site: Site) -> ReleaseTrigger:
    request = Request(data_end=datetime(2024, 4, 1, tzinfo=UTC), run="r", actor="a")
    candidate = Candidate.model_construct(key="k", pipeline="visits", version=2)
    return ReleaseTrigger.of("canary", spec, request, candidate, site)


def test_no_folder_of_the_worker_travels(site: Site) -> None:
    trigger = made_of(Spec.load(VISITS), site)
    assert str(VISITS.parent) not in str(trigger.serialize())
    assert not trigger.spec().folder.exists()


def test_the_packages_of_gates_and_alerts_and_the_addresses_of_alerts_stay_at_home(site: Site) -> None:
    read = Spec.load(VISITS).model_dump(mode="json", by_alias=True)
    read["alerts"] = [{"to": "webhook", "url": "https://example.org/secret"}]
    spec = Spec.model_validate({**read, "folder": VISITS})
    trigger = made_of(spec, site)
    assert "secret" not in str(trigger.serialize())
    assert "gates" not in trigger.pipeline["bless"]
    arrived = trigger.spec()
    assert (arrived.canary, arrived.source, arrived.task) == (spec.canary, spec.source, spec.task)
    assert arrived.bless.approval == spec.bless.approval


def test_a_package_that_is_missing_is_told_with_its_key(trigger: ReleaseTrigger) -> None:
    trigger.pipeline["canary"]["target"] = {"kind": "nowhere.targets:Fleet"}
    (event,) = events(trigger)
    assert "'nowhere.targets:Fleet' cannot be imported" in event["error"]
    assert event["where"] == "visits/pipeline.yaml, key `canary.target.kind`"
    assert "install in the triggerer" in event["do"]


def test_the_store_that_was_sent_is_looked_at_whatever_the_triggerer_is_set_to(
    trigger: ReleaseTrigger, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRAIN_STORE", "/somewhere/else")
    assert trigger.open().site.settings.store == site.settings.store
