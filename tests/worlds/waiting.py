"""Waiting for what other threads do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_for(true: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Wait until something is true, and return it; fail after some seconds."""
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.005)
    return found
