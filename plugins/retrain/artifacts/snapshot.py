"""The rows of one window, as they were collected."""

from __future__ import annotations

from typing import ClassVar

from retrain.artifacts.artifact import Artifact, FileRef, Moment, Value


class SourceFile(Value):
    """One file the snapshot was read from, or what takes a file's place in another kind of source.

    :param path: its whole name.
    :param sha256: of its bytes; of a table, of whatever differs where the rows do.
    :param bytes: its size; None of what is no file.
    """

    path: str
    sha256: str
    bytes: int | None = None


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
        files = all(source.bytes is not None for source in self.sources)
        origin = f"{len(self.sources)} files" if files else ", ".join(source.path for source in self.sources)
        return f"{self.data.rows:,} rows, {self.start:%d %b %Y} to {self.end:%d %b %Y}, from {origin}"
