"""Waiting for something to become so: look, pause, look again, until patience ends."""

from __future__ import annotations

import time
from collections.abc import Iterator


def looks(patience: float, *, pause: float = 0.1) -> Iterator[int]:
    """Count looks at something, one every ``pause`` seconds, until ``patience`` seconds are over."""
    deadline, count = time.monotonic() + patience, 0
    while time.monotonic() < deadline:
        yield count
        count += 1
        time.sleep(pause)
