"""The object store in a local folder (or a shared file system with hard links)."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from typing_extensions import override

from retrain.errors import ObjectMissing, StoreError, StoreFull, StoreMissing
from retrain.store import scratch
from retrain.store.base import ObjectStore, checked

PARTIAL = ".partial-"
"""Half a file, as earlier releases left it beside its target when they were killed. Never listed."""


class LocalStore(ObjectStore):
    """Objects as files. A file is written aside, synced, and then linked or renamed into place.

    :param root: the folder, on one file system; made if its parent exists.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()
        self.uri = str(self.root)

    @override
    def get(self, path: str) -> bytes:
        with _explained(self.root, path):
            return self._file(path).read_bytes()

    @override
    def put(self, path: str, data: bytes) -> None:
        self._write(path, lambda partial: _write_synced(partial, data), os.replace)

    @override
    def create(self, path: str, data: bytes) -> bool:
        if self.exists(path):
            return False
        try:
            # link(2) fails if the name exists: one winner, and the name never shows half a file.
            self._write(path, lambda partial: _write_synced(partial, data), os.link)
        except FileExistsError:
            return False
        return True

    @override
    def exists(self, path: str) -> bool:
        with _explained(self.root, path):
            return self._file(path).is_file()

    @override
    def list(self, prefix: str) -> list[str]:
        top = self.root / checked(prefix.rstrip("/")) if prefix.strip("/") else self.root
        with _explained(self.root, prefix):
            below = len(str(self.root)) + 1  # text, not Path: folders of the prediction log hold thousands of names
            return sorted(name[below:] for name in _files(top))

    @override
    def delete(self, path: str) -> None:
        with _explained(self.root, path):
            self._file(path).unlink(missing_ok=True)

    @override
    def upload(self, path: str, source: Path) -> None:
        self._write(path, lambda partial: _copy_synced(source, partial), os.replace)

    @override
    def fetch(self, path: str) -> Path:
        if not self.exists(path):
            raise _missing(self.root, path)
        return self._file(path)

    @override
    def clock(self) -> datetime | None:
        return None  # a folder's clock is this machine's

    def _file(self, path: str) -> Path:
        return self.root / checked(path)

    def _write(self, path: str, fill: Callable[[Path], None], settle: Callable[[Path, Path], None]) -> None:
        target = self._file(path)
        with _explained(self.root, path):
            self._make_folder(target.parent)
            with scratch.below(self.root) as aside:
                fill(aside / "object")
                settle(aside / "object", target)
                sync_folder(target.parent)

    def _make_folder(self, folder: Path) -> None:
        if not self.root.parent.is_dir():
            raise StoreMissing(
                "The object store's folder cannot be made: the folder above it does not exist.",
                where=self.root,
                do="mount or create it, or point RETRAIN_STORE at the right place.",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:  # not "somebody has created the object": nobody ever can
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def _files(top: Path) -> Iterator[str]:
    """Every file of a folder, but none that is on its way: scratch, which may be another user's, is not entered."""
    for folder, folders, names in os.walk(top, onerror=_unless_missing):
        folders[:] = [name for name in folders if not name.startswith(scratch.PREFIX)]
        yield from (f"{folder}/{name}" for name in names if not name.startswith(PARTIAL))


def _unless_missing(error: OSError) -> None:
    """A folder that is not there lists nothing; one that cannot be read must not look empty."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _write_synced(partial: Path, data: bytes) -> None:
    with partial.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _copy_synced(source: Path, partial: Path) -> None:
    with source.open("rb") as reader, partial.open("xb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        os.fsync(writer.fileno())


def sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing(root: Path, path: str) -> StoreError:
    if not root.is_dir():
        return StoreMissing(
            "The object store is not there.",
            where=root,
            do="mount it, or point RETRAIN_STORE at the right place; a new store is made by the first run.",
        )
    return ObjectMissing(
        f"The object '{path}' is not in the store.",
        where=root,
        do="run the stage that makes it again; if it was deleted, restore it from a backup.",
    )


@contextmanager
def _explained(root: Path, path: str) -> Iterator[None]:
    """Turn the operating system's errors into ours."""
    try:
        yield
    except FileNotFoundError:
        raise _missing(root, path) from None
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(
                f"No room left to write '{path}'; nothing half-written was left behind.",
                where=root,
                do="free space on that disk (rows of long ago can go first), then run the task again.",
            ) from error
        raise StoreError(
            f"The object store failed on '{path}': {error.strerror or error}.",
            where=root,
            do="check that the disk is mounted and writable by this user, then run the task again.",
        ) from error
