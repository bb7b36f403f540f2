"""Source files: Parquet and CSV, read in batches, as little of each as will do.

Parquet is read by column and row group. In a CSV file every value stays text until the rows of all files are
together: only then does it show what a column is made of.
"""

from __future__ import annotations

import bz2
import csv
import difflib
import gzip
import json
import lzma
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from retrain.artifacts import now
from retrain.errors import DataError, SourceError
from retrain.spec import Source, Spec

if TYPE_CHECKING:
    from pandas import DataFrame

PARQUET = b"PAR1"
TEXT_FILES = {".csv": None, ".tsv": "\t", ".txt": None}
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
BATCH = 200_000
DAY = timedelta(days=1)
TRUTH = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


@dataclass(frozen=True)
class Window:
    """A stretch of event time, half open."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%d %H:%M} UTC, {self.end:%Y-%m-%d %H:%M} UTC)"


def is_text(file: Path) -> bool:
    """Is this CSV? Parquet is known by its first bytes, CSV by its name.

    :raises SourceError: it is neither.
    """
    with file.open("rb") as stream:
        start = stream.read(len(PARQUET))
    if start == PARQUET:
        return False
    if _unpacked(file).suffix.lower() in TEXT_FILES:
        return True
    kind = "Parquet" if file.suffix.lower() in {".parquet", ".pq"} else "Parquet, nor is it named .csv or .tsv"
    raise _unreadable(file, f"is not {kind}: {f'it begins with {start!r}' if start else 'it is empty'}")


def batches(file: Path, spec: Spec, window: Window) -> Iterator[Any]:
    """Arrow tables of a file's rows, the first one empty; rows far from the window may be left out.

    :raises SourceError: the file is neither Parquet nor CSV, or not whole.
    :raises DataError: a column is missing, or a name stands twice.
    """
    return (_plain(table) for table in (_of_csv(file, spec) if is_text(file) else _of_parquet(file, spec, window)))


def joined(texts: list[Any], tables: list[Any], timestamp: str) -> DataFrame:
    """The rows of all files in one frame; a column that only some files have is null in the others.

    :param texts: tables out of CSV files, all of text but for the timestamp.
    :param tables: tables out of Parquet files.
    :raises DataError: a column is text here and numbers there.
    """
    import pyarrow as pa

    if texts:
        tables = [*tables, _typed(pa.concat_tables(texts, promote_options="default").to_pandas(), timestamp)]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise DataError(
            f"The source files do not fit together: {error}.",
            do="have all files written with the same column types.",
        ) from error
    known = [field.with_type(pa.float64()) if pa.types.is_null(field.type) else field for field in table.schema]
    return cast("DataFrame", table.cast(pa.schema(known)).to_pandas())


# -- Parquet ---------------------------------------------------------------------------------------------------


def _of_parquet(file: Path, spec: Spec, window: Window) -> Iterator[Any]:
    """The rows that may lie in the window, or are wrong; row groups of other times are not read."""
    import pyarrow as pa
    from pyarrow import dataset

    try:
        rows = dataset.dataset(file, format="parquet")
        columns = _chosen(spec, rows.schema.names, file)
        near = _near(spec.source.timestamp, rows.schema.field(spec.source.timestamp).type, window)
        yield rows.schema.empty_table().select(columns)
        for batch in rows.to_batches(columns=columns, filter=near, batch_size=BATCH):
            yield pa.Table.from_batches([batch])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError) as error:
        raise _unreadable(file, f"is not whole Parquet: {_brief(error)}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _unreadable(file, f"is not whole Parquet: {_brief(error)}") from error


def _near(column: str, kind: Any, window: Window) -> Any:
    """A filter for the window and a day around it, for zones; and for rows whose timestamp is wrong."""
    import pyarrow as pa
    from pyarrow import dataset

    if not pa.types.is_timestamp(kind):
        return None

    def scalar(moment: datetime) -> Any:
        moment = moment.replace(microsecond=0)
        return pa.scalar(moment if kind.tz else moment.replace(tzinfo=None), type=kind)

    when = dataset.field(column)
    around = (when >= scalar(window.start - DAY)) & (when < scalar(window.end + DAY))
    return around | (when > scalar(now() - DAY)) | when.is_null()


def _plain(table: Any) -> Any:
    """A table without the types that pandas and JSON have no equal for: codes become their values, dates moments."""
    import pyarrow as pa
    from pyarrow import types

    def plain(kind: Any) -> Any:
        if types.is_dictionary(kind):
            return plain(kind.value_type)
        if types.is_date(kind):
            return pa.timestamp("us")
        if types.is_timestamp(kind):
            return pa.timestamp("us", kind.tz)
        if types.is_decimal(kind):
            return pa.float64()
        return pa.string() if types.is_time(kind) else kind

    return table.cast(pa.schema([(field.name, plain(field.type)) for field in table.schema]), safe=False)


# -- CSV -------------------------------------------------------------------------------------------------------


def _of_csv(file: Path, spec: Spec) -> Iterator[Any]:
    """All rows, every value as text."""
    import pandas as pd
    import pyarrow as pa

    try:
        form: dict[str, Any] = {"sep": _separator(file), "index_col": False, "encoding": "utf-8-sig"}
        columns = _chosen(spec, list(pd.read_csv(file, nrows=0, **form).columns), file)
        schema = pa.schema([(name, pa.string()) for name in columns])
        yield schema.empty_table()
        with (
            warnings.catch_warnings(action="error", category=pd.errors.ParserWarning),
            pd.read_csv(file, dtype=str, chunksize=BATCH, **form) as chunks,
        ):
            # `usecols` would hide that a line has more fields than the header.
            for chunk in chunks:
                yield pa.Table.from_pandas(chunk[columns], schema=schema, preserve_index=False)
    except (ValueError, EOFError, lzma.LZMAError, gzip.BadGzipFile, pd.errors.ParserWarning) as error:
        raise _unreadable(file, f"is not whole CSV: {_brief(error)}") from error


def _separator(file: Path) -> str:
    """What separates the columns of a CSV file: of comma, semicolon, tab and bar the one that makes most columns."""
    known = TEXT_FILES[_unpacked(file).suffix.lower()]
    if known:
        return known
    with OPENERS.get(file.suffix, open)(file, "rt", encoding="utf-8-sig", newline="") as stream:
        header = stream.readline(1 << 20)
    return max(",;\t|", key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))


def _unpacked(file: Path) -> Path:
    """The name a file would have without its compression."""
    return file.with_suffix("") if file.suffix in OPENERS else file


def _typed(frame: DataFrame, timestamp: str) -> Any:
    """Text columns as what all their values are: truth values, numbers, or text; all null fits any type."""
    import pandas as pd
    import pyarrow as pa

    def typed(name: str) -> Any:
        column, values = frame[name], frame[name].dropna()
        if name == timestamp:
            return pa.Array.from_pandas(column)
        if values.empty:
            return pa.nulls(len(column))
        if values.isin(TRUTH).all():
            return pa.array([TRUTH.get(value) for value in column])
        numbers = pd.to_numeric(values, errors="coerce").notna().all()
        return pa.Array.from_pandas(pd.to_numeric(column) if numbers else column)

    return pa.table({name: typed(name) for name in frame.columns})


# -- columns ---------------------------------------------------------------------------------------------------


def wanted_columns(spec: Spec) -> list[str] | None:
    """The columns anybody asks for; None for all, where the spec lists no inputs or the suite counts columns."""
    source = spec.source
    if not source.inputs:
        return None
    suite = _suite_columns(spec.suite_file)
    return None if suite is None else sorted({*source.inputs, *_required(source), *source.label_columns, *suite})


def _required(source: Source) -> set[str]:
    """The columns without which nothing can be done."""
    label = source.label_columns - ({source.label} if source.label_expression else set())
    entity = {source.entity} if source.entity else set()
    return {source.timestamp, *source.row_key, *entity, *source.inputs, *label}


def _suite_columns(file: Path) -> set[str] | None:
    """The columns a suite names; None if it judges the table's columns as such, or cannot be read (yet)."""
    try:
        expectations = json.loads(file.read_text(encoding="utf-8"))["expectations"]
        if any(one["type"].startswith("expect_table_column") for one in expectations):
            return None
        named = [value for one in expectations for key, value in one["kwargs"].items() if key.startswith("column")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return {name for value in named for name in ([value] if isinstance(value, str) else value)}


def _chosen(spec: Spec, names: list[str], file: Path) -> list[str]:
    """The columns to read of those a file has."""
    missing = sorted(_required(spec.source) - set(names))
    if missing:
        near = difflib.get_close_matches(missing[0], names, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        also = f" Also missing: {', '.join(missing[1:])}." if missing[1:] else ""
        raise DataError(
            f"Column '{missing[0]}' of pipeline '{spec.name}' is not in {file.name}.{hint} "
            f"It has: {', '.join(names)}.{also}",
            where=file,
            do="correct the column names in pipeline.yaml, or have the file written with that column.",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"Column '{twice[0]}' stands twice in {file.name}.", where=file, do="have it written with one of them."
        )
    wanted = wanted_columns(spec)
    return names if wanted is None else [name for name in names if name in wanted]


def _unreadable(file: Path, what: str) -> SourceError:
    return SourceError(
        f"The source file {file.name} {what}.",
        where=file,
        do="replace or remove it; if it is still being written, write it under another name and rename it when done.",
    )


def _brief(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
