"""Parquet files of the store, opened for showing a few of their rows or columns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from retrain.artifacts import FileRef, digest_file
from retrain.errors import DataError
from retrain.site import Site


@contextmanager
def table(site: Site, ref: FileRef) -> Iterator[Any]:
    """A table of the store as a ``pyarrow.parquet.ParquetFile``.

    :raises ObjectMissing: it is not there.
    :raises DataError: its bytes are not the ones that its artifact names.
    """
    from pyarrow import ArrowException, parquet

    file = site.store.fetch(ref.path)
    if digest_file(file) != ref.sha256:
        raise DataError(
            f"The table '{ref.path}' is not the one its artifact names: its hash differs.",
            where=f"{site.store.uri}/{ref.path}",
            do="somebody changed or cut it: restore it from a backup.",
        )
    try:
        with parquet.ParquetFile(file) as opened:
            yield opened
    except ArrowException as error:
        raise DataError(f"The table '{ref.path}' cannot be read: {error}.", where=site.store.uri) from error
