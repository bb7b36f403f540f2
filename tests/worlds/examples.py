"""How many examples a property is tried with, where one example costs more than a few milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings


def fewer(of_hundred: int) -> Callable[[Any], Any]:
    """So many examples for every hundred of the profile's (see ``tests/conftest.py``), so that the long one is longer.

    :param of_hundred: out of every hundred examples of another property.
    """
    return settings(max_examples=max(1, settings.default.max_examples * of_hundred // 100))
