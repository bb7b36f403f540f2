"""Text of others in Markdown of ours."""

from __future__ import annotations


def inert(text: str) -> str:
    """Text that stays in its line and its table cell, and is no HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
