"""The append-only record of decisions.

One object an entry, ``<pipeline>/ledger/00000042.json``, each naming the hash of the one before it. An entry is
written with create-if-absent, so two writers can never both win number 42: the loser reads again and decides
again. Everything there is to know of the past (who serves, who served at time T, which versions exist, how old
each stage is) is a fold over these entries.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from retrain.artifacts import Artifact, Request, canonical, digest, now
from retrain.errors import LedgerBroken, LedgerMoved, ReleaseError
from retrain.ledger.body import Body
from retrain.ledger.entries import Entry, StageDone, Trained
from retrain.ledger.release import Release, Served
from retrain.ledger.versions import Version, versions
from retrain.store.base import ObjectStore

GENESIS = "0" * 64
READERS = 16
"""How many entries are fetched at a time when a ledger is read for the first time."""

B = TypeVar("B", bound=Body)
T = TypeVar("T")


class Ledger:
    """One pipeline's ledger. Threads may share it; so may any number of processes share what it reads and writes.

    :param store: where it lies.
    :param pipeline: whose it is.
    """

    def __init__(self, store: ObjectStore, pipeline: str) -> None:
        self.store = store
        self.pipeline = pipeline
        self._entries: list[Entry] = []
        self._by_once: dict[str, Entry] = {}
        self._tip = GENESIS
        self._lock = threading.RLock()

    # -- reading ---------------------------------------------------------------------------------------------

    def path(self, number: int) -> str:
        """Where entry ``number`` lies in the store."""
        return f"{self.pipeline}/ledger/{number:08d}.json"

    def entries(self) -> list[Entry]:
        """All entries so far, oldest first. Raises :class:`LedgerBroken` if they do not form one chain."""
        with self._lock:
            if not self._entries:
                self._read_all()
            while self._read_next():
                pass
            return self._entries

    @property
    def known(self) -> list[Entry]:
        """The entries read so far, oldest first, without looking for more."""
        return self._entries

    @property
    def head(self) -> int:
        """The number of the newest entry; 0 for an empty ledger."""
        return len(self.entries())

    def poll(self) -> list[Entry]:
        """The entries that came since the last look. Costs one look-up when there are none."""
        with self._lock:
            known = len(self._entries)
            return self.entries()[known:]

    def _read_all(self) -> None:
        """Read what is there. An entry that lies beyond a missing one would be forgotten silently; refuse to go on."""
        names = [path.rsplit("/", 1)[1] for path in self.store.list(f"{self.pipeline}/ledger")]
        numbers = {int(name[:8]) for name in names if name[:8].isdigit() and name.endswith(".json")}
        paths = [self.path(number) for number in range(1, max(numbers, default=0) + 1)]
        for number, path in enumerate(paths, start=1):
            if number not in numbers and not self.store.exists(path):  # a listing may miss what is just being written
                raise self._broken(number, "it is missing although later entries exist")
        with ThreadPoolExecutor(READERS) as pool:
            for data in pool.map(self.store.get, paths):
                self._take(data)

    def _read_next(self) -> bool:
        path = self.path(len(self._entries) + 1)
        if not self.store.exists(path):
            return False
        self._take(self.store.get(path))
        return True

    def _take(self, data: bytes) -> Entry:
        number = len(self._entries) + 1
        entry = self._parse(number, data)
        if entry.number != number or entry.previous != self._tip or entry.pipeline != self.pipeline:
            raise self._broken(number, "it does not follow from the entry before it")
        self._entries.append(entry)
        self._tip = digest(data)
        if entry.once:
            self._by_once[entry.once] = entry
        return entry

    def _parse(self, number: int, data: bytes) -> Entry:
        try:
            return Entry.model_validate_json(data)
        except ValidationError as error:
            raise self._broken(number, f"it cannot be read ({error.error_count()} errors)") from None

    def _broken(self, number: int, why: str) -> LedgerBroken:
        return LedgerBroken(
            f"The ledger of pipeline '{self.pipeline}' is broken at entry {number}: {why}.",
            where=f"{self.store.uri}/{self.path(number)}",
            do="nothing is decided or released until it is whole. Restore that object from a backup or an older "
            "object version; gateways keep serving the release they know.",
        )

    # -- writing ---------------------------------------------------------------------------------------------

    def append(
        self, body: Body, *, actor: str, run: str | None = None, once: str | None = None, after: int | None = None
    ) -> Entry:
        """Write the next entry, or find it written.

        :param once: if an entry with this name exists it is returned and nothing is written.
        :param after: write only if this is still the newest entry; otherwise raise :class:`LedgerMoved`.
        """
        while True:
            with self._lock:
                entries = self.entries()
                if once is not None and once in self._by_once:
                    return self._by_once[once]
                if after is not None and len(entries) != after:
                    raise self._moved(after)
                entry = Entry(
                    number=len(entries) + 1,
                    pipeline=self.pipeline,
                    at=max([now(), *(entry.at for entry in entries[-1:])]),
                    kind=body.kind,
                    actor=actor,
                    run=run,
                    once=once,
                    body=body,
                    previous=self._tip,
                )
                data = canonical(entry.model_dump(mode="json"))
                if self.store.create(self.path(entry.number), data):
                    return self._take(data)

    def settle(self, decide: Callable[[int], T]) -> T:
        """Decide on the ledger as it stands, and write; whoever loses the race reads again and decides again.

        :param decide: is given the ledger's head and appends ``after`` it, so that what it decided on is what stood.
        """
        while True:
            head = self.head
            try:
                return decide(head)
            except LedgerMoved:
                continue
            except ReleaseError:
                if self.head == head:
                    raise

    def _moved(self, after: int) -> LedgerMoved:
        return LedgerMoved(
            f"The ledger of pipeline '{self.pipeline}' moved from entry {after} to {len(self._entries)}.",
            where=f"{self.store.uri}/{self.path(len(self._entries))}",
            do="read it again and decide again.",
        )

    def record_stage(self, stage: str, artifact: Artifact, request: Request) -> Entry:
        """Write that a stage of a run came to an artifact; once, however often it is retried.

        A run that is cleared and comes to another artifact (the code was mended) has that written, too.
        """
        body = StageDone(stage=stage, artifact=artifact.ref(), made_at=artifact.made_at, summary=artifact.summary)
        return self.append(body, actor=request.actor, run=request.run, once=f"{request.run}/{stage}/{artifact.key}")

    # -- folds -----------------------------------------------------------------------------------------------

    def of(self, kind: type[B]) -> Iterator[tuple[Entry, B]]:
        """Entries of one kind with their bodies, newest first."""
        return ((entry, entry.body) for entry in reversed(self.entries()) if isinstance(entry.body, kind))

    def release(self) -> Release:
        """The routing decision that stands."""
        return next((release for _, release in self.of(Release)), Release())

    def release_number(self) -> int:
        """The number of the entry with the routing decision that stands; 0 if there is none."""
        return next((entry.number for entry, _ in self.of(Release)), 0)

    def served_at(self, moment: datetime) -> Release:
        """The routing decision that stood at ``moment``."""
        return next((release for entry, release in self.of(Release) if entry.at <= moment), Release())

    def champion(self) -> Served | None:
        """Who serves now."""
        return self.release().champion

    def version(self, number: int) -> Version:
        """One version. Raises :class:`ReleaseError` if the ledger knows none of that number."""
        for version in self.versions():
            if version.version == number:
                return version
        known = ", ".join(str(v.version) for v in self.versions()) or "none yet"
        raise ReleaseError(
            f"Pipeline '{self.pipeline}' has no version {number}.", do=f"name one of its versions: {known}."
        )

    def versions(self) -> list[Version]:
        """Every trained version with its standing, oldest first."""
        return versions(self.entries())

    def next_version(self, candidate_key: str) -> int:
        """The number of this candidate: its own if it has one, or the next free one."""
        trained = [body for _, body in self.of(Trained)]
        mine = [body.version for body in trained if body.candidate.key == candidate_key]
        return mine[0] if mine else 1 + max((body.version for body in trained), default=0)

    def run_entries(self, run: str) -> list[Entry]:
        """What one retraining has written, oldest first."""
        return [entry for entry in self.entries() if entry.run == run]
