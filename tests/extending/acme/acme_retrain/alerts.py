"""Acme's alerts."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field

from retrain.alerts.base import Event, Problem, Sender


class Journal(Sender):
    """A line of JSON an event, at the end of a file."""

    file: Path = Field(description="The file; its folder must be there.")

    def send(self, event: Event) -> None:
        with self.file.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(event.as_json()) + "\n")

    def problem(self) -> Problem | None:
        if self.file.parent.is_dir():
            return None
        return Problem("file", f"There is no folder {self.file.parent}.", "make it, where runs end.")
