"""Which inputs are watched, and how far they may move."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retrain.spec.section import Section


class DriftSpec(Section):
    """Which inputs are watched, and how far they may move."""

    columns: tuple[str, ...] = Field((), description="Default: every input.")
    distance: Literal["psi", "jensen_shannon", "wasserstein"] = "jensen_shannon"
    threshold: float | None = Field(None, gt=0, description="None: calibrated on the reference's own weeks.")
    false_alarms: float = Field(0.01, gt=0, lt=0.5, description="Rate the calibration holds, per column.")
