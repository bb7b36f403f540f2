"""The append-only record of decisions, and the folds over it.

One object an entry, ``<pipeline>/ledger/00000042.json``, each naming the hash of the one before it. An entry is
written with create-if-absent, so two writers can never both win number 42: the loser reads again and decides
again. Everything there is to know of the past (who serves, who served at time T, which versions exist, how old
each stage is) is a fold over these entries.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from retrain.artifacts import Artifact, Moment, Ref, Request, Value, canonical, digest, now
from retrain.errors import LedgerBroken, LedgerMoved, ReleaseError
from retrain.ledger.release import Release, Served
from retrain.store.base import ObjectStore

Kind = Literal["stage", "trained", "verdict", "approval", "fresh", "stale", "rehearsal", "canary", "release"]
GENESIS = "0" * 64
READERS = 16
"""How many entries are fetched at a time when a ledger is read for the first time."""


class Entry(Value):
    """One decision.

    :param number: 1, 2, 3 … without a gap.
    :param actor: who decided: ``airflow:schedule``, ``cli:alice``, ``canary`` …
    :param run: the retraining it belongs to, if any.
    :param once: names the decision itself; the same decision is never written twice.
    :param body: what was decided, by kind.
    :param previous: SHA-256 of the bytes of the entry before.
    """

    number: int
    pipeline: str
    at: Moment
    kind: Kind
    actor: str
    run: str | None = None
    once: str | None = None
    body: dict[str, Any]
    previous: str


class Version(Value):
    """What the ledger knows of one trained version.

    :param standing: where it stands now: the last decision about it.
    """

    version: int
    candidate: Ref
    served: Served
    trained_at: Moment
    data_end: Moment
    standing: Literal["candidate", "blessed", "vetoed", "undecided", "stale", "released", "rolled back"]
    reason: str = ""
    blessed: bool = False


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
        self,
        kind: Kind,
        body: BaseModel | dict[str, Any],
        *,
        actor: str,
        run: str | None = None,
        once: str | None = None,
        after: int | None = None,
    ) -> Entry:
        """Write the next entry, or find it written.

        :param once: if an entry with this name exists it is returned and nothing is written.
        :param after: write only if this is still the newest entry; otherwise raise :class:`LedgerMoved`.
        """
        plain = body.model_dump(mode="json") if isinstance(body, BaseModel) else body
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
                    kind=kind,
                    actor=actor,
                    run=run,
                    once=once,
                    body=plain,
                    previous=self._tip,
                )
                data = canonical(entry.model_dump(mode="json"))
                if self.store.create(self.path(entry.number), data):
                    return self._take(data)

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
        body = {
            "stage": stage,
            "artifact": artifact.ref().model_dump(),
            "made_at": artifact.model_dump(mode="json")["made_at"],
            "summary": artifact.summary,
        }
        once = f"{request.run}/{stage}/{artifact.key}"
        return self.append("stage", body, actor=request.actor, run=request.run, once=once)

    # -- folds -----------------------------------------------------------------------------------------------

    def of_kind(self, kind: Kind) -> Iterator[Entry]:
        """Entries of one kind, newest first."""
        return (entry for entry in reversed(self.entries()) if entry.kind == kind)

    def release(self) -> Release:
        """The routing decision that stands."""
        newest = next(self.of_kind("release"), None)
        return Release() if newest is None else Release.model_validate(newest.body)

    def release_number(self) -> int:
        """The number of the entry with the routing decision that stands; 0 if there is none."""
        newest = next(self.of_kind("release"), None)
        return 0 if newest is None else newest.number

    def served_at(self, moment: datetime) -> Release:
        """The routing decision that stood at ``moment``."""
        earlier = (entry for entry in self.of_kind("release") if entry.at <= moment)
        newest = next(earlier, None)
        return Release() if newest is None else Release.model_validate(newest.body)

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
        """Every trained version with its standing, oldest first.

        What a human has vetoed only a human blesses again: the same data and code make the same version, and the
        gates of a later run would let it pass once more.
        """
        found: dict[int, Version] = {}
        forbidden: set[int] = set()
        for entry in self.entries():
            if entry.kind == "trained":
                version = _trained(entry)
                found[version.version] = version
            elif entry.kind == "release":
                _apply_release(found, Release.model_validate(entry.body))
            elif (number := entry.body.get("version")) in found:
                if _by_human(entry):
                    (forbidden.add if entry.body["outcome"] == "vetoed" else forbidden.discard)(number)
                elif number in forbidden:
                    continue
                found[number] = _judged(found[number], entry)
        return list(found.values())

    def next_version(self, candidate_key: str) -> int:
        """The number of this candidate: its own if it has one, or the next free one."""
        trained = [_trained(entry) for entry in self.entries() if entry.kind == "trained"]
        mine = [version.version for version in trained if version.candidate.key == candidate_key]
        return mine[0] if mine else 1 + max((version.version for version in trained), default=0)

    def last_stage(self, stage: str) -> Entry | None:
        """The newest entry of a stage."""
        return next((entry for entry in self.of_kind("stage") if entry.body["stage"] == stage), None)

    def run_entries(self, run: str) -> list[Entry]:
        """What one retraining has written, oldest first."""
        return [entry for entry in self.entries() if entry.run == run]


def _trained(entry: Entry) -> Version:
    body = entry.body
    return Version(
        version=body["version"],
        candidate=Ref.model_validate(body["candidate"]),
        served=Served.model_validate({"version": body["version"], "model": body["model"]}),
        trained_at=entry.at,
        data_end=body["data_end"],
        standing="candidate",
    )


def _by_human(entry: Entry) -> bool:
    """Is it a verdict that was given by hand?"""
    return entry.kind == "verdict" and entry.body.get("by", "gates") != "gates"


def _judged(version: Version, entry: Entry) -> Version:
    reason = str(entry.body.get("reason", ""))
    match entry.kind:
        case "verdict":
            outcome = entry.body["outcome"]
            update = {"standing": outcome, "reason": reason, "blessed": outcome == "blessed"}
        case "approval" if not entry.body["approved"]:
            update = {"standing": "vetoed", "reason": reason, "blessed": False}
        case "rehearsal" if not entry.body["passed"]:
            update = {"standing": "vetoed", "reason": reason, "blessed": False}
        case "stale":
            update = {"standing": "stale", "reason": reason}
        case _:
            return version
    return version.model_copy(update=update)


def _apply_release(found: dict[int, Version], release: Release) -> None:
    """Mark who is released, and who was dropped by this decision."""
    serving = {s.version for s in (release.champion, release.challenger) if s is not None}
    for number, version in found.items():
        if number in serving:
            found[number] = version.model_copy(update={"standing": "released", "reason": release.reason})
        elif version.standing == "released":
            dropped = "rolled back" if release.state == "rolled_back" else "blessed"
            found[number] = version.model_copy(update={"standing": dropped, "reason": release.reason})
