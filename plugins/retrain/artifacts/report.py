"""What came of a run."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from retrain.artifacts.artifact import Artifact


class Report(Artifact):
    """What came of a run, in words and in one table.

    :param version: the version it was about; None if it came to none, or if the report is older than this field.
    """

    kind: ClassVar[str] = "report"

    run: str
    outcome: str
    headline: str
    markdown: str
    stages: dict[str, str]
    version: int | None = None

    @property
    @override
    def summary(self) -> str:
        return self.headline
