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

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @classmethod
    def model_for(cls, _content: object, /) -> type[Section]:
        """The class that reads this content; another than this where the content names what brings its own keys."""
        return cls
