"""The writing end of the prediction log: lines go to a local segment at once and to the store every second.

Two threads a pipeline. The *writer* takes whatever lines wait and writes them with one ``write(2)``; only then do
their requests get their answers, and the event loop never waits for a disk. The *shipper* brings segments to the
store, those of dead gateways on this machine too, and deletes what has arrived.

**When the disk is full or broken** the champion answers all the same: at 3 a.m. a caller without an answer is worse
than an answer without a record. Such answers are counted, ``/health`` says degraded, and no request goes to a
challenger, because a canary that cannot be measured must not run. Labels are refused meanwhile, with status 503: a
label has no value but its record, and its sender can send it again.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from retrain.errors import RetrainError
from retrain.log.options import LogOptions
from retrain.log.segment import Segment, segments_in
from retrain.log.shipper import Shipper
from retrain.store.base import ObjectStore

ADOPT_SECONDS = 10.0
LONGEST_PAUSE = 30.0
Waiting = tuple[bytes, asyncio.AbstractEventLoop, "asyncio.Future[None]"]

log = logging.getLogger(__name__)


class LogWriter:
    """Writes the log of one pipeline on one gateway.

    :param store: where parts go.
    :param pipeline: whose log.
    :param folder: where this machine's segments of that pipeline lie.

    ``write_error``, ``ship_error`` and ``orphan_error`` say what is wrong now, or are None.
    """

    def __init__(self, store: ObjectStore, pipeline: str, folder: Path, options: LogOptions) -> None:
        self.store = store
        self.pipeline = pipeline
        self.folder = folder
        self.options = options
        self.write_error: str | None = None
        self.ship_error: str | None = None
        self.orphan_error: str | None = None
        self._busy_since: float | None = None
        self._lines: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._current: Shipper | None = None
        self._closed: list[Shipper] = []
        self._lock = threading.Lock()
        self._complete_at = time.time()
        self._adopted_at = -ADOPT_SECONDS
        self._stop = threading.Event()
        self._writer = threading.Thread(target=self._write, name=f"log-{pipeline}", daemon=True)
        self._shipper = threading.Thread(target=self._ship_for_ever, name=f"ship-{pipeline}", daemon=True)

    def start(self) -> None:
        """Start writing and shipping."""
        self._writer.start()
        self._shipper.start()

    def close(self, patience: float) -> None:
        """Write what waits, ship what is written, and let go; within ``patience`` seconds.

        What cannot be shipped in that time stays on this disk, for the next gateway to ship.
        """
        until = time.monotonic() + patience
        self._lines.put(None)
        self._writer.join(max(0.0, until - time.monotonic()))
        self._stop.set()
        self._shipper.join(max(0.0, until - time.monotonic()))

    @property
    def usable(self) -> bool:
        """Can lines be written now, as far as is known?"""
        return self.write_error is None

    @property
    def lag(self) -> float:
        """How many seconds the store is behind this gateway."""
        return time.time() - self._complete_at if self.unshipped else 0.0

    @property
    def unshipped(self) -> int:
        """How many bytes are only on this disk."""
        return sum(shipper.behind for shipper in self._owned())

    async def append(self, lines: Iterable[bytes]) -> None:
        """Return when the lines are written.

        :raises OSError: they are not; the disk is full, broken or too slow.
        """
        patience = self.options.log_patience
        busy_since = self._busy_since
        if busy_since is not None and time.monotonic() - busy_since > patience:
            raise OSError(f"the disk of {self.folder} hangs")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._lines.put((b"".join(lines), loop, future))
        try:
            await asyncio.wait_for(future, patience)
        except TimeoutError:
            self.write_error = f"a write takes longer than {patience:g} s ({self.folder})"
            raise OSError(self.write_error) from None

    # -- writing ---------------------------------------------------------------------------------------------

    def _write(self) -> None:
        while (first := self._lines.get()) is not None:
            waiting = [first, *self._more()]
            self._busy_since = time.monotonic()
            error = self._try_to_write(b"".join(lines for lines, _, _ in waiting))
            self._busy_since = None
            with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
                first[1].call_soon_threadsafe(_settle, [future for _, _, future in waiting], error)

    def _more(self) -> list[Waiting]:
        """Whatever else waits, without waiting for it."""
        found: list[Waiting] = []
        while True:
            try:
                item = self._lines.get_nowait()
            except queue.Empty:
                return found
            if item is None:
                self._lines.put(None)
                return found
            found.append(item)

    def _try_to_write(self, lines: bytes) -> OSError | None:
        try:
            segment = self._segment()
            segment.append(lines)
            if self.options.fsync == "always":
                segment.sync()
        except OSError as error:
            if self.write_error is None:
                log.error("Pipeline '%s': the prediction log cannot be written: %s", self.pipeline, error)
            self.write_error = f"{error.strerror or error} ({self.folder})"
            return error
        self.write_error = None
        return None

    def _segment(self) -> Segment:
        """The segment to write to; a new one when there is none, or it is too large or too old."""
        current = self._current
        if current is not None and not self._full(current.segment):
            return current.segment
        fresh = Shipper(self.store, self.pipeline, Segment.create(self.folder))
        with self._lock:
            if current is not None:
                self._closed.append(current)
            self._current = fresh
        return fresh.segment

    def _full(self, segment: Segment) -> bool:
        age = time.monotonic() - segment.born
        return segment.size >= self.options.segment_bytes or age >= self.options.segment_age

    # -- shipping --------------------------------------------------------------------------------------------

    def _owned(self) -> list[Shipper]:
        with self._lock:
            return [*self._closed, *([self._current] if self._current else [])]

    def _ship_for_ever(self) -> None:
        pause = self.options.ship_every
        while not self._stop.wait(pause):
            pause = self.options.ship_every if self._ship() else min(2 * pause, LONGEST_PAUSE)
        self._ship()
        self._let_go()

    def _ship(self) -> bool:
        """Bring to the store what is written by now. False, and ``ship_error`` says why, if that failed."""
        began = time.time()
        try:
            self._adopt_orphans()
            for shipper in self._owned():
                shipper.ship()
                self._remove_if_done(shipper)
        except (RetrainError, OSError) as error:
            if self.ship_error is None:
                log.warning("Pipeline '%s': the log does not reach the store: %s", self.pipeline, error)
            self.ship_error = str(error)
            self._keep_durable()
            return False
        except Exception as error:
            log.exception("Pipeline '%s': shipping the log failed unexpectedly.", self.pipeline)
            self.ship_error = f"{type(error).__name__}: {error}"
            return False
        self.ship_error = None
        self._complete_at = began
        return True

    def _keep_durable(self) -> None:
        """The promise of ``fsync: interval`` holds while the store is away, too."""
        try:
            for shipper in self._owned():
                shipper.segment.sync()
        except OSError as error:
            self.ship_error = str(error)

    def _adopt_orphans(self) -> None:
        """Take over what dead gateways on this machine have left."""
        if time.monotonic() - self._adopted_at < ADOPT_SECONDS:
            return
        mine = {shipper.segment.path for shipper in self._owned()}
        self.orphan_error = None
        for path in segments_in(self.folder):
            if path not in mine and (segment := Segment.adopt(path)) is not None:
                self._take_over(segment)
        self._adopted_at = time.monotonic()

    def _take_over(self, segment: Segment) -> None:
        try:
            shipper = Shipper(self.store, self.pipeline, segment)
        except RetrainError as error:
            segment.close()
            self.orphan_error = str(error)
            return
        log.info("Pipeline '%s': shipping what a stopped gateway left: %s", self.pipeline, segment.path)
        with self._lock:
            self._closed.insert(0, shipper)

    def _remove_if_done(self, shipper: Shipper) -> None:
        with self._lock:
            if shipper in self._closed and not shipper.behind:
                self._closed.remove(shipper)
                shipper.remove()

    def _let_go(self) -> None:
        """At the end: nothing of ours stays behind unless it could not be shipped."""
        for shipper in self._owned():
            if shipper.behind:
                shipper.segment.close()
            else:
                shipper.remove()
        with self._lock:
            self._closed, self._current = [], None


def _settle(futures: list[asyncio.Future[None]], error: OSError | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
