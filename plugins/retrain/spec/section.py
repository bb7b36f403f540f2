"""A part of ``pipeline.yaml``."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict

DAY = timedelta(days=1)


class Section(BaseModel):
    """A part of ``pipeline.yaml``: every key has a meaning, unknown keys are mistakes.

    What pydantic needs to check one is built when it is first needed, all sections of a pipeline at once: a Dag
    processor pays for it at every parse.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
