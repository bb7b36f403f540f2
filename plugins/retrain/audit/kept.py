"""Runs that are over, kept beside the page until it is written: an audit that was stopped or killed goes on from there.

The first line says of what they are, each other one is a batch. What was measured of another commit, or with another
seed, is no part of this page and is begun anew.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from retrain.audit.pool import Batch, Done
from retrain.errors import UsageError

Name = tuple[str, str, int, int]
"""A batch: section and name of its claim, its first run and the one after its last."""


def name_of(batch: Batch) -> Name:
    """By what a batch is known in every process and every audit."""
    return batch.claim.section, batch.claim.name, batch.first, batch.end


class Kept:
    """The batches of one audit that are done, in a file.

    :param before: those of the audits that were stopped.
    """

    def __init__(self, path: Path, before: Mapping[Name, Done]) -> None:
        self.path, self.before = path, before

    def get(self, batch: Batch) -> Done | None:
        """What came of it, if it was run before."""
        return self.before.get(name_of(batch))

    def add(self, batch: Batch, done: Done) -> None:
        """Keep one more. What broke is not kept: it is asked again."""
        if done.broke is None and name_of(batch) not in self.before:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line({"batch": name_of(batch), **asdict(done)}))

    def forget(self) -> None:
        """The page is written."""
        self.path.unlink()


@contextmanager
def keeping(page: Path, of: Mapping[str, Any]) -> Iterator[Kept]:
    """Keep what is done beside a page that is not yet written.

    :param page: in whose folder it is kept.
    :param of: what is measured, and with which seed.
    :raises UsageError: nothing can be written there, or another process measures for this page.
    """
    path = page.with_name(f"{page.name}.runs")
    with _held(path):
        head = _line({"of": dict(of)})
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # a last line that was half written when the process was killed
        if not whole.startswith(head):
            whole = head
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        yield Kept(path, dict(_batch(json.loads(line)) for line in whole.splitlines()[1:]))


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """A file that no other audit adds to."""
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        why = error.strerror or "it cannot be written"
        raise UsageError(f"No page can be written here: {why}.", where=path.parent, do="name another --out.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                "Another audit measures for this page.", where=path, do="wait for its end, or name another --out."
            ) from None
        yield


def _batch(row: Mapping[str, Any]) -> tuple[Name, Done]:
    section, claim, first, end = row["batch"]
    return (section, claim, first, end), Done(tuple(row["values"]), row["seconds"], row["broke"])


def _line(row: Mapping[str, Any]) -> str:
    return f"{json.dumps(row, ensure_ascii=False)}\n"
