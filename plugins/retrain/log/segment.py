"""One append-only file of log lines on the gateway's own disk, owned by one living process.

A line is one JSON object, ``{"table": "predictions" | "labels", …}``. An append is one ``write(2)``: when it has
returned, the lines are in the operating system's page cache and survive ``kill -9`` of the gateway.

The owner holds ``flock`` on the file, so the kernel knows who is alive: a segment that can be locked is an orphan of
a dead gateway, and whoever locks it ships the rest of it. The name appears only after the lock is held, and a lock
counts only while the name still points at the locked file; so no segment is ever owned twice or shipped twice.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from pathlib import Path
from typing import Any, Self

import orjson

from retrain.artifacts import now
from retrain.log.parts import LogTable
from retrain.store import scratch
from retrain.store.local import sync_folder

SUFFIX = ".jsonl"


def line(table: LogTable, row: dict[str, Any]) -> bytes:
    """A row as a line of a segment. ``at`` is microseconds since 1970; ``inputs``, ``output``, ``label`` are JSON."""
    return orjson.dumps({"table": table, **row}, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY)


class Segment:
    """A segment this process owns. Made by :meth:`create` or :meth:`adopt`.

    ``size`` counts the bytes that are whole, acknowledged lines; nothing beyond is ever shipped.
    """

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.name = path.name.removesuffix(SUFFIX)
        self.size = size
        self.born = time.monotonic()
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Begin a new segment. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{now():%Y%m%dT%H%M%S}_{uuid.uuid4().hex[:8]}{SUFFIX}"
        with scratch.below(folder) as aside:
            descriptor = os.open(aside / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.rename(aside / name, folder / name)
                sync_folder(folder)
            except OSError:
                os.close(descriptor)
                raise
        return cls(folder / name, descriptor, 0)

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """Take over the segment of a dead gateway; None if its owner lives or it is gone. Raises OSError."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino != path.stat().st_ino:
                raise FileNotFoundError
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            return None
        segment = cls(path, descriptor, 0)
        segment.size = segment._whole_lines()
        return segment

    def append(self, lines: bytes) -> None:
        """Add whole lines, all or none.

        :raises OSError: the disk is full or broken; what was half-written is cut off again.
        """
        try:
            written = os.write(self._descriptor, lines)
            if written != len(lines):
                written += os.write(self._descriptor, lines[written:])
            if written != len(lines):
                raise OSError(f"only {written} of {len(lines)} bytes could be written")
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(lines)

    def sync(self) -> None:
        """Bring what was written to the disk itself, so that it also survives a power cut."""
        os.fsync(self._descriptor)

    def read(self, begin: int, limit: int) -> bytes:
        """Whole lines from ``begin`` on: about ``limit`` bytes, more where a single line is longer."""
        available = self.size - begin
        while limit < available:
            chunk = os.pread(self._descriptor, limit, begin)
            if (end := chunk.rfind(b"\n")) >= 0:
                return chunk[: end + 1]
            limit *= 2
        return os.pread(self._descriptor, max(available, 0), begin)

    def read_range(self, begin: int, end: int) -> bytes:
        """The bytes of a part that was planned before."""
        return os.pread(self._descriptor, end - begin, begin)

    def remove(self) -> None:
        """Delete the file, everything of it being in the store; then let go of it."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file; whoever locks it next ships what is left."""
        os.close(self._descriptor)

    def _whole_lines(self) -> int:
        """How far the file consists of whole lines; a torn last line was never acknowledged."""
        end = os.fstat(self._descriptor).st_size
        while end > 0:
            begin = max(0, end - (1 << 16))
            found = os.pread(self._descriptor, end - begin, begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
        return 0


def segments_in(folder: Path) -> list[Path]:
    """The segment files of a folder, oldest first."""
    return sorted(folder.glob(f"[!.]*{SUFFIX}"))
