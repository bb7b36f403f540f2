"""A column before and now, as shares in the same few bins: what has moved, at one look.

A sample is enough to see that: a few parts of the data, of these a few stretches of rows, and only the column itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from retrain.artifacts import Part, Value
from retrain.errors import DataError, ObjectMissing
from retrain.site import Site
from retrain.status.tables import table
from retrain.words import number

PARTS = 4
"""So many parts of the data are looked into, spread evenly over it."""

ROWS = 100_000
"""So many rows, at most; a stretch of rows that was written together is read whole."""

BYTES = 64 << 20
"""A larger part is not fetched for this."""

BINS = 18
"""Of numbers, with those for whatever is smaller and larger; further ones are for missing values."""

CATEGORIES = 10
"""The most frequent ones; the rest is ``others``."""

EDGE = 0.01
"""This share of the numbers lies beyond the outer bins, on either side."""


class Bars(Value):
    """Shares of all rows, bin by bin."""

    labels: tuple[str, ...]
    shares: tuple[float, ...]


def bars(site: Site, before: Sequence[Part], now: Sequence[Part], columns: Sequence[str]) -> dict[str, Pair]:
    """Each column before and now; without those whose rows are gone, or that have no bins.

    :param before: the parts of the data of then. :param now: those of today.
    :param columns: their names.
    :raises StoreError: the store cannot be asked.
    """
    then, today = _sample(site, before, columns), _sample(site, now, columns)
    pairs = {name: _pair(then[name], today[name]) for name in columns if name in then and name in today}
    return {name: pair for name, pair in pairs.items() if pair is not None}


Pair = tuple[Bars, Bars]


def _sample(site: Site, parts: Sequence[Part], columns: Sequence[str]) -> dict[str, Any]:
    """Some rows of each column as an Arrow array."""
    import pyarrow as pa

    found: dict[str, list[Any]] = {}
    near = [part for part in _spread(parts, PARTS) if part.data.bytes <= BYTES]
    for part in near:
        try:
            with table(site, part.data) as file:
                here = [name for name in columns if name in file.schema_arrow.names]
                read = file.read_row_groups(_groups(file, ROWS // len(near)), columns=here)
        except (DataError, ObjectMissing):
            continue
        for name in here:
            found.setdefault(name, []).extend(read.column(name).chunks)
    kept = {name: [one for one in chunks if one.type == chunks[0].type] for name, chunks in found.items() if chunks}
    return {name: pa.chunked_array(chunks) for name, chunks in kept.items()}


def _groups(file: Any, rows: int) -> list[int]:
    """Stretches of rows that were written together, spread evenly, together about so many rows."""
    count = file.metadata.num_row_groups
    each = max(1, file.metadata.num_rows // max(count, 1))
    return list(_spread(range(count), max(1, rows // each)))


def _spread(things: Sequence[Any], most: int) -> Iterator[Any]:
    """So many of them, from the first to the last."""
    if len(things) <= most:
        yield from things
    elif most == 1:
        yield things[-1]
    else:
        yield from (things[place * (len(things) - 1) // (most - 1)] for place in range(most))


def _pair(before: Any, now: Any) -> Pair | None:
    from pyarrow import types

    kinds = [column.type for column in (before, now)]
    if any(types.is_temporal(kind) or types.is_nested(kind) or types.is_binary(kind) for kind in kinds):
        return None
    if all(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) for kind in kinds):
        return _of_numbers(before, now)
    return _of_names(before, now)


def _of_numbers(before: Any, now: Any) -> Pair | None:
    import numpy as np

    columns = [column.cast("float64").to_numpy(zero_copy_only=False) for column in (before, now)]
    present = [values[np.isfinite(values)] for values in columns]
    together = np.concatenate(present)
    if not len(together):
        return None
    few = np.unique(together)
    if len(few) <= CATEGORIES:
        labels = [number(value) for value in few.tolist()]
        counts = [[int((values == value).sum()) for value in few] for values in present]
        return _labelled(labels, counts, [len(values) for values in columns])
    low, high = (float(np.quantile(together, share)) for share in (EDGE, 1.0 - EDGE))
    edges = np.linspace(low, high, BINS - 1) if low < high else np.unique([low, high])
    inner = [f"{number(one)} – {number(other)}" for one, other in pairwise(edges.tolist())]
    labels = [f"< {number(float(edges[0]))}", *inner, f"≥ {number(float(edges[-1]))}"]
    codes = [np.searchsorted(edges, values, side="right") for values in present]
    counts = [np.bincount(code, minlength=len(labels)).tolist() for code in codes]
    return _labelled(labels, counts, [len(values) for values in columns])


def _of_names(before: Any, now: Any) -> Pair | None:
    tallies = [_tally(column) for column in (before, now)]
    rows = [len(before), len(now)]
    if not all(rows) or not any(tallies):
        return None
    weight: Counter[str] = Counter()
    for tally, count in zip(tallies, rows, strict=True):
        weight.update({name: held / count for name, held in tally.items()})
    first = [name for name, _ in weight.most_common(CATEGORIES)]
    counts = [[tally[name] for name in first] for tally in tallies]
    rest = [sum(tally.values()) - sum(held) for tally, held in zip(tallies, counts, strict=True)]
    if any(rest):
        return _labelled([*first, "others"], [[*held, left] for held, left in zip(counts, rest, strict=True)], rows)
    return _labelled(first, counts, rows)


def _tally(column: Any) -> Counter[str]:
    """How often each value is there, by its name."""
    held: Counter[str] = Counter()
    for one in column.value_counts().to_pylist():
        if one["values"] is not None:
            held[str(one["values"])] += one["counts"]
    return held


def _labelled(labels: list[str], counts: list[list[int]], rows: list[int]) -> Pair | None:
    """Both as shares; a bin for missing values where there are any."""
    missing = [count - sum(held) for held, count in zip(counts, rows, strict=True)]
    if not all(rows):
        return None
    if any(missing):
        labels, counts = [*labels, "missing"], [[*held, one] for held, one in zip(counts, missing, strict=True)]
    shares = [tuple(one / count for one in held) for held, count in zip(counts, rows, strict=True)]
    return Bars(labels=tuple(labels), shares=shares[0]), Bars(labels=tuple(labels), shares=shares[1])
