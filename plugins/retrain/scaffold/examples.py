"""A few different values of a column, for a message."""

from __future__ import annotations

from collections.abc import Iterable


def examples(values: Iterable[object], count: int = 3) -> str:
    """The first different ones, as Python writes them."""
    shown = [repr(value) for value in dict.fromkeys(values)]
    return ", ".join(shown[:count]) + (" …" if len(shown) > count else "")
