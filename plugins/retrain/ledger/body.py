"""What every ledger entry's body can do: say itself in one line."""

from __future__ import annotations

from typing import ClassVar

from retrain.artifacts import Value


class Body(Value):
    """What was decided, by kind. What stands on disk is its fields; ``line`` is how it is told everywhere."""

    kind: ClassVar[str]

    @property
    def line(self) -> str:
        """What happened, in one line, for the ledger, the report, the pages and the terminal."""
        raise AttributeError(f"{type(self).__name__} does not say its line")
