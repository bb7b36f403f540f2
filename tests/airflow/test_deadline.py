"""The API server answers in time, whatever the store does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from retrain.airflow.ui.deadline import Deadline
from retrain.errors import StoreError


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """What a lost store waits for; it comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_an_answer_that_does_not_come_is_not_waited_for(stuck: threading.Event) -> None:
    deadline = Deadline(seconds=0.1)
    with pytest.raises(StoreError, match=r"did not answer within 0\.1 s when the ledger of 'p' was read"):
        asyncio.run(deadline.ask("p", stuck.wait, of="the ledger of 'p'"))


def test_who_asks_the_same_meanwhile_hangs_no_further_thread(stuck: threading.Event) -> None:
    deadline, asked = Deadline(seconds=0.05, readers=2), []

    def answer() -> None:
        asked.append(1)
        stuck.wait()

    async def many() -> list[object]:
        asking = (deadline.ask("p", answer, of="p") for _ in range(50))
        return await asyncio.gather(*asking, return_exceptions=True)

    assert all(isinstance(found, StoreError) for found in asyncio.run(many()))
    assert len(asked) == 1
    assert asyncio.run(deadline.ask("another", lambda: "said", of="another")) == "said"


def test_what_came_too_late_is_asked_anew() -> None:
    deadline, answers = Deadline(seconds=0.05), iter([0.2, 0.0])

    def answer() -> str:
        time.sleep(next(answers))
        return "said"

    with pytest.raises(StoreError):
        asyncio.run(deadline.ask("p", answer, of="p"))
    while deadline._asked:
        time.sleep(0.01)
    assert asyncio.run(deadline.ask("p", answer, of="p")) == "said"


def test_what_is_raised_is_raised_to_all_who_wait() -> None:
    def answer() -> None:
        raise KeyError("p")

    async def two() -> list[object]:
        deadline = Deadline()
        asking = (deadline.ask("p", answer, of="p") for _ in range(2))
        return await asyncio.gather(*asking, return_exceptions=True)

    assert [type(found) for found in asyncio.run(two())] == [KeyError, KeyError]
