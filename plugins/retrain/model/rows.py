"""JSON rows as the raw frames a feature function knows from training, and frames as JSON rows.

It travels inside every model beside :mod:`retrain.model.model`, and so imports the standard library, numpy and pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd

try:
    from retrain.errors import ModelError
except ImportError:  # inside a model, served where this package is not installed

    class ModelError(Exception):  # type: ignore[no-redef]
        """A model cannot be loaded or asked."""

        def __init__(self, what: str, *, where: object = None, do: str = "") -> None:
            super().__init__(" ".join([what] + [f"Where: {where}."] * bool(where) + [do] * bool(do)))


__all__ = ["TEXT", "ModelError", "Record", "column_of", "dtype_of", "frame_of", "records_of"]

Record = Mapping[str, Any]
Column = Callable[[str, list[Any]], Any]
# A number below the limit is an epoch in that unit: seconds until the year 5138, then milliseconds …
EPOCHS: dict[Any, float] = {"s": 1e11, "ms": 1e14, "us": 1e17}
# A column of text, named "str". pandas 3 makes it by itself; pandas 2 has it too, but takes `object` where nobody asks,
# and turns a missing value into the text "nan" when asked by name.
TEXT = pd.StringDtype(na_value=np.nan)


def frame_of(records: Sequence[Record], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """JSON rows as a frame with the given columns and dtypes.

    Missing keys, nulls and NaN are missing values; keys that are no column are ignored. Values are converted where
    the meaning is plain (``"12"`` for a number, ``1`` for a boolean, ISO 8601 text or an epoch for a timestamp). An
    integer or boolean column with missing values becomes float64 or object, as pandas itself does.

    :param dtypes: column → dtype, as pandas names it.
    :raises ModelError: for a value that cannot be what its column holds; it names row and column.
    """
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise ModelError(f"Row {row} is {_show(record)}, not a JSON object of column names and values.")
    columns = {name: column_of(name, [r.get(name) for r in records], dtype) for name, dtype in dtypes.items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(records)), copy=False)


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as JSON-able dicts; the inverse of :func:`frame_of`. Missing values become None."""
    columns = {str(name): [_plain(value) for value in frame[name].tolist()] for name in frame.columns}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def dtype_of(name: str) -> Any:
    """What a dtype's name means: the same in every pandas."""
    return TEXT if name == "str" else name


def column_of(name: str, values: list[Any], dtype: str) -> Any:
    """JSON values as a column of the given dtype; ``name`` is for the error. Raises :class:`ModelError`."""
    return _maker(dtype)(name, values)


@lru_cache(maxsize=256)
def _maker(dtype: str) -> Column:
    """How a column of this dtype is made of JSON values."""
    name = dtype.lower()
    if name.startswith("float"):
        return partial(_floats, dtype=dtype)
    if name.startswith(("int", "uint")):
        return partial(_integers, dtype=dtype)
    if name.startswith("bool"):
        return partial(_booleans, dtype=dtype)
    if name.startswith("datetime64"):
        return partial(_timestamps, dtype=dtype)
    if name.startswith(("str", "category")):
        return partial(_texts, dtype="str" if name == "category" else dtype)
    if name == "object":
        return _objects
    raise ModelError(
        f"A raw input of dtype '{dtype}' cannot come as JSON.",
        do="turn that column into numbers, booleans, text or timestamps at the source, then retrain.",
    )


def _floats(name: str, values: list[Any], dtype: str) -> Any:
    try:
        column = np.array(values, dtype=np.float64)  # None becomes NaN, "1.5" becomes 1.5
    except (TypeError, ValueError, OverflowError):
        column = np.array([_number(name, row, value) for row, value in enumerate(values)], dtype=np.float64)
    if column.ndim != 1:
        raise _impossible(name, 0, values[0], "a number")
    return column if dtype == "float64" else _array(column, dtype)


