"""Whatever callers may send."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from retrain.serving.invocation import Refused

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["inputs", "columns", "data"]), inner),
)
BODIES = st.binary() | JSON.map(lambda value: json.dumps(value, allow_nan=True).encode())


def read_or_refused(read: Callable[[], Any]) -> bool:
    """It must be read, or refused as the caller's mistake in JSON; anything else is raised."""
    try:
        return bool(read())
    except Refused as refused:
        return refused.status == 400 and bool(json.loads(refused.to_json())["error"])
