"""Tables between stages: deterministic Parquet in the object store, checked when it is read back.

The same frame gives the same bytes, so that two makers of one artifact, or a retry of one that was killed, write
the same object; whether pandas 2 or 3 wrote it does not show. A frame that is read back is the frame that was written:
dtypes, index from 0, order of rows (an object column of truth values is bool again where none is null; a column of
text is "str", whichever pandas reads it). Parts are named by their bytes: what is in the store already is not written
again. Parts below each other are the frame that they were cut from.
"""

from __future__ import annotations

import errno
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.artifacts import FileRef, Part, digest_file
from retrain.errors import DataError, StoreFull
from retrain.site import Site
from retrain.store.scratch import below

if TYPE_CHECKING:
    from pandas import DataFrame

ROW_GROUP = 65_536


def write_frame(path: Path, frames: DataFrame | Iterable[DataFrame], schema: Any = None) -> int:
    """Write a frame, or frames of the same columns below each other, as one Parquet file.

    :param schema: of Arrow; default: that of the first frame.
    :returns: the number of rows.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    pieces = iter([frames] if isinstance(frames, pd.DataFrame) else frames)
    first = _unversioned(pa.Table.from_pandas(next(pieces), schema, preserve_index=False))
    with parquet.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first, row_group_size=ROW_GROUP)
        rows: int = first.num_rows
        for piece in pieces:
            writer.write_table(pa.Table.from_pandas(piece, first.schema, preserve_index=False), ROW_GROUP)
            rows += len(piece)
    return rows


def keep_frame(site: Site, path: str, frames: DataFrame | Iterable[DataFrame]) -> FileRef:
    """Put a frame into the store and describe it.

    :raises StoreFull: no room here or there.
    """
    with scratch() as folder:
        file = folder / "table.parquet"
        rows = write_frame(file, frames)
        return site.keep(path, file, rows=rows)


def keep_once(site: Site, folder: str, frames: DataFrame | Iterable[DataFrame], schema: Any = None) -> FileRef:
    """Put a frame into a folder of the store under the name of its hash, unless it lies there, and describe it.

    :raises StoreFull: no room here or there.
    """
    with scratch() as aside:
        file = aside / "table.parquet"
        rows = write_frame(file, frames, schema)
        sha256 = digest_file(file)
        path = f"{folder}/{sha256}.parquet"
        if site.store.exists(path):
            return FileRef(path=path, sha256=sha256, bytes=file.stat().st_size, rows=rows)
        return site.keep(path, file, rows=rows)


def load_frame(site: Site, ref: FileRef, columns: Sequence[str] | None = None) -> DataFrame:
    """Read a frame out of the store.

    :raises ObjectMissing: it is not there.
    :raises DataError: its bytes are not the ones that its artifact names.
    """
    return to_frame(_table(site, ref, columns))


def load_parts(
    site: Site,
    parts: Sequence[Part],
    columns: Sequence[str] | None = None,
    *,
    time: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> DataFrame:
    """Read parts as the one frame they are together; parts of other times are not looked at.

    :param time: the column that ``since`` and ``until`` (half open) speak of.
    :raises ObjectMissing, DataError: as :func:`load_frame` does.
    """
    import pyarrow as pa

    near = [
        part for part in parts if (since is None or part.end > since) and (until is None or part.start < until)
    ] or parts[-1:]
    tables = [_table(site, part.data, columns, _rows_of(time, since, until)) for part in near]
    return to_frame(pa.concat_tables(tables))


def to_frame(table: Any) -> DataFrame:
    """An Arrow table as a frame, in which text has the same dtype whichever pandas reads it."""
    from pyarrow import types

    from retrain.model.rows import TEXT

    frame: DataFrame = table.to_pandas()
    texts = [field.name for field in table.schema if types.is_string(field.type) or types.is_large_string(field.type)]
    other = {name: TEXT for name in texts if frame[name].dtype == object}
    return frame.astype(other) if other else frame


def as_typed(frame: DataFrame, dtypes: Mapping[str, str]) -> DataFrame:
    """Rows of a few parts with the dtypes of the whole: truth values without a null are bool where it is object."""
    from retrain.model.rows import dtype_of

    found = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
    other = {name: dtype_of(dtypes[name]) for name, dtype in found.items() if dtype != dtypes[name]}
    return frame.astype(other) if other else frame


def _unversioned(table: Any) -> Any:
    """A table that says what its columns are, but not which pandas and Arrow made it: that is not of the rows."""
    said = json.loads(table.schema.metadata[b"pandas"])
    kept = {name: said[name] for name in ("index_columns", "column_indexes", "columns")}
    return table.replace_schema_metadata({"pandas": json.dumps(kept)})


def _table(site: Site, ref: FileRef, columns: Sequence[str] | None, rows: Any = None) -> Any:
    """An Arrow table out of the store; of some rows only if there is a filter."""
    from pyarrow import parquet

    file = site.store.fetch(ref.path)
    if digest_file(file) != ref.sha256:
        raise DataError(
            f"The table '{ref.path}' is not the one its artifact names: its hash differs.",
            where=f"{site.store.uri}/{ref.path}",
            do="somebody changed or cut it. Restore it from a backup; or delete it and the artifact that names it, "
            "and run the stage that makes it again.",
        )
    return parquet.read_table(file, columns=columns and list(columns), filters=rows, partitioning=None)


def _rows_of(time: str, since: datetime | None, until: datetime | None) -> Any:
    """The filter for a stretch of time; None for all of it."""
    from pyarrow import dataset

    if since is None:
        return None if until is None else dataset.field(time) < until
    later = dataset.field(time) >= since
    return later if until is None else later & (dataset.field(time) < until)


@contextmanager
def scratch() -> Iterator[Path]:
    """A local folder for files on their way to the store; gone afterwards. See :mod:`retrain.store.scratch`.

    :raises StoreFull: the local disk is full.
    """
    with room(), below(Path(tempfile.gettempdir())) as folder:
        yield folder


@contextmanager
def room() -> Iterator[None]:
    """Work that needs room on the local disk.

    :raises StoreFull: there is none.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise StoreFull(
            "No room left for a table on its way to the store; nothing half-written was left behind.",
            where=tempfile.gettempdir(),
            do="free space on that disk, or set TMPDIR to a larger one, then run the task again.",
        ) from error
