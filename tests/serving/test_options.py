"""The gateway's options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from retrain.errors import UsageError
from retrain.serving.options import Options

Open = Callable[..., Any]
Model = Callable[..., Any]


def test_an_option_that_cannot_be_is_named() -> None:
    with pytest.raises(UsageError, match="RETRAIN_GATEWAY_POLL"):
        Options.load({"RETRAIN_GATEWAY_POLL": "-1"})
    assert Options.load({"RETRAIN_GATEWAY_FSYNC": "always"}).fsync == "always"
