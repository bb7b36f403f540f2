"""Slices: the groups of held-out rows on which a model must hold its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrain.gates.slices import Slices
from retrain.spec import FILE, Spec
from retrain.spec.yamlfile import YamlFile

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series

HOUR_BAND = "hour_band"
BANDS = ("night 0-6", "morning 6-12", "afternoon 12-18", "evening 18-24")


@dataclass(frozen=True)
class Slice:
    """The rows where ``column`` is ``value``.

    :param rows: their positions.
    """

    column: str
    value: str
    rows: np.ndarray

    @property
    def name(self) -> str:
        """How it is spoken of."""
        return f"{self.column}={self.value}"


def slices(spec: Spec, asked: Slices, raw: DataFrame, times: Series[Any]) -> Iterator[Slice]:
    """Every slice that is asked for, whatever its size; a missing value is a value.

    :param raw: raw inputs of the rows. :param times: of the rows, in UTC; hour bands are in ``source.timezone``.
    :raises SpecError: for a column that is no input.
    """
    for position, column in enumerate(asked.columns):
        if column not in raw:
            key = f"bless.slices.columns.{position}"
            raise YamlFile.read(spec.folder / FILE).error(key, column, f"an input: {', '.join(map(str, raw.columns))}")
        yield from _by_value(column, raw[column])
    if asked.hour_bands:
        yield from _by_value(HOUR_BAND, _bands(times, spec.source.timezone))


def _by_value(column: str, values: Series[Any]) -> Iterator[Slice]:
    import numpy as np

    codes, names = values.factorize(sort=True, use_na_sentinel=True)
    order = np.argsort(codes, kind="stable")
    found, starts = np.unique(codes[order], return_index=True)
    for code, rows in zip(found, np.split(order, starts[1:]), strict=True):
        yield Slice(column, "missing" if code < 0 else str(names[code]), np.sort(rows))


def _bands(times: Series[Any], zone: str) -> Series[Any]:
    bands: Series[Any] = times.dt.tz_convert(zone).dt.hour.floordiv(6).map(dict(enumerate(BANDS)))
    return bands
