"""Asking what may be slow, within a time: the API server must answer while the store does not.

The same question is asked once at a time, whoever waits for its answer; and no pipeline has more than a few questions
under way, so that one whose store hangs takes nothing from the others.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TypeVar

from retrain.airflow.ui.readers import Readers
from retrain.errors import StoreError

T = TypeVar("T")

THREADS = 64
MOST = 8
"""So many different questions about one pipeline are under way at most."""


class Deadline:
    """Asks questions in threads of its own, each at most once at a time.

    :param seconds: how long anybody waits for an answer.
    :param late: what is said to those who wait no longer, of ``{seconds}`` and of what is asked about, ``{of}``.
    :param do: what they can do.
    :param threads: how many questions are asked at once.
    """

    def __init__(self, seconds: float, late: str, do: str, threads: int = THREADS) -> None:
        self.seconds, self.late, self.do = seconds, late, do
        self._lock = threading.RLock()  # a done question is forgotten by whoever asked it, at once
        self._readers = Readers(threads, "retrain-page")
        self._asked: dict[Hashable, dict[Hashable, Future[object]]] = {}

    async def ask(self, question: Hashable, answer: Callable[[], T], *, about: str, of: str) -> T:
        """The answer, if it comes in time.

        :param question: what is asked; who asks the same meanwhile gets the same answer.
        :param answer: finds it out.
        :param about: the pipeline.
        :param of: what of it, for the message.
        :raises StoreError: it does not come in time. What was not begun by then never is; what was may go on.
        """
        future = self._begun(about, question, answer)
        try:
            found = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self.seconds)
        except TimeoutError:
            if not future.cancel():
                raise StoreError(self.late.format(seconds=f"{self.seconds:g}", of=of), do=self.do) from None
            raise self._busy(about) from None
        except asyncio.CancelledError:
            if not future.cancelled():  # it is who asks that has gone, not the question
                raise
            raise self._busy(about) from None
        return found  # type: ignore[return-value]

    def _begun(self, about: str, question: Hashable, answer: Callable[[], T]) -> Future[object]:
        with self._lock:
            mine = self._asked.setdefault(about, {})
            asked = mine.get(question)
            if asked is not None:
                return asked
            if len(mine) >= MOST:
                raise self._busy(about)
            future: Future[object] = self._readers.submit(answer)
            mine[question] = future
            future.add_done_callback(lambda _done: self._forget(about, question))
            return future

    def _busy(self, about: str) -> StoreError:
        return StoreError(
            f"The store has not answered earlier questions about '{about}', so this was not begun.", do=self.do
        )

    def _forget(self, about: str, question: Hashable) -> None:
        with self._lock:
            mine = self._asked.get(about, {})
            mine.pop(question, None)
            if not mine:
                self._asked.pop(about, None)
