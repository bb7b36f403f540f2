"""A few different values of a column, for a message."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 3


def examples(values: Iterable[object]) -> str:
    """The first different ones, as Python writes them."""
    shown = [repr(value) for value in dict.fromkeys(values)]
    return ", ".join(shown[:SHOWN]) + (" …" if len(shown) > SHOWN else "")
