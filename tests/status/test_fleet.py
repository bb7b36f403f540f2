"""Many pipelines at once: one that is slow, broken or hostile is a row, and never the end of the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from retrain.artifacts import now
from retrain.errors import StoreError
from retrain.ledger import Ledger
from retrain.settings import Settings
from retrain.site import Site
from retrain.status import Fleet, fleet
from retrain.store.local import LocalStore
from visits_world import promote, train


class Counting(LocalStore):
    """A store that counts what it is asked, hangs for some pipelines and fails for others."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []
        self.hangs, self.go_on = "", threading.Event()
        self.fails = ""

    def _ask(self, path: str) -> None:
        self.asked.append(path)
        if self.hangs and path.startswith(self.hangs):
            self.go_on.wait(60)
        if self.fails and path.startswith(self.fails):
            raise StoreError("The store does not answer.", where=self.uri, do="wait.")

    @override
    def exists(self, path: str) -> bool:
        self._ask(path)
        return super().exists(path)

    @override
    def get(self, path: str) -> bytes:
        self._ask(path)
        return super().get(path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Counting]:
    made = Counting(tmp_path / "home" / "store")
    yield made
    made.go_on.set()


@pytest.fixture
def kept(tmp_path: Path, store: Counting) -> Site:
    """A site that is kept, with three pipelines that serve version 1."""
    (tmp_path / "home").mkdir()
    site = Site(Settings.load({"RETRAIN_HOME": str(tmp_path / "home"), "RETRAIN_PIPELINES": str(tmp_path / "none")}))
    site.__dict__["store"] = store
    for name in NAMES:
        ledger = Ledger(store, name)
        train(ledger, 1, now())
        promote(ledger, 1)
    store.asked.clear()
    return site


NAMES = ("ant", "bee", "cat")


def words(found: Fleet) -> dict[str, str]:
    return {one.pipeline: one.word for one in found.pipelines}


def test_a_look_at_a_kept_site_costs_two_look_ups_a_pipeline(kept: Site, store: Counting) -> None:
    assert words(fleet(kept, NAMES)) == dict.fromkeys(NAMES, "OK")
    store.asked.clear()
    assert words(fleet(kept, NAMES)) == dict.fromkeys(NAMES, "OK")
    assert sorted(store.asked) == [f"{name}/ledger/0000000{number}.json" for name in NAMES for number in (3, 4)]


def test_a_store_that_is_not_mounted_any_more_is_said_and_taken_up_again(kept: Site, store: Counting) -> None:
    fleet(kept, NAMES)
    store.root.rename(store.root.with_name("elsewhere"))
    found = fleet(kept, NAMES)
    assert words(found) == dict.fromkeys(NAMES, "UNREAD")
    assert found.pipelines[0].said == f"The object store is not there. Where: {store.root}."
    store.root.with_name("elsewhere").rename(store.root)
    assert words(fleet(kept, NAMES)) == dict.fromkeys(NAMES, "OK")


def test_a_ledger_whose_end_was_cut_off_is_said(kept: Site, store: Counting) -> None:
    fleet(kept, NAMES)
    store.delete("bee/ledger/00000003.json")
    found = fleet(kept, NAMES)
    assert words(found) == {"bee": "UNREAD", "ant": "OK", "cat": "OK"}
    assert "entry 3, which was read before, is not there" in found.pipelines[0].said


def test_a_broken_ledger_is_a_row_that_says_where(kept: Site, store: Counting) -> None:
    (store.root / "bee/ledger/00000002.json").write_text("{}")
    found = fleet(kept, NAMES)
    assert [(one.pipeline, one.word) for one in found.pipelines] == [("bee", "UNREAD"), ("ant", "OK"), ("cat", "OK")]
    assert "The ledger of pipeline 'bee' is broken at entry 2" in found.pipelines[0].said
    assert str(store.root / "bee/ledger/00000002.json") in found.pipelines[0].said


def test_one_that_hangs_is_unread_in_time_not_asked_twice_and_there_once_it_answers(
    kept: Site, store: Counting
) -> None:
    store.hangs = "bee"
    for _ in range(3):
        found = fleet(kept, NAMES, within=0.2)
        (late,) = (one for one in found.pipelines if one.pipeline == "bee")
        assert late.word == "UNREAD"
        assert "has not been read in" in late.said
    assert store.asked.count("bee/ledger/00000001.json") == 1, "or every look would leave a thread behind"
    assert words(fleet(kept, ["ant", "cat"])) == {"ant": "OK", "cat": "OK"}
    store.hangs = ""
    store.go_on.set()
    assert words(fleet(kept, NAMES))["bee"] == "OK"


def test_a_store_that_is_gone_is_said_of_each(kept: Site, store: Counting) -> None:
    store.fails = "cat"
    found = fleet(kept, NAMES)
    assert words(found) == {"cat": "UNREAD", "ant": "OK", "bee": "OK"}
    assert found.pipelines[0].said == f"The store does not answer. Where: {store.uri}."


def test_whatever_is_raised_for_one_is_told_of_that_one(kept: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(ledger: Any) -> Any:
        raise RuntimeError("nobody thought of that")

    kept.ledger("ant").poll = failing.__get__(kept.ledger("ant"))  # type: ignore[method-assign]
    assert words(fleet(kept, NAMES)) == {"ant": "UNREAD", "bee": "OK", "cat": "OK"}


def test_it_is_the_same_as_json(kept: Site) -> None:
    found = fleet(kept, NAMES)
    assert Fleet.model_validate_json(found.model_dump_json()) == found
