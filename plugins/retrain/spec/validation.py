"""The suite, and where it is applied."""

from __future__ import annotations

from pydantic import Field

from retrain.spec.durations import Duration
from retrain.spec.section import Section


class Validate(Section):
    """The Great Expectations suite and where it is applied."""

    expectations: str = Field("expectations.json", description="The suite, as Great Expectations stores it.")
    last: Duration | None = Field(
        None, description="Also apply the suite to the newest stretch alone, where a new fault is not diluted."
    )
