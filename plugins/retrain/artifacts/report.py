"""What came of a run."""

from __future__ import annotations

from typing import ClassVar

from retrain.artifacts.artifact import Artifact


class Report(Artifact):
    """What came of a run, in words and in one table."""

    kind: ClassVar[str] = "report"

    run: str
    outcome: str
    headline: str
    markdown: str
    stages: dict[str, str]

    @property
    def summary(self) -> str:
        return self.headline
