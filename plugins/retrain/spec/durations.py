"""Durations as people write them: ``90s``, ``30m``, ``12h``, ``14d``, ``4w``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
PATTERN = r"^\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*$"


def parse(value: object) -> timedelta:
    """Read a duration. Raises ValueError with an example if it is not one."""
    if isinstance(value, timedelta):
        return value
    found = re.match(PATTERN, value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a duration such as 90s, 30m, 12h, 14d or 4w")
    return timedelta(seconds=float(found[1]) * UNITS[found[2]])


def spell(value: timedelta) -> str:
    """Write a duration with the largest unit that divides it."""
    seconds = value.total_seconds()
    for unit, size in sorted(UNITS.items(), key=lambda pair: -pair[1]):
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse),
    PlainSerializer(spell, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["90s", "12h", "14d"]}),
]
