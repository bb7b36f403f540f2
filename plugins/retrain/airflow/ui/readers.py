"""Threads that ask what may never answer: a few, and none that the end of the process waits for.

A thread that hangs in a lost store cannot be ended. Those of a ``ThreadPoolExecutor`` are joined when Python ends, so
an API server with a hung mount would ignore that it is told to go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Work = tuple[Future[object], Callable[[], object]]


class Readers:
    """A few threads, begun when they are first needed.

    :param count: how many.
    :param name: of each, for whoever looks at a hanging process.
    """

    def __init__(self, count: int, name: str) -> None:
        self.count, self.name = count, name
        self._queue: SimpleQueue[Work] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have something done. Until a thread begins with it the future can be cancelled."""
        future: Future[T] = Future()
        self._queue.put((future, work))  # type: ignore[arg-type]
        with self._lock:
            if len(self._threads) < self.count:
                self._threads.append(threading.Thread(target=self._work, name=self.name, daemon=True))
                self._threads[-1].start()
        return future

    def _work(self) -> None:
        while True:
            future, work = self._queue.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:
                    future.set_exception(error)
