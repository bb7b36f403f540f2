"""``expectations.json``: a Great Expectations suite with bounds learnt from the data, in GX's own form.

Every expectation carries a note that says what was seen and how much slack was given, so that whoever meets a
broken one at night knows where the bound came from. That no two rows share the key is checked without it.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from retrain.scaffold.profile import Column, Profile

RANGE_SLACK = 0.25
MISSING_SLACK = 0.05
KNOWN = 0.98
Expectation = dict[str, Any]


def suite(name: str, profile: Profile) -> str:
    """The suite's text."""
    expectations = [*_table(profile), *_times(profile)]
    expectations += [one for column in (profile.label, *profile.inputs) for one in _values(column, profile)]
    content = {
        "expectations": expectations,
        "id": _id(name),
        "meta": {"great_expectations_version": version("great-expectations")},
        "name": name,
        "notes": f"Bounds learnt from {profile.rows:,} rows of {profile.start:%d %b %Y} to {profile.newest:%d %b %Y}. "
        "Tighten what you know for sure; each note says how much slack a bound was given.",
    }
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _table(profile: Profile) -> Iterator[Expectation]:
    yield _expect(
        "expect_table_row_count_to_be_between",
        {"min_value": max(1, profile.rows // 4), "max_value": profile.rows * 4},
        f"{profile.rows:,} rows were seen. Slack: a quarter to four times as many; a window may grow or have gaps.",
    )


def _times(profile: Profile) -> Iterator[Expectation]:
    for name in filter(None, (profile.timestamp, profile.entity)):
        yield _expect("expect_column_values_to_not_be_null", {"column": name}, "Needed in every row. No slack.")


def _values(column: Column, profile: Profile) -> Iterator[Expectation]:
    yield _present(column)
    if column is profile.label and profile.task != "regression":
        yield _expect(
            "expect_column_values_to_be_in_set",
            {"column": column.name, "value_set": sorted(profile.classes, key=str)},
            f"The {len(profile.classes)} classes that were seen. No slack: a new class needs a new model.",
        )
    elif column.kind == "number":
        yield from _numbers(column)
    elif column.kind == "text" and column.distinct == len(column.values):
        yield _expect(
            "expect_column_values_to_be_in_set",
            {"column": column.name, "value_set": list(column.values), "mostly": KNOWN},
            f"The {column.distinct} values that were seen. Slack: {1 - KNOWN:.0%} of rows may hold a new one.",
        )


def _present(column: Column) -> Expectation:
    if column.missing == 0:
        note = "No value was missing. Slack: 1 % of rows."
        return _expect("expect_column_values_to_not_be_null", {"column": column.name, "mostly": 0.99}, note)
    least = max(0.0, math.floor((1 - column.missing - MISSING_SLACK) * 1000) / 1000)
    note = f"{column.missing:.1%} of the values were missing. Slack: {MISSING_SLACK:.0%} of rows more."
    return _expect("expect_column_values_to_not_be_null", {"column": column.name, "mostly": least}, note)


def _numbers(column: Column) -> Iterator[Expectation]:
    slack = (column.high - column.low) * RANGE_SLACK
    low, high = _rounded(column.low - slack, math.floor), _rounded(column.high + slack, math.ceil)
    sign = ""
    if column.low >= 0 > low:
        low, sign = 0.0, ", but not below 0: no value was"
    seen = f"{_short(column.low)} to {_short(column.high)}"
    yield _expect(
        "expect_column_values_to_be_between",
        {"column": column.name, "min_value": low, "max_value": high, "mostly": 0.999},
        f"{seen} was seen. Slack: {RANGE_SLACK:.0%} of that range on either side{sign}; 0.1 % of rows may lie outside.",
    )
    yield _expect(
        "expect_column_mean_to_be_between",
        {
            "column": column.name,
            "min_value": _rounded(column.mean - column.sd, math.floor),
            "max_value": _rounded(column.mean + column.sd, math.ceil),
        },
        f"The mean was {_short(column.mean)}. Slack: one standard deviation ({_short(column.sd)}) on either side; "
        "a change of unit goes further.",
    )


def _expect(kind: str, kwargs: dict[str, Any], notes: str) -> Expectation:
    identity = _id(kind, json.dumps(kwargs, sort_keys=True, default=str))
    return {"id": identity, "kwargs": kwargs, "meta": {}, "notes": notes, "severity": "critical", "type": kind}


def _id(*parts: str) -> str:
    """GX names everything by a UUID; ours follows from the content, so the same data give the same file."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("retrain", *parts))))


def _rounded(value: float, direction: Any) -> float:
    """Three significant digits, away from the data."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    scale = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return float(f"{direction(value / scale) * scale:.12g}")


def _short(value: float) -> str:
    return f"{value:.4g}"
