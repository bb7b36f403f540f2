"""How far the data has moved."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from typing_extensions import override

from retrain.artifacts.artifact import Artifact, Ref, Value


class ColumnDrift(Value):
    """How far one column has moved from the reference."""

    column: str
    distance: str
    value: float
    threshold: float
    drifted: bool


class Drift(Artifact):
    """The distance of this snapshot from the one the champion was trained on.

    :param reference: the champion's snapshot; None without a champion, and then nothing has drifted.
    :param skipped: columns that have no distance → why (every value differs, dates, all null).
    """

    kind: ClassVar[str] = "drift"

    snapshot: Ref
    reference: Ref | None
    champion: int | None
    columns: tuple[ColumnDrift, ...]
    drifted: bool
    skipped: dict[str, str] = Field(default_factory=dict)

    @property
    @override
    def summary(self) -> str:
        if self.reference is None:
            return "no champion yet: nothing to compare with"
        moved = [column.column for column in self.columns if column.drifted]
        return f"drifted: {', '.join(moved)}" if moved else f"no drift in {len(self.columns)} columns"
