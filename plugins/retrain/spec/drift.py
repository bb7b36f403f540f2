"""Which inputs are watched, and how far they may move."""

from __future__ import annotations

from pydantic import Field, field_validator

from retrain.metrics import distances
from retrain.spec.section import Section


class DriftSpec(Section):
    """Which inputs are watched, and how far they may move."""

    columns: tuple[str, ...] = Field((), description="Default: every input.")
    distance: str = Field(
        "cramer_von_mises",
        description="cramer_von_mises, psi, jensen_shannon, wasserstein, the name of an entry point in "
        "`retrain.metrics.distances`, or the import path of a Distance (package.module:NAME). Text is compared by "
        "jensen_shannon where the distance is one of numbers.",
        examples=list(distances.DISTANCES),
    )
    threshold: float | None = Field(None, gt=0, description="None: learnt from the champion's own weeks.")
    false_alarms: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Share of runs without drift in which any column alarms; held where there are three whole weeks.",
    )

    @field_validator("distance")
    @classmethod
    def _known(cls, distance: str) -> str:
        distances.find(distance)
        return distance
