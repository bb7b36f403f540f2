"""Scratch: a folder for what is on its way to its place. Gone afterwards; of a killed process, with the next one.

Its owner holds ``flock`` on a file in it, so the kernel knows who is alive, also in another container or, where the
file system shares its locks, on another host. A scratch folder whose lock is free belongs to nobody any more: the
first scratch that a process makes beside it removes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PREFIX = ".retrain-scratch-"
LOCK = "lock"

WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""What a file system says that knows no locks. Who is alive cannot be told on it, so nothing is removed."""


@contextmanager
def below(where: Path) -> Iterator[Path]:
    """A new folder in ``where``, so that a file in it can be renamed or linked to any place on the same disk.

    :raises OSError: it cannot be made.
    """
    _remove_abandoned(where)
    folder, lock = _make(where)
    try:
        yield folder
    finally:
        os.close(lock)  # first: NFS keeps a removed file that is open, and its folder with it
        shutil.rmtree(folder, ignore_errors=True)


def _make(where: Path) -> tuple[Path, int]:
    """A locked folder; another one if somebody has just taken it for abandoned."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where))
        try:
            lock = _lock(folder)
        except OSError as error:
            if error.errno in WITHOUT_LOCKS:
                return folder, os.open(folder, os.O_RDONLY)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if lock is not None:
            return folder, lock


@cache
def _remove_abandoned(where: Path) -> None:
    """Remove what killed processes have left, once in a process. What is not ours to remove stays."""
    for folder in where.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)  # while it is locked: who is just making it makes another
                os.close(lock)
                folder.rmdir()  # NFS kept it for the open file; a folder that somebody has since locked is not empty


def _lock(folder: Path) -> int | None:
    """Lock a folder; None if somebody else has, or it is gone. Raises OSError."""
    file = folder / LOCK
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(file)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
