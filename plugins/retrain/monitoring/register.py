"""Names numbered in the order in which they were first met; millions of them in a few bytes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def hashed(names: NDArray[np.object_]) -> NDArray[np.uint64]:
    """64 bits of each text, the same in every process; two of a million names are alike once in 10^7 times."""
    from pandas.util import hash_array

    return hash_array(names, categorize=False)


class Register:
    """Which number a hash has."""

    def __init__(self) -> None:
        import numpy as np

        self._hashes: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)  # sorted
        self._numbers: NDArray[np.int32] = np.empty(0, dtype=np.int32)

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The number of each, -1 where it was never met."""
        import numpy as np

        if not len(self):
            return np.full(len(hashes), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self._hashes, hashes), len(self) - 1)
        return np.where(self._hashes[places] == hashes, self._numbers[places], -1).astype(np.int64)

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The number of each; those never met get the next ones, in their order."""
        import numpy as np

        new, first = np.unique(hashes[self.find(hashes) < 0], return_index=True)
        numbers = np.empty(len(new), dtype=np.int32)
        numbers[np.argsort(first)] = np.arange(len(self), len(self) + len(new))
        places = np.searchsorted(self._hashes, new)
        self._hashes = np.insert(self._hashes, places, new)
        self._numbers = np.insert(self._numbers, places, numbers)
        return self.find(hashes)
