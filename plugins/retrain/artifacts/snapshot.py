"""The rows of one window, as they were collected."""

from __future__ import annotations

from typing import ClassVar

from retrain.artifacts.artifact import Artifact, FileRef, Moment, Value


class SourceFile(Value):
    """One file the snapshot was read from."""

    path: str
    sha256: str
    bytes: int


class Snapshot(Artifact):
    """The rows of one window, as one Parquet file.

    :param start, end: the window, half open.
    :param newest: the newest timestamp among its rows.
    :param columns: name → dtype, as pandas names it.
    """

    kind: ClassVar[str] = "snapshot"

    start: Moment
    end: Moment
    newest: Moment
    data: FileRef
    columns: dict[str, str]
    sources: tuple[SourceFile, ...]

    @property
    def summary(self) -> str:
        return f"{self.data.rows:,} rows, {self.start:%d %b %Y} to {self.end:%d %b %Y}, from {len(self.sources)} files"
