"""The place where a retraining happens: its store, its ledgers, its MLflow, all in one small value."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from retrain.artifacts import Artifact, FileRef, Ref, digest, digest_file
from retrain.errors import ArtifactChanged
from retrain.ledger import Ledger
from retrain.ledger.witness import Witness
from retrain.settings import Settings
from retrain.store import ObjectStore, open_store

A = TypeVar("A", bound=Artifact)


class Site:
    """What every stage is given besides its pipeline and its inputs.

    :param settings: where everything is.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.load()
        self._ledgers: dict[str, Ledger] = {}

    @cached_property
    def store(self) -> ObjectStore:
        """The object store. Only the working folder of an embedded one is made; any other must be there."""
        home = self.settings.home
        if Path(self.settings.store).parent == home and home.parent.is_dir():
            home.mkdir(exist_ok=True)
        return open_store(self.settings.store)

    def ledger(self, pipeline: str) -> Ledger:
        """A pipeline's ledger; what was read of it is kept."""
        if pipeline not in self._ledgers:
            witness = Witness(self.settings.home, self.store.uri, pipeline)
            self._ledgers[pipeline] = Ledger(self.store, pipeline, witness)
        return self._ledgers[pipeline]

    def once(self, kind: type[A], pipeline: str, key: str, make: Callable[[], A]) -> A:
        """Return the artifact named ``key``, making it only if nobody has.

        Two makers at once is allowed and harmless: the second finds the first one's artifact and returns that.

        :raises ArtifactChanged: it was made, and is not what the ledger says it was.
        """
        found = self.find(kind, pipeline, key)
        if found is not None:
            return found
        made = make()
        self.store.create(kind.path(pipeline, key), made.to_bytes())
        return kind.from_bytes(self.store.get(kind.path(pipeline, key)))

    def find(self, kind: type[A], pipeline: str, key: str) -> A | None:
        """An artifact, or None if it was not made yet.

        :raises ArtifactChanged: it is not what the ledger says it was.
        """
        ref = Ref(kind=kind.kind, key=key, pipeline=pipeline)
        return self.read(kind, ref) if self.store.exists(kind.path(pipeline, key)) else None

    def read(self, kind: type[A], ref: Ref) -> A:
        """The artifact a reference names: the very bytes, where the reference or the ledger tells which.

        :raises ObjectMissing: it is not there.
        :raises ArtifactChanged: something else lies in its place.
        """
        path = kind.path(ref.pipeline, ref.key)
        data = self.store.get(path)
        known = {ref.sha256} if ref.sha256 else self.ledger(ref.pipeline).contents(kind.kind, ref.key)
        if known and digest(data) not in known:
            raise ArtifactChanged(
                f"The {kind.kind} '{ref.key}' of pipeline '{ref.pipeline}' was changed after it was made.",
                where=f"{self.store.uri}/{path}",
                do="it is not believed, nor is anything decided on it. Find out who wrote there, and restore that "
                "object from a backup or an older version; or delete it and start a new run, which makes it anew.",
            )
        return kind.from_bytes(data)

    def keep(self, path: str, source: Path, *, rows: int | None = None) -> FileRef:
        """Put a local file into the store and describe it."""
        self.store.upload(path, source)
        return FileRef(path=path, sha256=digest_file(source), bytes=source.stat().st_size, rows=rows)
