"""Tables between stages: deterministic Parquet in the object store, checked when it is read back.

The same frame gives the same bytes, so that two makers of one artifact, or a retry of one that was killed, write
the same object. A frame that is read back is the frame that was written: dtypes, index from 0, order of rows (an
object column of truth values is bool again where none is null).
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from retrain.artifacts import FileRef, digest_file
from retrain.errors import DataError, StoreFull
from retrain.site import Site

if TYPE_CHECKING:
    from pandas import DataFrame

ROW_GROUP = 65_536


def write_frame(path: Path, frames: DataFrame | Iterable[DataFrame]) -> int:
    """Write a frame, or frames of the same columns below each other, as one Parquet file.

    :returns: the number of rows.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    pieces = iter([frames] if isinstance(frames, pd.DataFrame) else frames)
    first = pa.Table.from_pandas(next(pieces), preserve_index=False)
    with parquet.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first, row_group_size=ROW_GROUP)
        rows: int = first.num_rows
        for piece in pieces:
            writer.write_table(pa.Table.from_pandas(piece, first.schema, preserve_index=False), ROW_GROUP)
            rows += len(piece)
    return rows


def read_frame(path: Path, columns: Sequence[str] | None = None) -> DataFrame:
    """Read what :func:`write_frame` wrote; only some columns if they are named."""
    import pandas as pd

    return pd.read_parquet(path, engine="pyarrow", columns=None if columns is None else list(columns))


def keep_frame(site: Site, path: str, frames: DataFrame | Iterable[DataFrame]) -> FileRef:
    """Put a frame into the store and describe it.

    :raises StoreFull: no room here or there.
    """
    with scratch() as folder:
        file = folder / "table.parquet"
        rows = write_frame(file, frames)
        return site.keep(path, file, rows=rows)


def load_frame(site: Site, ref: FileRef, columns: Sequence[str] | None = None) -> DataFrame:
    """Read a frame out of the store.

    :raises ObjectMissing: it is not there.
    :raises DataError: its bytes are not the ones that its artifact names.
    """
    file = site.store.fetch(ref.path)
    if digest_file(file) != ref.sha256:
        raise DataError(
            f"The table '{ref.path}' is not the one its artifact names: its hash differs.",
            where=f"{site.store.uri}/{ref.path}",
            do="somebody changed or cut it. Restore it from a backup, or delete the artifact that names it "
            "and run the stage that makes it again.",
        )
    return read_frame(file, columns)


@contextmanager
def scratch() -> Iterator[Path]:
    """A local folder for files on their way to the store; gone afterwards.

    :raises StoreFull: the local disk is full.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="retrain-") as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise StoreFull(
            "No room left for a table on its way to the store; nothing half-written was left behind.",
            where=tempfile.gettempdir(),
            do="free space on that disk, or set TMPDIR to a larger one, then run the task again.",
        ) from error
