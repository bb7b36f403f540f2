"""The gates, and who must agree."""

from __future__ import annotations

from pydantic import Field

from retrain.spec.durations import Duration
from retrain.spec.section import DAY, Section


class Change(Section):
    """How much worse than the champion a challenger may be; both bounds must hold where both are given."""

    absolute: float = Field(ge=0, description="In units of the metric.")
    relative: float | None = Field(None, ge=0, description="As a share of the champion's score.")


class Suspicious(Section):
    """How much better than the champion is too good to be true."""

    absolute: float | None = Field(None, gt=0)
    relative: float | None = Field(0.3, gt=0, description="0.3: a loss 30 % lower than the champion's.")


class Slices(Section):
    """Groups of rows on which the challenger must hold its own."""

    columns: tuple[str, ...] = Field((), description="Raw input columns; each value is a slice.")
    hour_bands: bool = Field(False, description="Also slice by the time of day: night, morning, afternoon, evening.")
    min_rows: int = Field(200, ge=1, description="Smaller slices are left out, by name.")
    margin: float = Field(0.02, ge=0, description="How much worse a slice may be shown to be.")


class Approval(Section):
    """Who must agree before a release."""

    required: bool = False
    by: tuple[str, ...] = Field((), description="User names who may answer; empty: anyone allowed to run the Dag.")
    within: Duration = Field(3 * DAY, description="No answer in this time is a rejection.")


class Bless(Section):
    """The gates."""

    metric: str | None = Field(None, description="The deciding metric; default brier, log_loss or rmse by task.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="One-sided confidence of every bound.")
    replicates: int = Field(400, ge=100, le=100_000, description="Bootstrap replicates.")
    lower: float | None = Field(None, description="Value gate: the score must be shown to be above this.")
    upper: float | None = Field(None, description="Value gate: the score must be shown to be below this.")
    change: Change = Field(default_factory=lambda: Change(absolute=0.005))
    suspicious: Suspicious = Field(default_factory=Suspicious)
    slices: Slices = Field(default_factory=Slices)
    approval: Approval = Field(default_factory=Approval)
