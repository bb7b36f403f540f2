"""Live traffic: real flights asked about one by one over HTTP, and what came of them fed back as labels.

A thread of its own with a handful of kept-alive connections. It is written on bare streams, because it shares two
cores with everything it is meant to watch: one request costs it about a tenth of a millisecond.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import statistics
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import orjson
from typing_extensions import override

from retrain.demo.data import LiveRequest

CONNECTIONS = 16
LATE_MINUTES = 30
LABELS_AT_ONCE = 100
LABELS_EVERY = 0.2
LAST_LOOKS = 25
RECENT = 2_000
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
VERSION = re.compile(rb"\r\nx-retrain-version: *(\d+)", re.IGNORECASE)


class Answer(NamedTuple):
    """What a caller got.

    :param at: wall clock when the answer was complete, in seconds.
    :param seconds: how long it took.
    :param status: HTTP's; 0 if the connection broke.
    :param version: who answered; None with an error.
    """

    at: float
    seconds: float
    status: int
    version: int | None


@dataclass(frozen=True)
class Tally:
    """What callers have got so far.

    :param versions: version → answers.
    :param per_second: answers a second, lately.
    :param median_ms: of the recent answers.
    """

    answered: int
    failed: int
    labels: int
    versions: dict[int, int]
    per_second: float
    median_ms: float

    @override
    def __str__(self) -> str:
        shares = ", ".join(f"v{version} {count:,}" for version, count in sorted(self.versions.items()))
        return (
            f"{self.per_second:,.0f} requests/s · {self.answered:,} answered ({shares}) · {self.failed} failed · "
            f"median {self.median_ms:.0f} ms"
        )


class Traffic:
    """Replays requests in their order until it is stopped; after the last one it begins again.

    :param gateway: its address.
    :param requests: what is asked, and the truth about it.
    :param name: makes the request ids of this replay differ from those of every other.
    :param rate: requests a second at most.
    """

    def __init__(
        self, gateway: str, requests: Sequence[LiveRequest], *, name: str, rate: float, connections: int = CONNECTIONS
    ) -> None:
        self.gateway = urlsplit(gateway)
        self.name = name
        self.rate = rate
        self.connections = connections
        self.answers: list[Answer] = []
        self.first_error: str | None = None
        self._labels_taken = 0
        self._requests = requests
        self._supply = self._endless()
        self._labels: list[dict[str, object]] = []
        self._recent: deque[Answer] = deque(maxlen=RECENT)
        self._turn = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._replay()), name="traffic", daemon=True)

    def start(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Finish what is under way and stop."""
        self._stopping.set()
        self._thread.join(timeout=30)

    def turn_to(self, requests: Sequence[LiveRequest]) -> None:
        """Go on at the same place with these requests, which are as many."""
        self._requests = requests

    @property
    def tally(self) -> Tally:
        """What callers have got so far."""
        answers, recent = self.answers, list(self._recent)
        good = [answer for answer in answers if answer.version is not None]
        took = recent[-1].at - recent[0].at if len(recent) > 1 else 0.0
        return Tally(
            answered=len(good),
            failed=len(answers) - len(good),
            labels=self._labels_taken,
            versions=dict(Counter(answer.version for answer in good if answer.version is not None)),
            per_second=(len(recent) - 1) / took if took else 0.0,
            median_ms=statistics.median(answer.seconds for answer in recent) * 1000 if recent else 0.0,
        )

    # -- the thread ------------------------------------------------------------------------------------------

    async def _replay(self) -> None:
        self._turn = time.monotonic()
        telling = asyncio.create_task(self._tell())
        await asyncio.gather(*(self._call() for _ in range(self.connections)))
        for _ in range(LAST_LOOKS):
            if not self._labels:
                break
            await asyncio.sleep(LABELS_EVERY)
        telling.cancel()

    async def _call(self) -> None:
        async with Connection(self.gateway.hostname or "", self.gateway.port or 80) as connection:
            while not self._stopping.is_set():
                await self._wait_for_turn()
                request_id, request = next(self._supply)
                await self._ask(connection, request_id, request)

    async def _wait_for_turn(self) -> None:
        """Keep to the rate; time that was lost is not caught up."""
        now = time.monotonic()
        self._turn = max(self._turn + 1 / self.rate, now)
        if self._turn > now:
            await asyncio.sleep(self._turn - now)

    async def _ask(self, connection: Connection, request_id: str, request: LiveRequest) -> None:
        body = orjson.dumps({"dataframe_records": [request.payload]})
        began = time.perf_counter()
        try:
            status, head, content = await connection.post("/invocations", body, request_id)
        except (OSError, asyncio.IncompleteReadError) as error:
            status, head, content = 0, b"", repr(error).encode()
        found = VERSION.search(head) if status == 200 else None
        answer = Answer(time.time(), time.perf_counter() - began, status, int(found[1]) if found else None)
        self.answers.append(answer)
        self._recent.append(answer)
        if answer.version is None:
            self.first_error = self.first_error or f"{status} {content.decode(errors='replace')[:300]}"
            await asyncio.sleep(0.1)
        elif request.outcome is not None:
            self._labels.append({"id": request_id, "label": request.outcome >= LATE_MINUTES})

    async def _tell(self) -> None:
        """Post what came of the flights, in batches, right after they were asked about."""
        async with Connection(self.gateway.hostname or "", self.gateway.port or 80) as connection:
            while True:
                await asyncio.sleep(LABELS_EVERY)
                while self._labels and await self._post_labels(connection):
                    pass

    async def _post_labels(self, connection: Connection) -> bool:
        """Post one batch. It stays where it is until it is taken: a label that comes twice counts once."""
        batch = self._labels[:LABELS_AT_ONCE]
        try:
            status, _, _ = await connection.post("/labels", orjson.dumps({"labels": batch}))
        except (OSError, asyncio.IncompleteReadError):
            return False
        if status == 200:
            self._labels_taken += len(batch)
            del self._labels[: len(batch)]
        return status == 200

    def _endless(self) -> Iterator[tuple[str, LiveRequest]]:
        for number in itertools.count():
            request = self._requests[number % len(self._requests)]
            yield f"{request.id}/{self.name}-{number // len(self._requests) + 1}", request


class Connection:
    """One kept-alive HTTP connection; opened anew after it broke."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; the next request opens it again."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None

    async def post(self, path: str, body: bytes, request_id: str | None = None) -> tuple[int, bytes, bytes]:
        """Send JSON; returns the status, the head and the body of the answer.

        :raises OSError, asyncio.IncompleteReadError: the connection broke.
        """
        name = f"X-Request-Id: {request_id}\r\n" if request_id else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{name}\r\n"
        )
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(self.host, self.port)
            reader, writer = self._streams
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(answer)
            content = await reader.readexactly(int(length[1]) if length else 0)
        except BaseException:
            self.close()
            raise
        return int(answer[9:12]), answer, content
