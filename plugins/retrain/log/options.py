"""How a writer of the prediction log behaves."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LogOptions(BaseModel):
    """Times are in seconds, sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_patience: float = Field(1.0, gt=0, description="A log write slower than this counts as failed.")
    fsync: Literal["interval", "always"] = Field(
        "interval",
        description="interval: acknowledged predictions survive kill -9 at once and a power cut after `ship_every`; "
        "always: both at once, and every answer waits for the disk.",
    )
    ship_every: float = Field(1.0, gt=0, description="How often the log is brought to the store.")
    segment_bytes: int = Field(64 << 20, ge=1, description="A log segment is closed beyond this size.")
    segment_age: float = Field(600.0, gt=0, description="A log segment is closed beyond this age.")
