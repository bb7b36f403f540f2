"""When entries were written: by the ledger's order, whatever a wrong clock stamped on one of them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.artifacts import ModelRef, now
from retrain.ledger import FreshEnough, Ledger
from retrain.ledger import ledger as ledgers
from retrain.ledger.clock import TOLERANCE, spans
from retrain.ledger.release import Release, Served
from retrain.store.local import LocalStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FRESH = FreshEnough(reason="fresh", champion=1)
STEPS = st.lists(st.integers(1, 10_000), min_size=3, max_size=30)
STAMPS = st.lists(st.integers(-100_000, 100_000), min_size=1, max_size=30)


def times(seconds: list[int]) -> list[datetime]:
    """Moments so many seconds after noon."""
    return [NOON + timedelta(seconds=second) for second in seconds]


def rising(steps: list[int]) -> list[datetime]:
    """Moments that lie so many seconds apart."""
    return times([sum(steps[: n + 1]) for n in range(len(steps))])


@given(STAMPS, STAMPS, st.integers(-100_000, 100_000))
def test_whatever_is_stamped_times_rise_with_the_numbers_and_none_is_in_the_future(
    stamps: list[int], read: list[int], present: int
) -> None:
    count = min(len(stamps), len(read))
    moment = NOON + timedelta(seconds=present)
    found = spans(times(stamps)[:count], times(read)[:count], moment)
    assert [span.at for span in found] == sorted(span.at for span in found)
    for span in found:
        assert span.at <= span.latest <= moment
        assert span.earliest is None or span.earliest <= span.at


@given(STEPS)
def test_stamps_of_clocks_that_are_right_are_believed(steps: list[int]) -> None:
    stamps = rising(steps)
    found = spans(stamps, [stamps[-1]] * len(stamps), stamps[-1] + DAY)
    assert [(span.at, span.latest, span.sure) for span in found] == [(stamp, stamp, True) for stamp in stamps]


@given(STEPS, st.data(), st.integers(1, 400), st.booleans())
def test_one_wrong_clock_moves_its_own_entry_alone(
    steps: list[int], data: st.DataObject, days: int, late: bool
) -> None:
    """Whether it is ahead or behind; and also once the time it is ahead by has passed, if right entries follow."""
    right = rising(steps)
    stray = data.draw(st.integers(0, len(right) - 2))
    off = data.draw(st.sampled_from([DAY, -DAY] if stray > 1 else [DAY]))
    present = right[-1] + DAY * (1000 if late else 0)
    stamps = [moment + off * days if n == stray else moment for n, moment in enumerate(right)]
    found = spans(stamps, [present] * len(right), present)
    assert [span.at for n, span in enumerate(found) if n != stray] == [m for n, m in enumerate(right) if n != stray]
    assert (found[stray].earliest or NOON) <= right[stray] <= found[stray].latest <= right[stray + 1]


def test_copies_of_a_wrong_stamp_do_not_outvote_what_came_after_them() -> None:
    """An older release stamped what followed a wrong clock with that clock's time."""
    ahead = NOON + DAY
    stamps = [*times([0, 10]), ahead, ahead, ahead, ahead, *times([60, 70])]
    found = spans(stamps, [NOON + 2 * DAY] * 8, NOON + 2 * DAY)
    assert [span.sure for span in found] == [True, True, False, False, False, False, True, True]
    assert [span.at for span in found] == times([0, 10, 60, 60, 60, 60, 60, 70])


def test_clocks_that_differ_by_little_are_all_believed() -> None:
    stamps = times([0, 600, 599, 1800])
    found = spans(stamps, [NOON + DAY] * 4, NOON + DAY)
    assert all(span.sure for span in found)
    assert all(abs(span.at - stamp) <= TOLERANCE for span, stamp in zip(found, stamps, strict=True))


# -- a ledger ----------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def served(version: int) -> Served:
    return Served(version=version, model=ModelRef(digest=f"{version:064x}", path=f"m/{version}", files={}))


def write(store: LocalStore, monkeypatch: pytest.MonkeyPatch, version: int, at: datetime) -> None:
    with monkeypatch.context() as there:
        there.setattr(ledgers, "now", lambda: at)
        Ledger(store, "flights").append(Release(state="promoted", champion=served(version)), actor="airflow:schedule")


