"""The task: what kind of label there is."""

from __future__ import annotations

from typing import Literal

Task = Literal["binary", "multiclass", "regression"]
