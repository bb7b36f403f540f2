"""Is everything an estimator has learnt a finite number?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

THRESHOLDS = ("num_threshold", "threshold", "bin_thresholds_")
"""Split points may be infinite: "whatever is known goes left". They must still not be NaN."""


def learnt(estimator: Any) -> Iterator[tuple[str, Any]]:
    """Every array of floats among an estimator's learnt attributes, with the name it has.

    Parameters that were given, not learnt (``missing_values=nan``), are left out.
    """
    yield from _walk("", estimator, set())


def finite(estimator: Any) -> bool:
    """No NaN or infinity among the weights."""
    import numpy as np

    return all(
        not np.isnan(array).any() if name in THRESHOLDS else np.isfinite(array).all()
        for name, array in learnt(estimator)
    )


def _walk(name: str, value: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    import numpy as np

    if id(value) in seen:
        return
    if isinstance(value, np.ndarray | float | np.floating):
        yield from _arrays(name, np.asarray(value), seen)
        return
    parts = _parts(name, value)
    if parts:
        seen.add(id(value))
        for part, inner in parts:
            yield from _walk(part, inner, seen)


def _arrays(name: str, array: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if array.dtype.names:  # the nodes of a tree, one field an attribute
        for field in array.dtype.names:
            yield from _arrays(field, array[field], seen)
    elif array.dtype.kind in "fc":
        yield name, array
    elif array.dtype.kind == "O":
        for inner in array.flat:
            yield from _walk(name, inner, seen)


def _parts(name: str, value: Any) -> list[tuple[str, Any]]:
    """What a container or an object of an estimator is made of."""
    if isinstance(value, Mapping):
        return [(str(key), inner) for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return [(name, inner) for inner in value]
    if isinstance(value, type) or type(value).__module__.partition(".")[0] in {"builtins", "numpy"}:
        return []
    if type(value).__module__.startswith("sklearn._loss"):
        return []  # a loss function has the range of its arguments, which may be infinite, and no weights
    state = value.__getstate__() if hasattr(value, "__getstate__") else None
    given = value.get_params(deep=False) if hasattr(value, "get_params") else {}
    return (
        [(key, inner) for key, inner in state.items() if not _is_given(key, inner, given)]
        if isinstance(state, Mapping)
        else []
    )


def _is_given(key: str, value: Any, given: Mapping[str, Any]) -> bool:
    """A number or array that was a parameter; estimators among the parameters (of a pipeline) have learnt."""
    import numpy as np

    return key in given and isinstance(value, float | np.floating | np.ndarray)
