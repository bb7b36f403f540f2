"""Releases: taken up when their models are loaded, kept when the store or the ledger is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from gateway_world import constant, served
from retrain.errors import LedgerRewritten, ModelTampered, StoreError
from retrain.ledger import Ledger
from retrain.ledger.release import Release
from retrain.site import Site
from retrain.status import status
from retrain.store.local import LocalStore
from waiting import wait_for

Open = Callable[..., Any]
Model = Callable[..., Any]
ROW = {"x": 1.0, "who": "a"}


def test_from_the_first_model_to_a_rollback(stand: Open, pretended: Model) -> None:
    s = stand({version: pretended(constant(version)) for version in (1, 2)})
    s.release(1)
    s.release(1, 2, shadow=1.0)
    s.release(1, 2, share=1.0)
    assert s.ask(ROW).json()["predictions"] == [{"prediction": 2.0}]
    s.release(2, previous=served(1))
    assert s.ask(ROW).headers["X-Retrain-Version"] == "2"
    assert s.pipeline.follower.models_loaded == 2, "the previous champion stays loaded"
    s.release(1, previous=served(2), state="rolled_back")
    assert s.ask(ROW).json()["predictions"] == [{"prediction": 1.0}]


def test_a_champion_that_cannot_be_loaded_leaves_the_old_one_serving(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: ModelTampered("its hash differs")})
    s.release(1)
    s.write(2, previous=served(1))
    wait_for(lambda: s.pipeline.problems, "the problem")
    assert s.ask(ROW).headers["X-Retrain-Version"] == "1"
    health = s.client.get("/health")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert "its hash differs" in health.json()["problems"]["flights"][0]


def test_a_new_champion_does_not_wait_for_a_challenger(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: StoreError("the store is away")})
    s.write(1, 2, share=1.0)
    wait_for(lambda: s.number, "the champion")
    assert s.ask(ROW).headers["X-Retrain-Version"] == "1"
    assert s.client.get("/pipelines/flights").json()["challenger"] is None


def test_a_superseded_challenger_is_asked_no_more_while_the_next_one_waits(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended(constant(2)), 3: StoreError("the store is away")})
    s.release(1, 2, share=1.0)
    assert s.ask(ROW).headers["X-Retrain-Version"] == "2"
    number = s.write(1, 3, shadow=1.0)
    wait_for(lambda: s.number == number, "the new release")
    assert s.ask(ROW).headers["X-Retrain-Version"] == "1"
    assert s.tried is None


def test_a_broken_ledger_keeps_the_last_good_release(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended(constant(2))})
    s.release(1)
    s.site.store.create("flights/ledger/00000002.json", b'{"number": 2}')
    wait_for(lambda: s.pipeline.problems, "the problem")
    assert s.ask(ROW).headers["X-Retrain-Version"] == "1"
    health = s.client.get("/health")
    assert health.status_code == 200
    assert "broken at entry 2" in health.text
    s.site.store.delete("flights/ledger/00000002.json")
    s.release(2)
    assert s.client.get("/health").json()["status"] == "ok"


def test_a_gateway_started_on_a_broken_ledger_serves_what_came_before_the_break(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1))}, poll=1000.0)
    s.write(1)
    s.site.store.create("flights/ledger/00000002.json", b"{")
    other = stand(s.models)
    wait_for(lambda: other.number, "the champion")
    assert other.ask(ROW).status_code == 200
    assert "broken at entry 2" in other.client.get("/health").text


def test_a_lost_store_does_not_stop_answers(
    stand: Open, pretended: Model, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stand({1: pretended(constant(1))})
    s.release(1)
    with monkeypatch.context() as away:
        away.setattr(LocalStore, "exists", _away)
        away.setattr(LocalStore, "create", _away)
        wait_for(lambda: s.pipeline.problems, "the problem")
        assert s.ask(ROW, **{"X-Request-Id": "meanwhile"}).status_code == 200
        assert s.client.get("/health").json()["status"] == "degraded"
        assert "no network" in s.client.get("/health").text
    wait_for(lambda: s.client.get("/health").json()["status"] == "ok", "recovery")
    assert s.log(1)["id"].tolist() == ["meanwhile"]


def _away(*_: Any) -> Any:
    raise StoreError("no network")


def test_a_gateway_started_without_its_store_serves_what_it_served(stand: Open, pretended: Model, site: Site) -> None:
    first = stand({1: pretended(constant(1))})
    number = first.release(1)
    first.client.close()
    shutil.move(site.settings.store, f"{site.settings.store}-unmounted")
    again = stand({1: pretended(constant(1))})
    wait_for(lambda: again.number == number, "the remembered release")
    assert again.ask(ROW).status_code == 200
    assert "was read before, is not there" in again.client.get("/health").text
    shutil.rmtree(site.settings.store, ignore_errors=True)
    shutil.move(f"{site.settings.store}-unmounted", site.settings.store)
    wait_for(lambda: again.client.get("/health").json()["status"] == "ok", "the store")


def test_a_store_that_vanishes_while_serving_is_noticed(
    stand: Open, pretended: Model, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrain.serving.follower.PRESENCE_SECONDS", 0.0)
    s = stand({1: pretended(constant(1))})
    s.release(1)
    shutil.move(f"{site.settings.store}/flights/ledger", f"{site.settings.store}/elsewhere")
    assert "which was read before, is not there" in wait_for(lambda: s.pipeline.problems, "the problem")[0]
    assert s.ask(ROW).status_code == 200


def erase(site: Site, number: int) -> None:
    LocalStore(site.settings.store).delete(f"flights/ledger/{number:08d}.json")


def test_a_rollback_erased_from_the_ledgers_end_stands_for_those_who_read_it(
    stand: Open, pretended: Model, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrain.serving.follower.PRESENCE_SECONDS", 0.0)
    s = stand({version: pretended(constant(version)) for version in (1, 2, 3)})
    s.release(1)
    s.release(2, previous=served(1))
    rollback = s.release(1, state="rolled_back")
    erase(site, rollback)
    fresh = stand(s.models)
    for gateway in (s, fresh):
        problems = wait_for(lambda gateway=gateway: gateway.pipeline.problems, "the problem")
        assert "entry 3, which was read before, is not there" in problems[0]
        wait_for(lambda gateway=gateway: gateway.number == rollback, "the release that is known")
        assert gateway.ask(ROW).headers["X-Retrain-Version"] == "1"
        assert gateway.client.get("/health").json()["status"] == "degraded"


def test_another_end_of_the_ledger_is_no_news_for_those_who_read_the_one_before(
    stand: Open, pretended: Model, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is cut off, and somebody who does not know of it writes on."""
    monkeypatch.setattr("retrain.serving.follower.PRESENCE_SECONDS", 0.0)
    s = stand({version: pretended(constant(version)) for version in (1, 2, 3)})
    s.release(2)
    rollback = s.release(1, state="rolled_back")
    erase(site, rollback)
    stranger = Ledger(LocalStore(site.settings.store), "flights")
    for _ in range(2):
        stranger.append(Release(state="promoted", champion=served(3)), actor="test")
    fresh = stand(s.models)
    for gateway in (s, fresh):
        wait_for(lambda gateway=gateway: "is another one now" in str(gateway.pipeline.problems), "the problem")
        wait_for(lambda gateway=gateway: gateway.number == rollback, "the release that is known")
        assert gateway.ask(ROW).headers["X-Retrain-Version"] == "1"
    with pytest.raises(LedgerRewritten, match="entry 2, which was read before, is another one now"):
        status("flights", Site(site.settings))


