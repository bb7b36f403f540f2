"""What the data was: the last validations, failures first, with the rows that broke them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from retrain.artifacts import ExpectationResult, FileRef, Moment, Ref, Validation, Value
from retrain.artifacts.validation import REASON
from retrain.errors import DataError, ObjectMissing, UsageError
from retrain.ledger import Entry, StageDone
from retrain.site import Site
from retrain.status import kept
from retrain.status.tables import table

NEWEST = 5
"""So many validations are told."""

SAMPLE = 20
"""So many rows of a quarantine are shown; all of them are in :func:`quarantine_csv`."""

LONGEST = 200
"""Characters of one cell that is shown."""

BATCH = 1000
"""Rows written at a time."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


class Expected(Value):
    """How one expectation came out: see :class:`~retrain.artifacts.ExpectationResult`."""

    expectation: str
    column: str | None
    success: bool
    scope: str
    observed: str
    unexpected_rows: int
    message: str


class Quarantine(Value):
    """Rows that broke an expectation.

    :param columns: the reason first. :param sample: of the first rows, cell by cell, as text.
    """

    rows: int
    columns: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]


class Validated(Value):
    """What the suite found in one retraining.

    :param key: of the validation; names its quarantine.
    :param expectations: what failed first.
    :param quarantine: None where no row broke anything, or the rows are gone.
    """

    key: str
    at: Moment
    run: str | None
    success: bool
    rows: int
    expectations: tuple[Expected, ...]
    quarantine: Quarantine | None


class DataStory(Value):
    """The last validations, newest first."""

    validations: tuple[Validated, ...]


def data_story(pipeline: str, site: Site) -> DataStory:
    """What was found in the data of the last retrainings.

    :raises LedgerBroken, StoreError: the ledger, or what it names, cannot be read.
    """
    ledger = site.ledger(pipeline)
    newest: dict[str, tuple[Entry, Ref]] = {}
    for entry, done in ledger.of(StageDone):
        if done.artifact.kind == Validation.kind and len(newest) < NEWEST:
            newest.setdefault(done.artifact.key, (entry, done.artifact))
    told = (_validated(entry, ledger.at(entry), ref, site) for entry, ref in newest.values())
    return DataStory(validations=tuple(one for one in told if one is not None))


def quarantine_csv(pipeline: str, key: str, site: Site) -> Iterator[bytes]:
    """All rows in quarantine of one validation as CSV, in UTF-8, a thousand at a time.

    Text that a spreadsheet would run as a formula begins with an apostrophe; numbers stay as they are.

    :raises UsageError: there is no such validation, or no row is in quarantine.
    :raises ArtifactChanged, DataError, ObjectMissing, StoreError: it, or its rows, cannot be read.
    """
    path = Validation.path(pipeline, key)
    known = site.ledger(pipeline).contents(Validation.kind, key)
    if not known and not site.store.exists(path):
        raise UsageError(f"Pipeline '{pipeline}' has no validation '{key}'.", do="name one that its ledger names.")
    validation = site.read(Validation, Ref(kind=Validation.kind, key=key, pipeline=pipeline))
    if validation.quarantine is None:
        raise UsageError(
            f"No row is in quarantine of the validation '{key}' of pipeline '{pipeline}'.",
            do="look at its expectations: what they say is not of single rows.",
        )
    batches = _batches(site, validation.quarantine, BATCH)
    first = list(islice(batches, 1))  # so that what cannot be read is said now
    return _written(chain(first, batches))


def _validated(entry: Entry, at: datetime, ref: Ref, site: Site) -> Validated | None:
    validation = kept.found(site, Validation, ref)
    if validation is None:
        return None
    results = sorted(validation.results, key=lambda result: result.success)
    return Validated(
        key=ref.key,
        at=at,
        run=entry.run,
        success=validation.success,
        rows=validation.rows,
        expectations=tuple(_expected(result) for result in results),
        quarantine=_sampled(site, validation.quarantine) if validation.quarantine else None,
    )


def _expected(result: ExpectationResult) -> Expected:
    return Expected.model_validate(result.model_dump())


def _sampled(site: Site, ref: FileRef) -> Quarantine | None:
    try:
        columns, rows = next(_batches(site, ref, SAMPLE))
    except (DataError, ObjectMissing, StopIteration):
        return None
    return Quarantine(
        rows=ref.rows or len(rows),
        columns=columns,
        sample=tuple(tuple(_cell(value)[:LONGEST] for value in row) for row in rows[:SAMPLE]),
    )


def _batches(site: Site, ref: FileRef, size: int) -> Iterator[tuple[tuple[str, ...], list[list[Any]]]]:
    """The columns, the reason first, and rows of a table, so many at a time."""
    with table(site, ref) as file:
        names = sorted(file.schema_arrow.names, key=lambda name: name != REASON)
        for batch in file.iter_batches(size, columns=names):
            held = [batch.column(name).to_pylist() for name in names]
            yield tuple(names), [list(row) for row in zip(*held, strict=True)]


def _written(batches: Iterator[tuple[tuple[str, ...], list[list[Any]]]]) -> Iterator[bytes]:
    begun = False
    for columns, rows in batches:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        if not begun:
            writer.writerow(_harmless(name) for name in columns)
            begun = True
        writer.writerows([_harmless(value) for value in row] for row in rows)
        yield text.getvalue().encode("utf-8", "backslashreplace")


def _harmless(value: Any) -> str:
    text = _cell(value)
    number = isinstance(value, int | float | Decimal)
    return f"'{text}" if (text.startswith(FORMULA) or text.lstrip().startswith(FORMULA)) and not number else text


def _cell(value: Any) -> str:
    """A value as text; bytes that are none as their escapes."""
    if value is None:
        return ""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
