"""Real models' folders, as the train stage writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrain.model import packaging
from retrain.model.model import Signature
from retrain.modelling.fitting import pickled

FEATURES = """
import pandas as pd

def build(frame):
    return pd.DataFrame({"x": frame["x"] * SCALE, "red": (frame["colour"] == "red").astype(float)}, index=frame.index)

SCALE = 1.0
"""
INPUTS = {"x": "float64", "colour": "str"}


def write_model(
    folder: Path,
    estimator: Any,
    *,
    task: str = "binary",
    classes: tuple[Any, ...] = (False, True),
    code: str = FEATURES,
) -> Path:
    """A model's folder, as the train stage writes it."""
    source = folder.with_suffix(".py")
    source.write_text(code)
    signature = Signature(task, "build", INPUTS, ("x", "red"), classes, "brier")
    environment = packaging.environment("sklearn.linear_model.Ridge")
    packaging.write_model(folder, pickled(estimator), signature, source, environment)
    return folder


@pytest.fixture(scope="session")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Features x and red, and a class that follows x."""
    random = np.random.default_rng(0)
    x = random.normal(size=400)
    return np.column_stack([x, random.integers(0, 2, 400)]), (x > 0).astype(int)


@pytest.fixture
def binary(tmp_path: Path, data: Any) -> Path:
    """A binary model's folder."""
    from sklearn.linear_model import LogisticRegression

    return write_model(tmp_path / "binary", LogisticRegression().fit(*data))
