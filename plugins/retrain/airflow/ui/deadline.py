"""Reading what may be slow, within a time: the API server must answer while the store does not.

A thread that hangs in a lost store cannot be ended. So the same question is asked once at a time, whoever waits for
its answer, and no more than a few hang at all.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from retrain.errors import StoreError

T = TypeVar("T")

SECONDS = 1.8
"""A page has said within two seconds what is wrong."""

READERS = 16


class Deadline:
    """Asks questions in threads of its own, each at most once at a time.

    :param seconds: how long anybody waits for an answer.
    :param readers: how many questions are asked at once.
    """

    def __init__(self, seconds: float = SECONDS, readers: int = READERS) -> None:
        self.seconds = seconds
        self._lock = threading.RLock()  # a done question is forgotten by whoever asked it, at once
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="retrain-page")
        self._asked: dict[Hashable, Future[object]] = {}

    async def ask(self, question: Hashable, answer: Callable[[], T], *, of: str) -> T:
        """The answer, if it comes in time.

        :param question: what is asked; who asks the same meanwhile gets the same answer.
        :param of: the pipeline, or what else is read, for the message.
        :raises StoreError: it does not come in time. It is waited for no longer, and may come for who asks again.
        """
        future = self._begun(question, answer)
        try:
            found = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self.seconds)
        except TimeoutError:
            raise StoreError(
                f"The store did not answer within {self.seconds:g} s when {of} was read.",
                do="see that it can be reached from Airflow's API server; gateways go on serving meanwhile.",
            ) from None
        return found  # type: ignore[return-value]

    def _begun(self, question: Hashable, answer: Callable[[], T]) -> Future[object]:
        with self._lock:
            asked = self._asked.get(question)
            if asked is not None:
                return asked
            future: Future[object] = self._readers.submit(answer)
            self._asked[question] = future
            future.add_done_callback(lambda _done: self._forget(question))
            return future

    def _forget(self, question: Hashable) -> None:
        with self._lock:
            self._asked.pop(question, None)
