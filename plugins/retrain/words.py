"""Durations, numbers, shares and moments as every surface says them. The pages' ``words.ts`` says the same.

Halves are rounded away from zero, as JavaScript does. ``tests/golden/words.json`` holds both to the same words.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import pairwise
from math import floor, isfinite

DIGITS = 4
"""Of a number that is no count."""

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_ROUNDED = Context(prec=DIGITS, rounding=ROUND_HALF_UP)


def duration(seconds: float) -> str:
    """``3 d 4 h``, ``4 min 10 s``, ``12 s``, ``0.8 s``: two units at most, and no second one that is zero."""
    if not isfinite(seconds):
        return number(seconds)
    if seconds < 0:
        return f"-{duration(-seconds)}"
    tenths = _half_up(seconds * 10)
    if tenths < 100:
        return "< 0.1 s" if tenths == 0 and seconds else f"{tenths / 10:g} s"
    for (unit, size), (smaller, step) in pairwise(_UNITS):
        parts = _half_up(seconds / step)
        if parts * step >= size:
            whole, rest = divmod(parts * step, size)
            return f"{whole:,} {unit}" + (f" {rest // step} {smaller}" if rest else "")
    return f"{_half_up(seconds)} s"


def number(value: float) -> str:
    """Four digits that count, whole numbers whole: ``1,234,567``, ``12.35``, ``0.1234``, ``1.2e-05``."""
    if not isfinite(value):
        return "not a number" if value != value else "∞" if value > 0 else "-∞"
    size = abs(value)
    if size >= 1e15:
        return _scientific(value)
    if size == int(size) or size >= 999.95:
        return f"{_half_up(size) * (-1 if value < 0 else 1):,}"
    if size < 1e-4:
        return _scientific(value)
    return _plain(_ROUNDED.create_decimal_from_float(value))


def share(value: float) -> str:
    """A part of one in per cent: ``12.5 %``. What is a little, or nearly all, is not said to be nothing, or all."""
    if not isfinite(value):
        return number(value)
    thousandths = _half_up(abs(value) * 1000)
    if 0 < value < 1 and thousandths in {0, 1000}:
        return "> 99.9 %" if thousandths else "< 0.1 %"
    said = f"{thousandths / 10:,.1f}".removesuffix(".0")
    return f"{'-' if value < 0 and thousandths else ''}{said} %"


def moment(at: datetime) -> str:
    """``2026-11-21 03:00 UTC``, for a reader whose zone is not known."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def second(at: datetime) -> str:
    """``2026-11-21 03:00:12 UTC``: a moment that others may lie near."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _half_up(value: float) -> int:
    return floor(value + 0.5)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scientific(value: float) -> str:
    exact = _ROUNDED.create_decimal_from_float(value)
    exponent = exact.adjusted()
    return f"{_plain(exact.scaleb(-exponent))}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
