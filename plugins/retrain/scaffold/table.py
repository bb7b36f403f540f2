"""One source file as it lies there: its header, one column, or all its rows as the pipeline reads them."""

from __future__ import annotations

import csv
import difflib
import lzma
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Request, now
from retrain.data.frames import load_parts
from retrain.errors import SourceError, UsageError
from retrain.settings import Settings
from retrain.site import Site
from retrain.sources.tabular import OPENERS, TEXT_FILES, is_text
from retrain.spec import CandidateSpec, Source, Spec, Train
from retrain.stages.collect import collect

if TYPE_CHECKING:
    from pandas import DataFrame, Series

EVER = timedelta(days=365 * 200)


class Table:
    """One CSV or Parquet file.

    :param file: where it lies.
    :raises SourceError: it is not there, empty, neither CSV nor Parquet, or not UTF-8.
    """

    def __init__(self, file: Path) -> None:
        self.file = file.absolute()
        if not self.file.is_file():
            raise UsageError(f"There is no file {file}.", where=self.file.parent, do="correct --from.")
        self.parquet = not is_text(self.file)
        self.separator = "" if self.parquet else self._separator()
        self.columns = self._columns()

    def require(self, option: str, column: str) -> None:
        """Raise :class:`~retrain.errors.UsageError` unless the file has this column."""
        if column not in self.columns:
            near = difflib.get_close_matches(column, self.columns, n=1, cutoff=0.5)
            near = near or [name for name in self.columns if name.lower() == column.lower()]
            hint = f"did you mean `{near[0]}`? " if near else ""
            raise UsageError(
                f"{option} is '{column}', but {self.file.name} has no such column.",
                where=self.file,
                do=f"{hint}It has: {', '.join(self.columns)}.",
            )

    def column(self, name: str) -> Series[Any]:
        """One column: as text out of a CSV, as it is out of Parquet."""
        import pandas as pd

        if self.parquet:
            return pd.read_parquet(self.file, columns=[name])[name]
        try:
            frame = pd.read_csv(
                self.file, sep=self.separator, dtype=str, usecols=[name], index_col=False, encoding="utf-8-sig"
            )
        except (ValueError, EOFError) as error:
            raise self._unreadable(error) from error
        return frame[name]

    def rows(self, source: Source) -> DataFrame:
        """Every row, read exactly as the pipeline's first stage will read it.

        :raises DataError: as :func:`~retrain.stages.collect.collect` does.
        """
        with tempfile.TemporaryDirectory(prefix="retrain-init-") as folder:
            place = Path(folder)
            site = Site(Settings.load({"RETRAIN_HOME": str(place / "home")}))
            spec = Spec(
                name="init",
                task="regression",
                source=source.model_copy(update={"files": (_literal(self.file),), "window": EVER}),
                train=Train(candidates=(CandidateSpec(estimator="none"),)),
                folder=place,
            )
            (place / "home").mkdir()
            snapshot = collect(spec, Request(data_end=now(), run="init", actor="init"), site)
            return load_parts(site, snapshot.parts)

    def _separator(self) -> str:
        """Of the marks that may separate columns, the one that makes the most of the header."""
        opener = OPENERS.get(self.file.suffix, open)
        try:
            with opener(self.file, "rt", encoding="utf-8-sig", newline="") as stream:
                header = stream.readline(1 << 20)
        except (UnicodeDecodeError, OSError, EOFError, lzma.LZMAError) as error:
            raise self._unreadable(error) from error
        name = self.file.with_suffix("") if self.file.suffix in OPENERS else self.file
        known = TEXT_FILES[name.suffix.lower()]
        return known or max(",;\t|", key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))

    def _columns(self) -> list[str]:
        import pandas as pd
        from pyarrow import ArrowInvalid, parquet

        try:
            if self.parquet:
                return [str(name) for name in parquet.read_schema(self.file).names]
            header = pd.read_csv(self.file, sep=self.separator, nrows=0, index_col=False, encoding="utf-8-sig")
        except (ValueError, EOFError, OSError, ArrowInvalid) as error:
            raise self._unreadable(error) from error
        return [str(name) for name in header.columns]

    def _unreadable(self, error: Exception) -> SourceError:
        if isinstance(error, UnicodeDecodeError):
            return SourceError(
                f"{self.file.name} is not UTF-8 text.",
                where=self.file,
                do=f"convert it: iconv -f WINDOWS-1252 -t UTF-8 '{self.file.name}' > utf8.csv",
            )
        kind = "Parquet" if self.parquet else "CSV"
        return SourceError(
            f"{self.file.name} is not whole {kind}: {str(error).splitlines()[0][:200]}.",
            where=self.file,
            do="export it again.",
        )


def pattern(file: Path, data: Path) -> str:
    """How ``source.files`` names a file: relative below RETRAIN_DATA, absolute elsewhere."""
    file = file.absolute()
    return _literal(file.relative_to(data)) if file.is_relative_to(data) else _literal(file)


def _literal(path: Path) -> str:
    import glob

    return glob.escape(path.as_posix())


def examples(values: Iterable[object], count: int = 3) -> str:
    """A few different values, for a message."""
    shown = [repr(value) for value in dict.fromkeys(values)]
    return ", ".join(shown[:count]) + (" …" if len(shown) > count else "")
