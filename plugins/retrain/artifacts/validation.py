"""What the suite found."""

from __future__ import annotations

from typing import ClassVar, Literal

from typing_extensions import override

from retrain.artifacts.artifact import Artifact, FileRef, Ref, Value

REASON = "_reason"
"""The column of a quarantine that says what a row broke."""


class ExpectationResult(Value):
    """How one expectation of the suite came out.

    :param scope: ``window`` (all rows) or ``last`` (the newest days only, ``validate_last``).
    """

    expectation: str
    column: str | None
    success: bool
    scope: Literal["window", "last"]
    observed: str
    unexpected_rows: int = 0
    message: str = ""


class Validation(Artifact):
    """What Great Expectations found.

    :param quarantine: the rows that broke an expectation, with a ``_reason`` column; None if there are none.
    :param evidence: the whole result as GX reports it (JSON in the store).
    """

    kind: ClassVar[str] = "validation"

    snapshot: Ref
    success: bool
    rows: int
    results: tuple[ExpectationResult, ...]
    quarantine: FileRef | None = None
    evidence: FileRef | None = None

    @property
    @override
    def summary(self) -> str:
        failed = sum(not result.success for result in self.results)
        if not failed:
            return f"{len(self.results)} expectations met by {self.rows:,} rows"
        bad = self.quarantine.rows if self.quarantine else 0
        return f"{failed} of {len(self.results)} expectations broken; {bad:,} rows in quarantine"
