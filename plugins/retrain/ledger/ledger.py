"""The append-only record of decisions.

One object an entry, ``<pipeline>/ledger/00000042.json``, each naming the hash of the one before it. An entry is
written with create-if-absent, so two writers can never both win number 42: the loser reads again and decides
again. Everything there is to know of the past (who serves, who served at time T, which versions exist, how old
each stage is) is a fold over these entries. Their order is that of their numbers, never that of their stamps.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, TypeVar

from pydantic import ValidationError

from retrain.artifacts import Artifact, Ref, Request, canonical, digest, now
from retrain.errors import LedgerBroken, LedgerMoved, LedgerRewritten, ObjectMissing, ReleaseError
from retrain.ledger import clock, collector
from retrain.ledger.body import Body
from retrain.ledger.clock import STEADY, TOLERANCE, Span
from retrain.ledger.entries import Entry, StageDone, Trained
from retrain.ledger.release import Release, Served
from retrain.ledger.versions import Version, standing_release, versions
from retrain.ledger.witness import Head, Witness
from retrain.store.base import ObjectStore
from retrain.words import duration

GENESIS = "0" * 64
READERS = 16
"""How many entries are fetched at a time when a ledger is read for the first time."""

B = TypeVar("B", bound=Body)
T = TypeVar("T")

log = logging.getLogger(__name__)


class Ledger:
    """One pipeline's ledger. Threads may share it; so may any number of processes share what it reads and writes.

    :param store: where it lies.
    :param pipeline: whose it is.
    :param witness: what was read of it on this machine before; None if nothing is kept here.
    """

    def __init__(self, store: ObjectStore, pipeline: str, witness: Witness | None = None) -> None:
        self.store = store
        self.pipeline = pipeline
        self._witness = witness
        self._lock = threading.RLock()
        self._doubted: str | None = None
        self._entries: list[Entry] = []
        self._read_at: list[float] = []  # by a clock that nobody sets
        self._by_once: dict[str, Entry] = {}
        self._contents: dict[tuple[str, str], set[str]] = {}
        self._folds: dict[Callable[[Sequence[Entry]], Any], Any] = {}
        self._spans: tuple[datetime, list[Span]] | None = None
        self._tip = GENESIS
        self._compared: int | None = None
        self._refuted = False

    # -- reading ---------------------------------------------------------------------------------------------

    def path(self, number: int) -> str:
        """Where entry ``number`` lies in the store."""
        return f"{self.pipeline}/ledger/{number:08d}.json"

    def entries(self) -> list[Entry]:
        """All entries so far, oldest first.

        :raises LedgerBroken: they do not form one chain.
        :raises LedgerRewritten: they do, but not the one that was read before.
        """
        with self._lock:
            if self._refuted:
                self._forget()
            if not self._entries:
                self._read_all()
            self._read_on()
            if self._compared != len(self._entries):
                self._compare()
                self._say_doubt()
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
        stretch = -(-len(paths) // READERS) or 1
        stretches = [paths[first : first + stretch] for first in range(0, len(paths), stretch)]
        with ThreadPoolExecutor(READERS) as pool:
            read = list(pool.map(lambda some: [self.store.get(path) for path in some], stretches))
        with collector.put_off():
            for data in chain.from_iterable(read):
                self._take(data)

    def _read_on(self) -> None:
        while self.store.exists(path := self.path(len(self._entries) + 1)):
            self._take(self.store.get(path))

    def _take(self, data: bytes) -> Entry:
        number = len(self._entries) + 1
        entry = self._parse(number, data)
        if entry.number != number or entry.previous != self._tip or entry.pipeline != self.pipeline:
            self.require_head()
            raise self._broken(number, "it does not follow from the entry before it")
        self._entries.append(entry)
        self._folds, self._spans = {}, None
        self._read_at.append(time.monotonic())
        self._tip = digest(data)
        if entry.once:
            self._by_once[entry.once] = entry
        for ref in (value for value in vars(entry.body).values() if isinstance(value, Ref)):
            if ref.sha256 is not None:
                self._contents.setdefault((ref.kind, ref.key), set()).add(ref.sha256)
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

    # -- what was read before ----------------------------------------------------------------------------------

    def require_head(self) -> None:
        """See that the newest entry known still lies in the store as it was read. Costs one look-up.

        :raises LedgerRewritten: it is gone, or another.
        """
        with self._lock:
            number = len(self._entries)
            if number:
                try:
                    found = digest(self.store.get(self.path(number)))
                except ObjectMissing:
                    raise self._rewritten(number, "is not there") from None
                if found != self._tip:
                    raise self._rewritten(number, "is another one now")

    def _compare(self) -> None:
        """Compare with what was read on this machine before, by whichever process, and note what is new."""
        if self._witness is not None:
            known = self._witness.recall()
            if known is not None and known.number > len(self._entries):
                self._read_on()  # another process may have written that entry just now
            if known is not None and self._hash(known.number) != known.sha256:
                self._refuted = True
                gone = known.number > len(self._entries)
                raise self._rewritten(known.number, "is not there" if gone else "is another one now")
            if self._entries:
                self._witness.remember(Head(number=len(self._entries), sha256=self._tip))
        self._compared = len(self._entries)

    def _hash(self, number: int) -> str | None:
        """The hash of an entry's bytes; None if it is not known."""
        if number > len(self._entries):
            return None
        return self._entries[number].previous if number < len(self._entries) else self._tip

    def _forget(self) -> None:
        """Begin to read anew, once the chain that was read has shown to be another than before."""
        self._entries, self._read_at, self._by_once, self._contents, self._tip = [], [], {}, {}, GENESIS
        self._folds, self._spans = {}, None
        self._compared, self._refuted = None, False

    def _rewritten(self, number: int, how: str) -> LedgerRewritten:
        noted = f", delete {self._witness.file}" if self._witness is not None else ""
        return LedgerRewritten(
            f"The ledger of pipeline '{self.pipeline}' is not what it was: entry {number}, which was read before, "
            f"{how}.",
            where=f"{self.store.uri}/{self.path(number)}",
            do="nothing is decided or released until it is what it was. Mount the store that was mounted, or restore "
            "that object and those after it from a backup; gateways keep serving the release they know. If the ledger "
            f"was begun anew on purpose{noted} and restart what still runs.",
        )

    # -- clocks ------------------------------------------------------------------------------------------------

    def present(self) -> datetime:
        """What time it is: by this machine's clock, unless the store has one of its own that shows it to be wrong."""
        mine, theirs = now(), self.store.clock()
        return mine if theirs is None or abs(theirs - mine) <= TOLERANCE else theirs

    def spans(self) -> list[Span]:
        """When each entry known was written: by their order, and by their stamps as far as these agree with it.

        Worked out once, until there are more entries or the clock is set: that the present moves on changes nothing.
        """
        with self._lock:
            present = self.present()
            began = present - timedelta(seconds=time.monotonic())
            if self._spans is None or abs(self._spans[0] - began) > STEADY:
                read = [began + timedelta(seconds=at) for at in self._read_at]
                self._spans = began, clock.spans([entry.at for entry in self._entries], read, present)
            return self._spans[1]

    def at(self, entry: Entry) -> datetime:
        """When an entry was written."""
        return self.spans()[entry.number - 1].at

    def age(self, entry: Entry) -> timedelta:
        """How long ago an entry was written, at least. Never negative."""
        return max(self.present() - self.spans()[entry.number - 1].latest, timedelta())

    def dated(self, entry: Entry) -> bool:
        """Does the ledger hold a stamp to be believed, of this entry or of a later one, that says how old it is?"""
        return any(span.sure for span in self.spans()[entry.number - 1 :])

    def doubt(self) -> str | None:
        """Whose clock is wrong, and by how much, in a sentence; None if all agree."""
        mine, theirs = now(), self.store.clock()
        if theirs is not None and abs(theirs - mine) > TOLERANCE:
            way = "ahead of" if mine > theirs else "behind"
            return (
                f"The clock of this machine is {duration(abs(theirs - mine).total_seconds())} {way} that of the store "
                f"{self.store.uri}, which is used instead. Set it"
            )
        present, found, latest = self.present(), self.spans(), self.fold(clock.latest)
        if latest is None or (found[-1].sure and latest <= present + TOLERANCE):
            return None
        return clock.doubt(self._entries, found, present)

    def _say_doubt(self) -> None:
        doubt = self.doubt()
        if doubt is not None and doubt != self._doubted:
            log.warning("Pipeline '%s': %s.", self.pipeline, doubt)
        self._doubted = doubt

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
                    at=self.present(),
                    kind=body.kind,
                    actor=actor,
                    run=run,
                    once=once,
                    body=body,
                    previous=self._tip,
                )
                data = canonical(entry.model_dump(mode="json"))
                self.require_head()
                if self.store.create(self.path(entry.number), data):
                    written = self._take(data)
                    self._compare()
                    return written

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

        A run that is cleared and comes to another artifact (the code was mended, or the artifact was lost and made
        anew) has that written, too.
        """
        body = StageDone(stage=stage, artifact=artifact.ref(), made_at=artifact.made_at, summary=artifact.summary)
        once = f"{request.run}/{stage}/{artifact.key}/{artifact.fingerprint[:16]}"
        return self.append(body, actor=request.actor, run=request.run, once=once)

    # -- folds -----------------------------------------------------------------------------------------------

    def fold(self, of: Callable[[Sequence[Entry]], T]) -> T:
        """What a function makes of the entries known, oldest first; it is asked once, until there are more.

        :param of: a function of a module, which depends on nothing else; what it returns is not to be changed.
        """
        with self._lock:
            if of not in self._folds:
                self._folds[of] = of(self._entries)
            found: T = self._folds[of]
            return found

    def of(self, kind: type[B]) -> Iterator[tuple[Entry, B]]:
        """Entries of one kind with their bodies, newest first."""
        return ((entry, entry.body) for entry in reversed(self.entries()) if isinstance(entry.body, kind))

    def release(self) -> Release:
        """The routing decision that stands."""
        self.entries()
        return self.fold(standing_release)[1]

    def release_number(self) -> int:
        """The number of the entry with the routing decision that stands; 0 if there is none."""
        self.entries()
        return self.fold(standing_release)[0]

    def served_at(self, moment: datetime) -> Release:
        """The routing decision that stood at ``moment``."""
        releases = list(self.of(Release))
        spans = self.spans()
        return next((release for entry, release in releases if spans[entry.number - 1].at <= moment), Release())

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
        self.entries()
        return list(self.fold(versions))

    def contents(self, kind: str, key: str) -> frozenset[str]:
        """The SHA-256 of every content that an artifact of this name ever had, as far as entries say.

        One, unless it was lost and made anew; none, if no entry speaks of it yet or all are of an earlier release.
        """
        self.entries()
        return frozenset(self._contents.get((kind, key), ()))

    def next_version(self, candidate_key: str) -> int:
        """The number of this candidate: its own if it has one, or the next free one."""
        trained = [body for _, body in self.of(Trained)]
        mine = [body.version for body in trained if body.candidate.key == candidate_key]
        return mine[0] if mine else 1 + max((body.version for body in trained), default=0)

    def run_entries(self, run: str) -> list[Entry]:
        """What one retraining has written, oldest first."""
        return [entry for entry in self.entries() if entry.run == run]
