"""A fold over a ledger is asked once a head, and says what it would say if it were asked anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrain.artifacts import ModelRef
from retrain.ledger import Entry, FreshEnough, Ledger, Release, Served
from retrain.store.local import LocalStore

FRESH = FreshEnough(reason="fresh", champion=1)
ASKED: list[int] = []


def count(entries: Sequence[Entry]) -> int:
    ASKED.append(1)
    return len(entries)


def test_a_fold_is_asked_once_until_there_is_another_entry(tmp_path: Path) -> None:
    ledger, other = (Ledger(LocalStore(tmp_path / "store"), "flights") for _ in range(2))
    ledger.append(FRESH, actor="test")
    ASKED.clear()
    assert [ledger.fold(count) for _ in range(3)] == [1, 1, 1]
    assert len(ASKED) == 1
    other.append(FRESH, actor="another process")
    assert ledger.fold(count) == 1, "it looks for nothing new"
    ledger.poll()
    assert (ledger.fold(count), len(ASKED)) == (2, 2)


def test_what_stands_is_the_newest_decision_of_whoever_wrote_it(tmp_path: Path) -> None:
    ledger, other = (Ledger(LocalStore(tmp_path / "store"), "flights") for _ in range(2))
    for version in (1, 2):
        served = Served(version=version, model=ModelRef(digest=f"{version:064x}", path="m", files={}))
        other.append(Release(state="promoted", champion=served), actor="another process")
        assert (ledger.champion(), ledger.release_number()) == (served, version)
    ledger.versions().append("not kept")  # type: ignore[arg-type]
    assert ledger.versions() == []
