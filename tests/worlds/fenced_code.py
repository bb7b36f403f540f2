"""The code in our documents."""

from __future__ import annotations

import re
from pathlib import Path

FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fenced(file: Path) -> list[tuple[str, str, str]]:
    """Every fenced block: its language, the file it is named after, and what stands in it."""
    return FENCE.findall(file.read_text(encoding="utf-8"))


def blocks(file: Path) -> list[tuple[str, str]]:
    """The Python blocks that are named after a file, and what stands in them."""
    return [(name, code) for language, name, code in fenced(file) if language == "python" and name]