def _integers(name: str, values: list[Any], dtype: str) -> Any:
    whole = [_whole(name, row, value) for row, value in enumerate(values)]
    nullable = dtype[0].isupper()
    if all(isinstance(value, int) or (nullable and value is None) for value in whole):
        with suppress(OverflowError, TypeError):  # beyond the dtype's range; of pandas' own dtypes it is a TypeError
            return _array(whole, dtype) if nullable else np.array(whole, dtype=dtype)
    return _floats(name, whole, "float64")


def _booleans(name: str, values: list[Any], dtype: str) -> Any:
    truth = [_boolean(name, row, value) for row, value in enumerate(values)]
    if dtype == "bool" and None in truth:
        return _objects(name, truth)
    return np.array(truth, dtype=bool) if dtype == "bool" else _array(truth, dtype)


def _texts(name: str, values: list[Any], dtype: str) -> Any:
    return _array([_text(name, row, value) for row, value in enumerate(values)], dtype)


def _objects(_name: str, values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = [None if _missing(value) else value for value in values]
    return pd.Series(column, dtype=object)  # as an array, its strings would become dtype str


def _array(values: Any, dtype: str) -> Any:
    return pd.array(values, dtype=dtype_of(dtype))


def _timestamps(name: str, values: list[Any], dtype: str) -> Any:
    unit, _, zone = dtype[len("datetime64[") : -1].partition(", ")
    moments = [_timestamp(name, row, value, unit) for row, value in enumerate(values)]
    index = pd.DatetimeIndex(np.array(moments, dtype=f"datetime64[{unit}]"))
    return index.tz_localize("UTC").tz_convert(zone) if zone else index


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _number(name: str, row: int, value: Any) -> float:
    if _missing(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise _impossible(name, row, value, "a number") from None


def _whole(name: str, row: int, value: Any) -> int | float | None:
    """An int where the value is a whole number, a float where it is another number, None where it is missing."""
    if _missing(value):
        return None
    if isinstance(value, int | np.integer | np.bool_):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    number = _number(name, row, value)
    return int(number) if number.is_integer() else number


def _boolean(name: str, row: int, value: Any) -> bool | None:
    if _missing(value):
        return None
    known = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}
    key = value.strip().lower() if isinstance(value, str) else value
    try:
        return known[key]
    except (KeyError, TypeError):
        raise _impossible(name, row, value, "true or false") from None


def _text(name: str, row: int, value: Any) -> str | None:
    if _missing(value):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return str(value)
    raise _impossible(name, row, value, "text")


def _timestamp(name: str, row: int, value: Any, unit: Any) -> np.datetime64:
    """A moment in UTC. Text is ISO 8601; without a zone it is UTC. A number is an epoch in s, ms, µs or ns by size."""
    if _missing(value):
        return np.datetime64("NaT", "s")
    try:
        moment = _moment(value)
        if moment.tzinfo is not None:
            moment = moment.tz_convert("UTC").tz_localize(None)
        return moment.as_unit(unit).to_datetime64()
    except (TypeError, ValueError, OverflowError):
        raise _impossible(name, row, value, "a timestamp, e.g. 2013-04-01T17:05:00Z or an epoch") from None


def _moment(value: Any) -> pd.Timestamp:
    if isinstance(value, str):
        datetime.fromisoformat(value)  # refuses what pandas would complete with today's date
        return pd.Timestamp(value)
    if isinstance(value, int | float | np.integer) and not isinstance(value, bool):
        unit = next((unit for unit, limit in EPOCHS.items() if abs(float(value)) < limit), "ns")
        return pd.Timestamp(value, unit=unit)
    if isinstance(value, date | np.datetime64):  # datetimes and pandas' timestamps are dates too
        return pd.Timestamp(value)
    raise TypeError


def _plain(value: Any) -> Any:
    """One cell as a JSON value."""
    if _missing(value):
        return None
    if isinstance(value, pd.Timestamp | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, np.generic):
        return value.item()
    return value


def _impossible(name: str, row: int, value: Any, expected: str) -> ModelError:
    return ModelError(
        f"Column '{name}' of row {row} is {_show(value)}, but should be {expected}.",
        do="correct the request; send null where the value is not known.",
    )


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
