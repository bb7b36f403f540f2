"""What the prediction log says of some answers, as plain arrays: what the arms are compared by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Answers:
    """Answers of both arms, in the order in which they came; every array has the shape (rows,) but the last.

    :param at: microseconds since 1970.
    :param id: the request's, hashed.
    :param decision: the ledger's number of the routing decision.
    :param share: the challenger's under it.
    :param tried: is it the challenger's?
    :param name: the entity, numbered; -1 where none is named.
    :param chance: of being the challenger's, given earlier decisions; NaN where that was sure.
    :param answer: a score, or of several classes the output as JSON; shape (rows, k), k answers to one request.
    """

    at: NDArray[np.int64]
    id: NDArray[np.uint64]
    decision: NDArray[np.int64]
    share: NDArray[np.float64]
    tried: NDArray[np.bool_]
    name: NDArray[np.int64]
    chance: NDArray[np.float64]
    failed: NDArray[np.bool_]
    latency_ms: NDArray[np.float64]
    answer: NDArray[Any]

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, rows: Any) -> Answers:
        """Some of them."""
        return Answers(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def none(cls) -> Answers:
        """No answers."""
        import numpy as np

        kinds = (np.int64, np.uint64, np.int64, float, bool, np.int64, float, bool, float, object)
        return cls(*(np.empty((0, 1) if kind is object else 0, dtype=kind) for kind in kinds))

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """Several, one after the other."""
        import numpy as np

        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    @property
    def whose(self) -> NDArray[np.int64]:
        """The entity of each row; a row that names none is one of its own."""
        import numpy as np

        return np.where(self.name >= 0, self.name, -1 - (self.id >> np.uint64(16)).astype(np.int64))

    @property
    def coin(self) -> NDArray[np.bool_]:
        """Which rows were decided by a coin that earlier decisions had not shown."""
        import numpy as np

        return ~np.isnan(self.chance)
