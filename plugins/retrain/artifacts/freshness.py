"""How old everything is that a release rests on."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from retrain.artifacts.artifact import Artifact, Ref, Value


class Age(Value):
    """How old something is, and how old it may be (seconds)."""

    subject: str
    age: float
    limit: float | None
    stale: bool


class Freshness(Artifact):
    """Is the blessed challenger still fresh enough to release?"""

    kind: ClassVar[str] = "freshness"

    candidate: Ref
    version: int
    fresh: bool
    ages: tuple[Age, ...]
    reason: str

    @property
    @override
    def summary(self) -> str:
        return f"version {self.version} is {'fresh' if self.fresh else 'stale'}: {self.reason}"
