"""One way to say things: the cases that the pages' own words are held by, too."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain import words

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "golden/words.json").read_text(encoding="utf-8"))
SAYS: dict[str, Callable[[float], str]] = {
    "duration": words.duration,
    "number": words.number,
    "share": words.share,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['what']} {case['value']}")
def test_it_is_said_in_the_one_way(case: dict[str, Any]) -> None:
    assert SAYS[case["what"]](case["value"]) == case["said"]


@given(st.floats(min_value=0, max_value=1e9))
def test_a_duration_is_said_to_a_tenth_of_itself_in_two_units_at_most(seconds: float) -> None:
    said = words.duration(seconds)
    parts = said.replace(",", "").split()
    sizes = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    if said != "< 0.1 s":
        assert len(parts) in {2, 4}
        told = sum(float(count) * sizes[unit] for count, unit in zip(parts[::2], parts[1::2], strict=True))
        assert abs(told - seconds) <= max(0.05001, seconds * 0.051)


@given(st.floats(min_value=-1e300, max_value=1e300))
def test_a_number_is_said_with_four_digits_or_whole(value: float) -> None:
    told = float(words.number(value).replace(",", ""))
    assert told == value or abs(told - value) <= 0.000501 * abs(value)


def test_a_moment_is_said_in_utc_to_the_minute_or_to_the_second() -> None:
    at = datetime(2026, 11, 21, 5, 0, 12, tzinfo=timezone(timedelta(hours=2)))
    assert (words.moment(at), words.second(at)) == ("2026-11-21 03:00 UTC", "2026-11-21 03:00:12 UTC")


def test_what_is_no_number_is_said_to_be_none() -> None:
    nothing = float("nan")
    assert [words.number(nothing), words.duration(nothing), words.share(nothing)] == ["not a number"] * 3
    assert (words.number(float("inf")), words.duration(-float("inf"))) == ("∞", "-∞")
