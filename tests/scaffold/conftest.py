"""Data nobody prepared: hourly with gaps, text columns, odd dates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def odd_frame() -> Callable[..., pd.DataFrame]:
    """Two weeks of hours at a small power station, with gaps, a row number, an id, a constant, and holes."""

    def make(days: int = 14, label: str = "load kW", start: str = "2024-04-01") -> pd.DataFrame:
        random = np.random.default_rng(0)
        hours = pd.date_range(start, periods=days * 24, freq="h")
        kept = random.random(len(hours)) > 0.08
        kept[100:110] = False
        hours = hours[kept]
        count = len(hours)
        sky = random.choice(["clear", "clouds", "rain, heavy"], count, p=[0.5, 0.35, 0.15])
        warmth = 10 + 8 * np.sin((hours.hour - 9) / 24 * 2 * np.pi) + random.normal(0, 6, count)
        day = hours.hour.isin(range(7, 22))
        load = 200 + 40 * day - 4 * warmth + 60 * (sky == "clouds") + random.normal(0, 5, count)
        frame = pd.DataFrame(
            {
                "": range(count),
                "When": hours,
                "Sky today": sky,
                "temp (C)": warmth.round(1),
                "weekend": np.where(hours.day_of_week >= 5, "yes", "no"),
                "open": np.where(day, "true", "false"),
                "meter": "M-17",
                "ticket": [f"T{number:05d}-{random.integers(10**6)}" for number in range(count)],
            }
        )
        frame["load kW"] = load.round(2)
        if label == "level":
            frame = frame.assign(level=np.where(load > np.median(load), "high", "low")).drop(columns="load kW")
        frame.loc[random.random(count) < 0.05, "temp (C)"] = np.nan
        frame.loc[random.random(count) < 0.05, "open"] = None
        return frame

    return make


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a frame as a CSV of some dialect."""

    def write(frame: pd.DataFrame, name: str = "data.csv", form: str | None = None, sep: str = ",") -> Path:
        if form is not None:
            frame = frame.assign(When=frame["When"].dt.strftime(form))
        frame.to_csv(tmp_path / name, sep=sep, index=False)
        return tmp_path / name

    return write
