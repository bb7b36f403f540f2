"""The rows of one window, as they were collected, in parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import model_validator
from typing_extensions import override

from retrain.artifacts.artifact import Artifact, FileRef, Moment, Value, canonical, digest


class SourceFile(Value):
    """One file the snapshot was read from, or what takes a file's place in another kind of source.

    :param path: its whole name.
    :param sha256: of its bytes; of a table, of whatever differs where the rows do.
    :param bytes: its size; None of what is no file.
    """

    path: str
    sha256: str
    bytes: int | None = None


class Part(Value):
    """The rows of one stretch of event time, as one Parquet file.

    :param start, end: the stretch, half open.
    """

    start: Moment
    end: Moment
    data: FileRef

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return self.data.rows or 0


def content(parts: Iterable[Part]) -> str:
    """One SHA-256 for what all the parts hold together."""
    return digest(canonical([part.data.sha256 for part in parts]))


class Snapshot(Artifact):
    """The rows of one window, part by part in the order of time.

    :param start, end: the window, half open.
    :param newest: the newest timestamp among its rows.
    :param parts: the stretches that have rows; all of one schema.
    :param columns: name → dtype of the whole, as pandas names it.
    """

    kind: ClassVar[str] = "snapshot"

    start: Moment
    end: Moment
    newest: Moment
    parts: tuple[Part, ...]
    columns: dict[str, str]
    sources: tuple[SourceFile, ...]

    @model_validator(mode="before")
    @classmethod
    def _of_one_file(cls, value: Any) -> Any:
        """Snapshots made before there were parts are one file, ``data``."""
        if not isinstance(value, dict) or "data" not in value:
            return value
        rest = {name: one for name, one in value.items() if name != "data"}
        return {**rest, "parts": [{"start": value["start"], "end": value["end"], "data": value["data"]}]}

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return sum(part.rows for part in self.parts)

    @property
    def sha256(self) -> str:
        """Of its rows."""
        return content(self.parts)

    @property
    @override
    def summary(self) -> str:
        files = all(source.bytes is not None for source in self.sources)
        origin = f"{len(self.sources)} files" if files else ", ".join(source.path for source in self.sources)
        return f"{self.rows:,} rows, {self.start:%d %b %Y} to {self.end:%d %b %Y}, from {origin}"
