"""Where the data of a pipeline end: the natural right edge of a retraining's window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from retrain.data.event_time import moments
from retrain.scaffold.table import Table
from retrain.settings import Settings
from retrain.spec import Source, Spec
from retrain.stages.collect import source_files


def data_end(spec: Spec, settings: Settings) -> datetime | None:
    """The first full hour after the newest row; None if no timestamp can be read.

    The same files have the same end whenever they are looked at, so a retraining on them is the same retraining.

    :raises SourceError: no file is there, or one cannot be read.
    """
    found = [_newest(file, spec.source) for file in source_files(spec, settings)]
    newest = max((moment for moment in found if moment is not None), default=None)
    return None if newest is None else after(newest)


def after(newest: datetime) -> datetime:
    """The first full hour after a moment."""
    whole = newest.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return whole + timedelta(hours=1)


def _newest(file: Path, source: Source) -> datetime | None:
    import pandas as pd

    table = Table(file)
    table.require("source.timestamp", source.timestamp)
    newest = moments(table.column(source.timestamp), source).max()
    return None if pd.isna(newest) else newest.to_pydatetime()
