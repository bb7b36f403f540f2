"""A package that is not ours, installed."""

from __future__ import annotations

from pathlib import Path

import pytest

ACME = Path(__file__).parent / "acme"


@pytest.fixture(autouse=True)
def acme(monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Acme brings can be imported, and its entry points are found."""
    monkeypatch.syspath_prepend(str(ACME))
    return ACME
