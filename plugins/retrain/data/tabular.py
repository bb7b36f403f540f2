"""Parquet and CSV files, read in batches, as little of each as will do.

Parquet is read by column and row group. In a CSV file every value stays text until the rows of all files are
together: only then does it show what a column is made of.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from retrain.artifacts import now
from retrain.data.event_time import Window
from retrain.errors import SourceError

if TYPE_CHECKING:
    from pandas import Series

PARQUET = b"PAR1"
TEXT_FILES = {".csv": None, ".tsv": "\t", ".txt": None}
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
BATCH = 200_000
DAY = timedelta(days=1)
TRUTH = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


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


def header(file: Path) -> list[str]:
    """The names of a file's columns.

    :raises SourceError: the file is neither Parquet nor CSV, or not whole.
    """
    import pandas as pd
    from pyarrow import parquet

    text = is_text(file)
    with _whole(file, text):
        names = pd.read_csv(file, nrows=0, **_dialect(file)).columns if text else parquet.read_schema(file).names
        return [str(name) for name in names]


def column(file: Path, name: str) -> Series[Any]:
    """One column of a file: as text out of CSV, as it is out of Parquet.

    :raises SourceError: as :func:`header`.
    """
    import pandas as pd

    text = is_text(file)
    with _whole(file, text):
        if text:
            frame = pd.read_csv(file, dtype=str, usecols=[name], **_dialect(file))
        else:
            frame = pd.read_parquet(file, columns=[name])
    return cast("Series[Any]", frame[name])


def head(file: Path, columns: list[str], rows: int) -> Any:
    """An Arrow table of a file's first rows.

    :raises SourceError: as :func:`header`.
    """
    import pyarrow as pa

    found = _of_csv(file, columns, rows) if is_text(file) else _of_parquet(file, columns, None, rows)
    return pa.concat_tables(map(_plain, islice(found, 2))).slice(0, rows)


def batches(file: Path, columns: list[str], timestamp: str, window: Window) -> Iterator[Any]:
    """Arrow tables of a file's rows, the first one empty; rows far from the window may be left out.

    :raises SourceError: as :func:`header`.
    """
    near = timestamp, window
    return map(_plain, _of_csv(file, columns, BATCH) if is_text(file) else _of_parquet(file, columns, near, BATCH))


def typed(table: Any) -> Any:
    """Columns of text as what all their values are: truth values, numbers, or text; all null fits any type."""
    import pandas as pd
    import pyarrow as pa

    def of(column: Any) -> Any:
        if not pa.types.is_string(column.type):
            return column
        text: Series[Any] = column.to_pandas()
        values = text.dropna()
        if values.empty:
            return pa.nulls(len(text))
        if values.isin(TRUTH).all():
            return pa.array([TRUTH.get(value) for value in text])
        numbers = pd.to_numeric(values, errors="coerce").notna().all()
        return pa.Array.from_pandas(pd.to_numeric(text) if numbers else text)

    return pa.table({name: of(table.column(name)) for name in table.column_names})


# -- Parquet ---------------------------------------------------------------------------------------------------


def _of_parquet(file: Path, columns: list[str], near: tuple[str, Window] | None, batch: int) -> Iterator[Any]:
    """The rows that may lie in a window, or are wrong; row groups of other times are not read."""
    import pyarrow as pa
    from pyarrow import dataset

    with _whole(file, text=False):
        rows = dataset.dataset(file, format="parquet")
        yield rows.schema.empty_table().select(columns)
        some = _near(*near, rows.schema) if near is not None else None
        for found in rows.to_batches(columns=columns, filter=some, batch_size=batch):
            yield pa.Table.from_batches([found])


def _near(timestamp: str, window: Window, schema: Any) -> Any:
    """A filter for the window and a day around it, for zones; and for rows whose timestamp is wrong."""
    import pyarrow as pa
    from pyarrow import dataset

    kind = schema.field(timestamp).type
    if not pa.types.is_timestamp(kind):
        return None

    def scalar(moment: datetime) -> Any:
        moment = moment.replace(microsecond=0)
        return pa.scalar(moment if kind.tz else moment.replace(tzinfo=None), type=kind)

    when = dataset.field(timestamp)
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


def _of_csv(file: Path, columns: list[str], batch: int) -> Iterator[Any]:
    """All rows, every value as text."""
    import pandas as pd
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in columns])
    yield schema.empty_table()
    with (
        _whole(file, text=True),
        warnings.catch_warnings(action="error", category=pd.errors.ParserWarning),
        pd.read_csv(file, dtype=str, chunksize=batch, **_dialect(file)) as chunks,
    ):
        # `usecols` would hide that a line has more fields than the header.
        for chunk in chunks:
            yield pa.Table.from_pandas(chunk[columns], schema=schema, preserve_index=False)


def _dialect(file: Path) -> dict[str, Any]:
    """How pandas is to read a CSV file."""
    return {"sep": _separator(file), "index_col": False, "encoding": "utf-8-sig"}


def _separator(file: Path) -> str:
    """What separates the columns of a CSV file: of comma, semicolon, tab and bar the one that makes most columns."""
    known = TEXT_FILES[_unpacked(file).suffix.lower()]
    if known:
        return known
    with OPENERS.get(file.suffix, open)(file, "rt", encoding="utf-8-sig", newline="") as stream:
        first = stream.readline(1 << 20)
    return max(",;\t|", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))


def _unpacked(file: Path) -> Path:
    """The name a file would have without its compression."""
    return file.with_suffix("") if file.suffix in OPENERS else file


# -- what is wrong ---------------------------------------------------------------------------------------------


@contextmanager
def _whole(file: Path, text: bool) -> Iterator[None]:
    """Turn what the readers raise of a file that is cut off or something else into an error of ours."""
    from pandas.errors import ParserWarning
    from pyarrow import ArrowKeyError, ArrowNotImplementedError

    try:
        yield
    except UnicodeDecodeError as error:
        raise SourceError(
            f"The source file {file.name} is not UTF-8 text.",
            where=file,
            do=f"convert it: iconv -f WINDOWS-1252 -t UTF-8 '{file.name}' > utf8.csv",
        ) from error
    except (
        ValueError, EOFError, lzma.LZMAError, zlib.error, ParserWarning, ArrowKeyError, ArrowNotImplementedError
    ) as error:  # fmt: skip
        raise _unreadable(file, f"is not whole {'CSV' if text else 'Parquet'}: {_brief(error)}") from error
    except OSError as error:  # Arrow's and gzip's have no number
        if error.errno is not None:
            raise
        raise _unreadable(file, f"is not whole {'CSV' if text else 'Parquet'}: {_brief(error)}") from error


def _unreadable(file: Path, what: str) -> SourceError:
    return SourceError(
        f"The source file {file.name} {what}.",
        where=file,
        do="replace or remove it; if it is still being written, write it under another name and rename it when done.",
    )


def _brief(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
