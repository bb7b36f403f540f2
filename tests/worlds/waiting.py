"""Waiting for what other threads do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_for(true: Callable[[], Any], what: str) -> Any:
    """Wait until something is true, and return it; fail after 20 seconds."""
    until = time.monotonic() + 20
    while not (found := true()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.005)
    return found
