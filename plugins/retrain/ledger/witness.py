"""How much of a ledger was read on this machine: its newest entry, kept on this disk.

A hash chain shows every change but one to whoever reads it: its end can be cut off, and another one put in its place.
Only who has read that end can tell. So every process here leaves a note of it, and the next one compares.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from retrain.artifacts import Value, digest
from retrain.store import scratch


class Head(Value):
    """The newest entry of a ledger.

    :param number: its number.
    :param sha256: of its bytes.
    """

    number: int
    sha256: str


class Witness:
    """Remembers the newest entry that was read of one ledger; many processes may share it.

    A note that cannot be read or written is no obstacle: there is only nothing to compare with then.

    :param home: the working folder on this disk; where there is none, none is made.
    :param store: the address of the store the ledger lies in.
    :param pipeline: whose ledger it is.
    """

    def __init__(self, home: Path, store: str, pipeline: str) -> None:
        self._home = home
        self.file = home / "ledgers" / digest(store.encode())[:16] / f"{pipeline}.json"

    def recall(self) -> Head | None:
        """The newest entry that was ever read here; None if nothing is known."""
        try:
            return Head.model_validate_json(self.file.read_bytes())
        except (OSError, ValidationError):
            return None

    def remember(self, head: Head) -> None:
        """Keep the newest entry."""
        if not self._home.is_dir():
            return
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with scratch.below(self.file.parent) as aside:
                note = aside / self.file.name
                note.write_text(head.model_dump_json())
                os.replace(note, self.file)