def test_an_older_gateways_memory_is_enough_to_notice_another_ledger(stand: Open, pretended: Model, site: Site) -> None:
    s = stand({version: pretended(constant(version)) for version in (1, 2)})
    number = s.release(1)
    s.client.close()
    shutil.rmtree(site.settings.home / "ledgers")
    erase(site, number)
    Ledger(LocalStore(site.settings.store), "flights").append(Release(champion=served(2)), actor="test")
    again = stand(s.models)
    assert "is another one now" in wait_for(lambda: again.pipeline.problems, "the problem")[0]
    wait_for(lambda: again.number == number, "the remembered release")
    assert again.ask(ROW).headers["X-Retrain-Version"] == "1"


def test_a_ledger_that_is_restored_is_followed_again(
    stand: Open, pretended: Model, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrain.serving.follower.PRESENCE_SECONDS", 0.0)
    s = stand({version: pretended(constant(version)) for version in (1, 2)})
    s.release(2)
    number = s.release(1)
    store = LocalStore(site.settings.store)
    kept = store.get(f"flights/ledger/{number:08d}.json")
    erase(site, number)
    fresh = stand(s.models)
    wait_for(lambda: s.pipeline.problems and fresh.pipeline.problems, "the problems")
    store.create(f"flights/ledger/{number:08d}.json", kept)
    wait_for(lambda: not s.pipeline.problems and not fresh.pipeline.problems, "recovery")
    assert s.release(2) == number + 1
    wait_for(lambda: fresh.number == number + 1, "what came after it")


def test_a_release_without_a_champion_is_no_release(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()})
    s.ledger.append(Release(), actor="test")
    assert s.ask(ROW).status_code == 503
