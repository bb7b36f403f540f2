"""The format of a column of dates, found from the data."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.errors import DataError
from retrain.model.rows import TEXT
from retrain.scaffold.timestamp import DATES, TIMES, detect

HOURS = pd.Series(pd.date_range("2024-04-01", periods=24 * 20, freq="h"))


@pytest.mark.parametrize(
    "form",
    [
        "%d.%m.%Y %H:%M",
        "%b %d, %Y %I %p",
        "%m/%d/%Y %I:%M %p",
        "%d/%m/%Y %H:%M:%S",
        "%A, %d %B %Y %H:%M",
        "%Y%m%d%H%M%S",
        "%Y%m%d-%H%M",
        "%d-%b-%y %H.%M",
        "%d/%b/%Y:%H:%M:%S",
        "%m-%d-%Y %H:%M",
        "%d.%m.%y, %H:%M",
    ],
)
def test_it_reads_every_row_as_it_was_written(form: str) -> None:
    text = HOURS.dt.strftime(form)
    found = detect(text, "when", "f.csv")
    assert found.form is not None
    assert (pd.to_datetime(text, format=found.form) == HOURS).all()
    assert found.form in found.note


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%Y-%m-%d"])
def test_iso_needs_no_format(form: str) -> None:
    assert detect(HOURS.dt.strftime(form), "when", "f.csv").form is None


def test_real_timestamps_need_none() -> None:
    assert detect(HOURS, "when", "f.parquet").form is None


def test_zones_are_part_of_the_format() -> None:
    text = HOURS.dt.tz_localize("Europe/Berlin").dt.strftime("%d.%m.%Y %H:%M %z")
    assert detect(text, "when", "f.csv").form == "%d.%m.%Y %H:%M %z"


@pytest.mark.parametrize(("form", "other"), [("%d/%m/%Y", "%m/%d/%Y"), ("%m/%d/%Y", "%d/%m/%Y")])
def test_day_or_month_first_is_what_puts_the_rows_close_together(form: str, other: str) -> None:
    text = pd.Series(pd.date_range("2024-04-01", periods=10)).dt.strftime(form)
    assert pd.to_datetime(text, format=other, errors="coerce").notna().all(), "both read every row"
    found = detect(text, "when", "f.csv")
    assert found.form == form
    assert "--timestamp-format" in found.note


def test_rows_that_are_written_otherwise_are_shown() -> None:
    text = pd.Series([*HOURS.dt.strftime("%d.%m.%Y %H:%M"), "yesterday", "2024-04-13"])
    with pytest.raises(DataError, match=r"2 of 482 .*%d\.%m\.%Y %H:%M.*'yesterday', '2024-04-13'"):
        detect(text, "when", "f.csv")


def test_dates_in_no_known_format_are_shown() -> None:
    with pytest.raises(DataError, match="13th of April") as caught:
        detect(pd.Series(["the 13th of April", "the 14th of April"]), "when", "f.csv")
    assert "--timestamp-format" in str(caught.value)


def test_missing_timestamps_are_counted() -> None:
    with pytest.raises(DataError, match="1 of 3 rows have no timestamp"):
        detect(pd.Series(["2024-01-01", None, "2024-01-02"]), "when", "f.csv")
    with pytest.raises(DataError, match="no timestamp at all"):
        detect(pd.Series([None, None], dtype=TEXT), "when", "f.csv")


MOMENTS = st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2060, 1, 1)), min_size=1, max_size=5)


@given(MOMENTS, st.sampled_from(DATES), st.sampled_from(TIMES))
def test_whatever_it_finds_reads_every_value(moments: list[datetime], date: str, time: str) -> None:
    text = pd.Series([moment.strftime(f"{date} {time}") for moment in moments])
    found = detect(text, "when", "f.csv")
    form = found.form or "ISO8601"
    assert pd.to_datetime(text, format=form, errors="coerce", utc=True).notna().all()
