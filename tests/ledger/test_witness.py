"""The end of a ledger: who has read it notices that it is gone, or another."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import fewer
from retrain.errors import LedgerRewritten
from retrain.ledger import FreshEnough, Ledger
from retrain.ledger.witness import Head, Witness
from retrain.store.local import LocalStore


class Spied(LocalStore):
    """A store that notes what it is asked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def get(self, path: str) -> bytes:
        self.asked.append(path)
        return super().get(path)

    def exists(self, path: str) -> bool:
        self.asked.append(path)
        return super().exists(path)

    def list(self, prefix: str) -> list[str]:
        self.asked.append(prefix)
        return super().list(prefix)


@pytest.fixture
def store(tmp_path: Path) -> Spied:
    return Spied(tmp_path / "store")


def write(ledger: Ledger, *reasons: str) -> None:
    for reason in reasons:
        ledger.append(FreshEnough(reason=reason, champion=1), actor="test")


def here(store: LocalStore, home: Path) -> Ledger:
    """The ledger as a process of this machine reads it, that has just started."""
    home.mkdir(exist_ok=True)
    return Ledger(store, "flights", Witness(home, store.uri, "flights"))


def erase(store: LocalStore, number: int) -> None:
    store.delete(f"flights/ledger/{number:08d}.json")


@fewer(60)
@given(
    read=st.integers(1, 5),
    more=st.integers(0, 3),
    cut=st.integers(0, 5),
    then=st.lists(st.text(max_size=3), max_size=5),
)
def test_whatever_is_done_to_its_end_it_is_noticed_if_what_was_read_is_touched(
    read: int, more: int, cut: int, then: list[str]
) -> None:
    """So many entries are read here, more are written elsewhere, the last ones cut off, and others written."""
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder) / "store")
        write(here(store, Path(folder) / "home"), *"abcdefgh"[:read])
        write(Ledger(store, "flights"), *"mnopqr"[:more])
        left = max(read + more - cut, 0)
        for number in range(read + more, left, -1):
            erase(store, number)
        write(Ledger(store, "flights"), *then)
        if left >= read:
            assert here(store, Path(folder) / "home").head == left + len(then)
            return
        for _ in range(2):  # and it stays so
            with pytest.raises(LedgerRewritten, match=f"entry {read}, which was read before, is "):
                here(store, Path(folder) / "home").entries()


def test_nothing_is_written_onto_an_end_that_is_not_the_one_decided_on(store: Spied) -> None:
    running = Ledger(store, "flights")
    write(running, "a", "b")
    erase(store, 2)
    with pytest.raises(LedgerRewritten, match="entry 2, which was read before, is not there"):
        write(running, "c")
    write(Ledger(store, "flights"), "another")
    with pytest.raises(LedgerRewritten, match="entry 2, which was read before, is another one now"):
        write(running, "c")
    assert [entry.body.line for entry in Ledger(store, "flights").entries()] == [
        "ended early: a",
        "ended early: another",
    ]


def test_what_a_command_writes_last_is_known_to_the_next_one(store: Spied, tmp_path: Path) -> None:
    write(here(store, tmp_path / "home"), "a")
    erase(store, 1)
    with pytest.raises(LedgerRewritten) as caught:
        here(store, tmp_path / "home").entries()
    assert caught.value.do is not None
    assert str(tmp_path / "home" / "ledgers") in caught.value.do, "how to begin anew on purpose is said"


def test_a_ledger_that_is_restored_is_read_again(store: Spied, tmp_path: Path) -> None:
    write(here(store, tmp_path / "home"), "a", "b")
    kept = store.get("flights/ledger/00000002.json")
    erase(store, 2)
    write(Ledger(store, "flights"), "another")
    reader = here(store, tmp_path / "home")
    with pytest.raises(LedgerRewritten):
        reader.entries()
    store.put("flights/ledger/00000002.json", kept)
    assert [entry.number for entry in reader.entries()] == [1, 2]


def test_an_entry_that_another_process_writes_meanwhile_is_no_contradiction(store: Spied, tmp_path: Path) -> None:
    """It has noted its entry before this process, which looked a moment too early, compares."""
    write(here(store, tmp_path / "home"), "a")
    reader = here(store, tmp_path / "home")
    real = reader._witness.recall

    def slow() -> Head | None:
        reader._witness.recall = real
        write(here(store, tmp_path / "home"), "b")
        return real()

    reader._witness.recall = slow
    assert reader.head == 2


def test_a_look_without_news_costs_one_look_up(store: Spied, tmp_path: Path) -> None:
    reader = here(store, tmp_path / "home")
    write(reader, "a", "b")
    reader.entries()
    store.asked.clear()
    assert reader.poll() == []
    assert store.asked == ["flights/ledger/00000003.json"]


@pytest.mark.parametrize("note", [b"", b"{", b'{"number": 1}'])
def test_a_note_that_cannot_be_read_is_no_obstacle(store: Spied, tmp_path: Path, note: bytes) -> None:
    write(here(store, tmp_path / "home"), "a")
    Witness(tmp_path / "home", store.uri, "flights").file.write_bytes(note)
    assert here(store, tmp_path / "home").head == 1


def test_nothing_is_left_where_there_is_no_working_folder(store: Spied, tmp_path: Path) -> None:
    write(Ledger(store, "flights", Witness(tmp_path / "none", store.uri, "flights")), "a")
    assert not (tmp_path / "none").exists()


def test_another_store_is_another_ledger(tmp_path: Path) -> None:
    write(here(LocalStore(tmp_path / "one"), tmp_path / "home"), "a", "b")
    write(here(LocalStore(tmp_path / "two"), tmp_path / "home"), "c")
    assert here(LocalStore(tmp_path / "two"), tmp_path / "home").head == 1
