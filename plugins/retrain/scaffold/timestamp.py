"""Which strptime format a column of dates was written in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any

from retrain.errors import DataError
from retrain.scaffold.examples import examples

if TYPE_CHECKING:
    from pandas import Series

DATES = (
    "%d.%m.%Y", "%d.%m.%y", "%Y.%m.%d", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y",
    "%m-%d-%Y", "%m.%d.%Y", "%d/%m/%y", "%m/%d/%y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d %b %Y",
    "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%d. %B %Y", "%d. %b %Y", "%d/%b/%Y", "%d%b%Y", "%Y-%b-%d",
)  # fmt: skip
TIMES = (
    "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I %p", "%I%p", "%H.%M", "%H.%M.%S",
    "%Hh%M", "%H%M", "%H%M%S", "%H",
)  # fmt: skip
BETWEEN = (" ", "T", ", ", ":", "-", " at ", "")
WEEKDAYS = ("", "%a, ", "%a ", "%A, ", "%A ")
ZONES = ("", "%z", " %z")
SAMPLE = 5
UNREAD = "unconverted data remains: "  # how strptime says that a format ended before the text did


@dataclass(frozen=True)
class Format:
    """How a column's moments are written.

    :param form: the strptime format; None where it needs none (ISO 8601, or a column of real timestamps).
    :param note: what the reader should know of the choice.
    """

    form: str | None
    note: str = ""


def detect(column: Series[Any], name: str, file: str) -> Format:
    """Find the one format that reads every value of a column.

    Where day-first and month-first both read all of them, the data decide: rows lie close together, so the reading
    with the shorter span is meant.

    :raises DataError: no format reads all values; shows those that the best one does not read.
    """
    import pandas as pd

    values = column.dropna()
    if values.empty:
        raise DataError(f"Column '{name}' holds no timestamp at all.", where=file, do="name another with --timestamp.")
    if len(values) < len(column):
        raise DataError(
            f"{len(column) - len(values):,} of {len(column):,} rows have no timestamp in '{name}'.",
            where=file,
            do="remove these rows or fill them in.",
        )
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return Format(None)
    text = values.astype("str")
    if pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).notna().all():
        return Format(None)
    forms = list(_forms(text.drop_duplicates().head(SAMPLE).tolist()))
    spans = {form: span for form in forms if (span := _span(text, form)) is not None}
    if not spans:
        raise _unreadable(text, forms, name, file)
    best = min(spans, key=lambda form: ("%z" in form, spans[form]))  # -0700 after a date is a clock, not a zone
    return Format(best, _note(best, spans, text, name))


def _forms(samples: list[str]) -> Iterator[str]:
    """Every format that reads all of a few values: a date, and a time of day for what it leaves unread."""
    clocks = ["", *(between + time for between, time in product(BETWEEN, TIMES))]
    for day in map("".join, product(WEEKDAYS, DATES)):
        rest = _rest(day, samples[0])
        if rest is None:
            continue
        for clock in map("".join, product(clocks, ZONES)):
            if _reads(clock, rest) and all(_reads(day + clock, sample) for sample in samples):
                yield day + clock


def _rest(form: str, text: str) -> str | None:
    """What a format leaves unread of a text that begins as it says; None if the text does not."""
    try:
        datetime.strptime(text, form)
    except ValueError as error:
        _, found, rest = str(error).partition(UNREAD)
        return rest if found else None
    return ""


def _reads(form: str, text: str) -> bool:
    return _rest(form, text) == ""


def _span(text: Series[Any], form: str) -> float | None:
    """The seconds from the first to the last moment, as this format reads them; None if it does not read all."""
    import pandas as pd

    moments = pd.to_datetime(text, format=form, errors="coerce", utc=True)
    if moments.isna().any():
        return None
    return float((moments.max() - moments.min()).total_seconds())


def _note(best: str, spans: dict[str, float], text: Series[Any], name: str) -> str:
    import pandas as pd

    sample = str(text.iloc[0])
    moment = pd.to_datetime(sample, format=best, utc=True)
    note = f"`{name}` is read as {best}: '{sample}' is {moment:%d %B %Y %H:%M}."
    others = {_moment(sample, form) for form in spans if form != best} - {_moment(sample, best)}
    if others:
        note += " Its days and months could be swapped; this reading puts the rows closest together. If it is wrong, "
        note += "give --timestamp-format."
    return note


def _moment(sample: str, form: str) -> datetime:
    return datetime.strptime(sample, form)


def _unreadable(text: Series[Any], forms: list[str], name: str, file: str) -> DataError:
    import pandas as pd

    if not forms:
        return DataError(
            f"The timestamps in '{name}' are in no known format, e.g. {examples(text)}.",
            where=file,
            do="give their strptime format with --timestamp-format, e.g. '%d.%m.%Y %H:%M'; "
            "turn seconds since 1970 into ISO 8601 first.",
        )
    unread = {form: text[pd.to_datetime(text, format=form, errors="coerce", utc=True).isna()] for form in forms}
    form = min(forms, key=lambda form: len(unread[form]))
    return DataError(
        f"{len(unread[form]):,} of {len(text):,} timestamps in '{name}' are not written like the others "
        f"({form}), e.g. {examples(unread[form])}.",
        where=file,
        do="write all of them in one format, ISO 8601 best (2024-04-13T07:00:00Z).",
    )
