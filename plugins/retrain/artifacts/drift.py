"""How far the data has moved from the champion's."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from retrain.artifacts.artifact import Artifact, Ref, Value
from retrain.words import number, share

Severity = Literal["", "matters", "hardly used", "not known"]
SAID: dict[Severity, str] = {
    "": "",
    "matters": "moved and matters",
    "hardly used": "moved, the model hardly uses it",
    "not known": "moved",
}


class ColumnDrift(Value):
    """How far one column has moved from the reference.

    :param severity: what that is to the champion; empty where nothing moved, and in artifacts of earlier releases.
    :param weight: the share of the variance of its answers that goes with the column, where that was measured.
    """

    column: str
    distance: str
    value: float
    threshold: float
    drifted: bool
    severity: Severity = ""
    weight: float | None = None

    @property
    def said(self) -> str:
        """The column, and what its move is to the champion."""
        part = "" if self.weight is None else f": {share(self.weight)} of its answers' variance"
        return f"{self.column} ({SAID[self.severity]}{part})" if self.severity else self.column


class Decay(Value):
    """The champion's loss on the rows that were judged, where labels are there.

    :param then: on the rows held out when it was trained.
    :param now: on the rows of now that have a label.
    """

    metric: str
    then: float
    now: float
    rows: int


class Drift(Artifact):
    """The distance of this snapshot from the one the champion was trained on.

    :param reference: the champion's snapshot; None without a champion, and then nothing has drifted.
    :param drifted: has a column moved, or become incomparable?
    :param skipped: columns that have no distance → why (every value differs, dates, all null).
    :param incomparable: columns that had one and cannot be compared any more → why. That is drift.
    :param calibration: what the thresholds were learnt from, or why they were not.
    :param unweighed: why it is not known what the moves are to the champion, if so.
    :param decay: what has become of its loss, where that can be known.
    """

    kind: ClassVar[str] = "drift"

    snapshot: Ref
    reference: Ref | None
    champion: int | None
    columns: tuple[ColumnDrift, ...]
    drifted: bool
    skipped: dict[str, str] = Field(default_factory=dict)
    incomparable: dict[str, str] = Field(default_factory=dict)
    calibration: str = ""
    unweighed: str | None = None
    decay: Decay | None = None

    @property
    def matters(self) -> bool:
        """Has anything moved that the champion uses, or of which that is not known?"""
        used = any(column.drifted and column.severity != "hardly used" for column in self.columns)
        return used or bool(self.incomparable)

    @property
    @override
    def summary(self) -> str:
        if self.reference is None:
            return "no champion yet: nothing to compare with"
        moved = [column.said for column in self.columns if column.drifted]
        said = [f"drifted: {', '.join(moved)}"] if moved else []
        said += [f"{name} cannot be compared any more: {why}" for name, why in self.incomparable.items()]
        said = said or [f"no drift in {len(self.columns)} columns"]
        if self.calibration and "no stated rate" in self.calibration:
            said.append(self.calibration)
        if self.unweighed is not None:
            said.append(f"the champion could not be asked what that is to it: {self.unweighed}")
        if self.decay is not None:
            one = self.decay
            said.append(
                f"its {one.metric} is {number(one.now)} on {one.rows:,} rows, {number(one.then)} when it was trained"
            )
        return "; ".join(said)
