"""The ledger: many writers, one chain; and a chain that is broken is refused."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import fewer
from ledger_world import body as body_of
from retrain.artifacts import ModelRef, canonical, digest
from retrain.errors import LedgerBroken, LedgerMoved, ReleaseError
from retrain.ledger import GENESIS, Entry, FreshEnough, Ledger
from retrain.ledger import ledger as ledgers
from retrain.ledger.release import Release, Served
from retrain.store.local import LocalStore

FRESH = FreshEnough(reason="fresh", champion=1)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def ledger(store: LocalStore) -> Ledger:
    return Ledger(store, "flights")


def served(version: int) -> Served:
    return Served(version=version, model=ModelRef(digest=f"{version:064x}", path=f"m/{version}", files={}))


def chain_of(store: LocalStore) -> list[Entry]:
    """Every entry in the store, proven by hand to be one chain without a gap."""
    previous, entries = GENESIS, []
    for number, path in enumerate(store.list("flights/ledger"), start=1):
        data = store.get(path)
        entry = Entry.model_validate_json(data)
        assert (entry.number, entry.previous) == (number, previous)
        previous = digest(data)
        entries.append(entry)
    return entries


# -- many writers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [True, False], ids=["one ledger object", "one each"])
def test_many_threads_write_one_chain(store: LocalStore, shared: bool) -> None:
    one = Ledger(store, "flights")

    def write(writer: int) -> None:
        ledger = one if shared else Ledger(store, "flights")
        for turn in range(5):
            ledger.append(FreshEnough(reason=f"{writer}/{turn}", champion=writer), actor="test")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    reasons = [entry.body.reason for entry in chain_of(store)]
    assert sorted(reasons) == sorted(f"{writer}/{turn}" for writer in range(8) for turn in range(5))
    assert [entry.number for entry in one.entries()] == list(range(1, 41))


def test_the_same_decision_is_written_once_by_many_threads(store: LocalStore) -> None:
    def write(_: int) -> int:
        return Ledger(store, "flights").append(FRESH, actor="test", once="run-1/fresh").number

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(write, range(16))) == {1}
    assert len(chain_of(store)) == 1


def _write_in_a_process(root: str, writer: int) -> None:
    ledger = Ledger(LocalStore(root), "flights")
    for turn in range(10):
        ledger.append(FreshEnough(reason=f"{writer}", champion=1), actor="test", once=f"turn-{turn}")
        ledger.append(FreshEnough(reason=f"{writer}", champion=1), actor="test")


def test_many_processes_write_one_chain(store: LocalStore) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_in_a_process, args=(store.uri, n)) for n in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(60)
    entries = chain_of(store)
    assert [process.exitcode for process in writers] == [0, 0, 0, 0]
    assert len(entries) == 10 + 4 * 10
    assert sum(entry.once is not None for entry in entries) == 10


@fewer(40)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([None, "a", "b", "c"]), st.sampled_from([None, 0, 1])),
        max_size=25,
    )
)
def test_any_interleaving_of_writers_makes_one_chain(turns: list[tuple[int, str | None, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder) / "store")
        writers = [Ledger(store, "flights") for _ in range(3)]
        expected: list[str | None] = []
        for writer, once, behind in turns:
            after = None if behind is None else len(expected) - behind
            known = once is not None and once in expected
            try:
                entry = writers[writer].append(FRESH, actor="test", once=once, after=after)
            except LedgerMoved:
                assert behind
                assert not known
                continue
            assert known or not behind
            if not known:
                expected.append(once)
            assert entry.number == (expected.index(once) + 1 if once is not None else len(expected))
        assert [entry.once for entry in chain_of(store)] == expected
        assert all(len(writer.entries()) == len(expected) for writer in writers)


def test_who_decided_on_an_older_entry_must_decide_again(store: LocalStore, ledger: Ledger) -> None:
    other = Ledger(store, "flights")
    head = ledger.head
    other.append(FRESH, actor="other")
    with pytest.raises(LedgerMoved, match="from entry 0 to 1"):
        ledger.append(FRESH, actor="test", after=head)
    assert len(chain_of(store)) == 1


def test_a_long_ledger_is_read_whole(store: LocalStore, ledger: Ledger) -> None:
    for _ in range(40):
        ledger.append(FRESH, actor="test")
    assert [entry.number for entry in Ledger(store, "flights").entries()] == list(range(1, 41))


def test_polling_returns_what_is_new(store: LocalStore, ledger: Ledger) -> None:
    assert ledger.poll() == []
    Ledger(store, "flights").append(FRESH, actor="other")
    assert [entry.number for entry in ledger.poll()] == [1]
    assert ledger.poll() == []


# -- a broken chain ----------------------------------------------------------------------------------------------


def _remove(store: LocalStore, number: int) -> None:
    store.delete(f"flights/ledger/{number:08d}.json")


def _alter(store: LocalStore, number: int) -> None:
    path = f"flights/ledger/{number:08d}.json"
    entry = json.loads(store.get(path))
    store.put(path, canonical(entry | {"actor": "mallory"}))


def _tear(store: LocalStore, number: int) -> None:
    path = f"flights/ledger/{number:08d}.json"
    store.put(path, store.get(path)[:40])


def _swap(store: LocalStore, number: int) -> None:
    one, two = (f"flights/ledger/{n:08d}.json" for n in (number, number + 1))
    first, second = store.get(one), store.get(two)
    store.put(one, second)
    store.put(two, first)


@given(number=st.integers(1, 5), fault=st.sampled_from([(_remove, 0), (_alter, 1), (_tear, 0), (_swap, 0)]))
def test_a_broken_chain_is_refused_by_number(number: int, fault: tuple[Callable[..., None], int]) -> None:
    damage, shows_later = fault
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder) / "store")
        ledger = Ledger(store, "flights")
        for _ in range(6):
            ledger.append(FRESH, actor="test")
        damage(store, number)
        fresh = Ledger(store, "flights")
        for _ in range(2):  # it stays broken
            with pytest.raises(LedgerBroken, match=f"broken at entry {number + shows_later}:") as caught:
                fresh.append(FRESH, actor="test")
        assert f"{number + shows_later:08d}.json" in str(caught.value)
        assert ledger.entries()[-1].number == 6  # who knows it already goes on knowing it


def _add_field(store: LocalStore, number: int) -> None:
    path = f"flights/ledger/{number:08d}.json"
    entry = json.loads(store.get(path))
    store.put(path, canonical(entry | {"body": entry["body"] | {"added_later": 1}}))


def test_a_field_of_a_newer_writer_does_not_deafen_older_readers(store: LocalStore, ledger: Ledger) -> None:
    ledger.append(FRESH, actor="test")
    _add_field(store, 1)
    assert [entry.body for entry in Ledger(store, "flights").entries()] == [FRESH]


def test_a_release_that_is_not_understood_whole_is_refused(store: LocalStore, ledger: Ledger) -> None:
    ledger.append(Release(state="promoted", champion=served(1)), actor="test")
    _add_field(store, 1)
    with pytest.raises(LedgerBroken, match="entry 1"):
        Ledger(store, "flights").entries()


def test_an_entry_of_another_pipeline_is_refused(store: LocalStore, ledger: Ledger) -> None:
    Ledger(store, "other").append(FRESH, actor="test")
    store.put(ledger.path(1), store.get("other/ledger/00000001.json"))
    with pytest.raises(LedgerBroken, match="entry 1"):
        ledger.entries()


def test_a_listing_that_misses_a_new_entry_is_no_gap(
    store: LocalStore, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        ledger.append(FRESH, actor="test")
    listed = store.list("flights/ledger")
    monkeypatch.setattr(store, "list", lambda prefix: [listed[0], listed[2]])
    assert len(Ledger(store, "flights").entries()) == 3


# -- folds -------------------------------------------------------------------------------------------------------


def test_what_was_served_at_any_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for hour, version in enumerate((1, 2, 3)):
        monkeypatch.setattr(ledgers, "now", lambda hour=hour: noon + timedelta(hours=hour))
        ledger.append(Release(state="promoted", champion=served(version)), actor="test")
        ledger.append(FRESH, actor="test")

    def at(minutes: int) -> Served | None:
        return ledger.served_at(noon + timedelta(minutes=minutes)).champion

    assert at(-1) is None
    assert [at(minutes) for minutes in (0, 59, 60, 61, 500)] == [served(n) for n in (1, 1, 2, 2, 3)]
    assert (ledger.champion(), ledger.release_number()) == (served(3), 5)


def trained(ledger: Ledger, version: int) -> None:
    ref = {"kind": "candidate", "key": f"c{version}", "pipeline": "flights"}
    model = served(version).model.model_dump()
    body = body_of("trained", version=version, candidate=ref, model=model, data_end="2013-04-01T00:00:00Z")
    ledger.append(body, actor="test")


def judged(ledger: Ledger, kind: Any, version: int, **body: Any) -> None:
    ledger.append(body_of(kind, version=version, **body), actor="test")


def test_where_each_version_stands(ledger: Ledger) -> None:
    for version in range(1, 7):
        trained(ledger, version)
    judged(ledger, "verdict", 1, outcome="blessed")
    judged(ledger, "verdict", 2, outcome="vetoed")
    judged(ledger, "verdict", 3, outcome="undecided")
    judged(ledger, "verdict", 4, outcome="blessed")
    judged(ledger, "rehearsal", 4, passed=False)
    judged(ledger, "verdict", 5, outcome="blessed")
    judged(ledger, "stale", 5)
    ledger.append(Release(state="promoted", champion=served(1)), actor="test")
    standing = {version.version: version.standing for version in ledger.versions()}
    assert standing == {1: "released", 2: "vetoed", 3: "undecided", 4: "vetoed", 5: "stale", 6: "candidate"}
    assert [version.blessed for version in ledger.versions()] == [True, False, False, False, True, False]


def test_a_rollback_marks_who_was_dropped_and_a_promotion_does_not(ledger: Ledger) -> None:
    for version in (1, 2, 3):
        trained(ledger, version)
        judged(ledger, "verdict", version, outcome="blessed")
    ledger.append(Release(state="promoted", champion=served(1)), actor="test")
    ledger.append(Release(state="ramping", champion=served(1), challenger=served(2)), actor="test")
    ledger.append(Release(state="rolled_back", champion=served(1), reason="slow"), actor="test")
    ledger.append(Release(state="promoted", champion=served(3)), actor="test")
    assert [version.standing for version in ledger.versions()] == ["blessed", "rolled back", "released"]
    assert ledger.version(2).reason == "slow"


def test_versions_count_up_and_a_candidate_keeps_its_number(ledger: Ledger) -> None:
    assert ledger.next_version("c1") == 1
    trained(ledger, 1)
    trained(ledger, 2)
    assert ledger.next_version("c1") == 1
    assert ledger.next_version("new") == 3
    with pytest.raises(ReleaseError, match="no version 9"):
        ledger.version(9)