@pytest.mark.parametrize("off", [DAY, -DAY], ids=["a day ahead", "a day behind"])
def test_who_served_at_a_time_is_told_by_the_order_of_the_ledger(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    begun = now() - timedelta(hours=5)
    for hour, (version, wrong) in enumerate([(1, None), (2, None), (3, off), (4, None)]):
        write(store, monkeypatch, version, begun + timedelta(hours=hour) + (wrong or timedelta()))
    ledger = Ledger(store, "flights")
    at = {minutes: ledger.served_at(begun + timedelta(minutes=minutes)).champion for minutes in (-1, 1, 181, 300)}
    assert at == {-1: None, 1: served(1), 181: served(4), 300: served(4)}
    assert ledger.served_at(begun + timedelta(minutes=59)).champion == served(1)
    assert ledger.served_at(begun + timedelta(hours=2, minutes=59)).champion in (served(2), served(3))


def test_the_newest_release_stands_now_whatever_is_stamped_on_it(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, monkeypatch, 1, now())
    write(store, monkeypatch, 2, now() + DAY)
    ledger = Ledger(store, "flights")
    ledger.entries()
    assert ledger.served_at(now()).champion == served(2)


def test_an_entry_keeps_the_clock_of_its_writer(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, monkeypatch, 1, now() + DAY)
    before = now()
    assert before <= Ledger(store, "flights").append(FRESH, actor="test").at <= now()


def test_no_age_is_negative_and_any_later_entry_of_a_right_clock_tells_it(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, monkeypatch, 1, now() + DAY)
    ledger = Ledger(store, "flights")
    (entry,) = ledger.entries()
    assert timedelta() <= ledger.age(entry) < timedelta(minutes=10)
    assert not ledger.dated(entry)
    ledger.append(FRESH, actor="test")
    assert ledger.dated(entry)
    monkeypatch.setattr(ledgers, "now", lambda: now() + timedelta(hours=1))
    assert Ledger(store, "flights").entries()[0] == entry
    assert timedelta(minutes=59) < ledger.age(entry) < timedelta(minutes=70)


def test_a_clock_that_is_wrong_is_said_at_once_by_whom_and_by_how_much(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(store, monkeypatch, 1, now())
    assert Ledger(store, "flights").doubt() is None
    write(store, monkeypatch, 2, now() + DAY)
    ledger = Ledger(store, "flights")
    with caplog.at_level(logging.WARNING):
        ledger.entries()
    doubt = ledger.doubt()
    assert doubt is not None
    assert "Ledger entry 2, written by airflow:schedule, is stamped 1 d ahead of the clock here" in doubt
    assert doubt in caplog.text
    caplog.clear()
    assert ledger.poll() == []
    assert not caplog.records, "once"


def test_a_clock_that_is_behind_is_said_too_until_a_right_one_writes(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (1, 2):
        write(store, monkeypatch, version, now())
    write(store, monkeypatch, 3, now() - DAY)
    ledger = Ledger(store, "flights")
    ledger.entries()
    assert "entry 3, written by airflow:schedule, is stamped 1 d before an entry" in (ledger.doubt() or "")
    ledger.append(FRESH, actor="test")
    assert ledger.doubt() is None


class Told(LocalStore):
    """A store with a clock of its own, as a bucket's server has."""

    def clock(self) -> datetime | None:
        return now()


def test_a_store_with_a_clock_shows_this_machines_to_be_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(Told(tmp_path / "store"), "flights")
    first = ledger.append(FRESH, actor="test")
    monkeypatch.setattr(ledgers, "now", lambda: now() + DAY)
    assert ledger.append(FRESH, actor="test").at - first.at < timedelta(minutes=10)
    assert ledger.age(first) < timedelta(minutes=10)
    assert "The clock of this machine is 1 d ahead of that of the store" in (ledger.doubt() or "")


def test_times_are_worked_out_once_and_again_when_an_entry_comes_or_the_clock_is_set(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, counted = Ledger(store, "flights"), []
    monkeypatch.setattr(ledgers.clock, "spans", lambda *given: counted.append(1) or spans(*given))
    first = ledger.append(FRESH, actor="test")
    counted.clear()
    times = [ledger.at(first) for _ in range(3)]
    assert len(counted) == 1
    second = ledger.append(FRESH, actor="test")
    assert [*times, ledger.at(first)] == [first.at] * 4
    assert ledger.at(second) == second.at
    assert len(counted) == 2
    monkeypatch.setattr(ledgers, "now", lambda: now() - timedelta(hours=1))
    assert ledger.at(second) <= now() - timedelta(minutes=59)
    assert len(counted) == 3
