"""Python's search for cyclic garbage, put off while entries are read.

Each search walks through all that was read so far and finds nothing: of two hundred ledgers it took more time than
reading them. Only for work that waits for nobody, so that it is soon over.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_readers = 0
_was_on = False


@contextmanager
def put_off() -> Iterator[None]:
    """No search until the last thread that is within this has left."""
    global _readers, _was_on
    with _lock:
        if _readers == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0 and _was_on:
                gc.enable()
