"""The API server answers in time, whatever the store does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from retrain.airflow.ui.deadline import MOST
from retrain.airflow.ui.deadline import Deadline as Shipped
from retrain.errors import StoreError

LATE = "The store did not answer within {seconds} s when {of} was read."


def limit(seconds: float = 1.0, threads: int = 4) -> Shipped:
    return Shipped(seconds, LATE, "see to it.", threads)


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """What a lost store waits for; it comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_an_answer_that_does_not_come_is_not_waited_for(stuck: threading.Event) -> None:
    deadline = limit(seconds=0.1)
    with pytest.raises(StoreError, match=r"did not answer within 0\.1 s when the ledger of 'p' was read"):
        asyncio.run(deadline.ask("p", stuck.wait, about="p", of="the ledger of 'p'"))


def test_who_asks_the_same_meanwhile_hangs_no_further_thread(stuck: threading.Event) -> None:
    deadline, asked = limit(seconds=0.05, threads=2), []

    def answer() -> None:
        asked.append(1)
        stuck.wait()

    async def many() -> list[object]:
        asking = (deadline.ask("p", answer, about="p", of="p") for _ in range(50))
        return await asyncio.gather(*asking, return_exceptions=True)

    assert all(isinstance(found, StoreError) for found in asyncio.run(many()))
    assert len(asked) == 1
    assert asyncio.run(deadline.ask("another", lambda: "said", about="p", of="another")) == "said"


def test_what_came_too_late_is_asked_anew() -> None:
    deadline, answers = limit(seconds=0.05), iter([0.2, 0.0])

    def answer() -> str:
        time.sleep(next(answers))
        return "said"

    with pytest.raises(StoreError):
        asyncio.run(deadline.ask("p", answer, about="p", of="p"))
    while deadline._asked:
        time.sleep(0.01)
    assert asyncio.run(deadline.ask("p", answer, about="p", of="p")) == "said"


def test_what_is_raised_is_raised_to_all_who_wait() -> None:
    def answer() -> None:
        raise KeyError("p")

    async def two() -> list[object]:
        deadline = limit()
        asking = (deadline.ask("p", answer, about="p", of="p") for _ in range(2))
        return await asyncio.gather(*asking, return_exceptions=True)

    assert [type(found) for found in asyncio.run(two())] == [KeyError, KeyError]


def test_one_that_hangs_takes_nothing_from_the_others(stuck: threading.Event) -> None:
    deadline = limit(seconds=0.2, threads=MOST + 1)

    async def many() -> list[object]:
        asking = [deadline.ask(("p", number), stuck.wait, about="p", of="p") for number in range(3 * MOST)]
        other = deadline.ask("q", lambda: "said", about="q", of="q")
        return await asyncio.gather(*asking, other, return_exceptions=True)

    *hung, other = asyncio.run(many())
    assert all(isinstance(found, StoreError) for found in hung)
    assert sum("not begun" in str(found) for found in hung) == 2 * MOST
    assert other == "said"


def test_what_was_not_begun_in_time_never_is(stuck: threading.Event) -> None:
    deadline, done = limit(seconds=0.1, threads=1), []

    async def two() -> list[object]:
        first = deadline.ask("hangs", stuck.wait, about="p", of="p")
        second = deadline.ask("decides", lambda: done.append(1), about="q", of="q")
        return await asyncio.gather(first, second, return_exceptions=True)

    _, second = asyncio.run(two())
    assert "not begun" in str(second)
    stuck.set()
    time.sleep(0.2)
    assert done == []


def test_a_process_ends_though_a_store_hangs() -> None:
    code = (
        "import asyncio, threading; from retrain.airflow.ui.deadline import Deadline\n"
        "try: asyncio.run(Deadline(0.1, '{of}', '').ask(1, threading.Event().wait, about='p', of='p'))\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
