"""One spelling for a class, whatever type it came in."""

from __future__ import annotations

from typing import Any


def spell(label: Any) -> str:
    """One spelling for a class, whatever type it came in: ``True``, ``1``, ``1.0`` and ``"true"`` are one class.

    Text that only looks like a number, such as ``"007"``, stays as it is.
    """
    if isinstance(label, str):
        label = _number_or_truth(label)
    if isinstance(label, bool | int):
        return str(int(label))
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else str(label)
    return str(label)


def _number_or_truth(text: str) -> Any:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text:
            return value
    return text
