"""How old things may be."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, field_validator

from retrain.spec.durations import Duration
from retrain.spec.section import DAY, Section
from retrain.story import AGED


class Staleness(Section):
    """The oldest things that may be used."""

    model: Duration = Field(
        30 * DAY, description="A champion whose data ended longer ago than this is retrained on schedule."
    )
    data: Duration = Field(7 * DAY, description="How far the newest row may lie before the window's end for a release.")
    stages: dict[str, Duration] = Field(
        {}, description="Oldest allowed result of each stage at release; default 7d each."
    )

    @field_validator("stages")
    @classmethod
    def _aged(cls, stages: dict[str, timedelta]) -> dict[str, timedelta]:
        if not set(stages) <= set(AGED):
            raise ValueError(f"ages of the stages {', '.join(AGED)}")
        return stages
