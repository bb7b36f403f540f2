"""What the operators' page is made of: a fixed set of files, built from ``web/`` and kept beside this one."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

STATIC = Path(__file__).with_name("static")
SCRIPT = "retrain.js"
TYPES = {
    SCRIPT: "text/javascript",
    "retrain.svg": "image/svg+xml",
    "retrain-dark.svg": "image/svg+xml",
}
"""Name → media type. Nothing else is ever served."""


@cache
def content(name: str) -> bytes:
    """A file's bytes.

    :raises KeyError: ``name`` is none of :data:`TYPES`.
    """
    if name not in TYPES:
        raise KeyError(name)
    return (STATIC / name).read_bytes()


@cache
def digest(name: str) -> str:
    """What a file's bytes are known by; an address that has it may be kept for ever."""
    return sha256(content(name)).hexdigest()[:16]


def address(name: str) -> str:
    """Where a file is found, below the place where the pages are mounted."""
    return f"static/{name}?v={digest(name)}"
