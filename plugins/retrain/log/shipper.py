"""Brings a segment to the store, part by part, each exactly once.

What will be shipped next is written down before it is (``<segment>.plan``: number, byte range, moment). Whoever
ships after a crash reads the plan and uploads the same bytes under the same name again: for a reader, which counts
names, that is the same part. Bytes are synced before they are planned, so after a power cut a plan never speaks of
bytes that are gone.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from retrain.artifacts import Moment, Value, now
from retrain.errors import LogBroken
from retrain.log.parts import LogTable, part_path, to_parquet
from retrain.log.segment import Segment
from retrain.store.base import ObjectStore
from retrain.store.local import sync_folder

PART_BYTES = 4 << 20
"""About how much of a segment goes into one part."""

log = logging.getLogger(__name__)


class Plan(Value):
    """The part of a segment that is being shipped, or was shipped last.

    :param part: its number in the segment, 1, 2, 3 …
    :param begin, end: the bytes of the segment it covers.
    :param planned: when this was decided; part of its name.
    :param shipped: is it known to be in the store?
    """

    part: int
    begin: int
    end: int
    planned: Moment
    shipped: bool


class Shipper:
    """Ships one segment.

    :param store: where to.
    :param pipeline: whose log.
    :param segment: a segment this process owns.
    """

    def __init__(self, store: ObjectStore, pipeline: str, segment: Segment) -> None:
        self.store = store
        self.pipeline = pipeline
        self.segment = segment
        self._file = plan_file(segment.path)
        self._plan = self._read_plan()

    @property
    def behind(self) -> int:
        """How many bytes are not in the store yet."""
        return self.segment.size - (self._plan.end if self._plan.shipped else self._plan.begin)

    def ship(self) -> None:
        """Ship everything that is written by now.

        :raises StoreError: the store failed; call again later.
        :raises OSError: this disk failed.
        """
        while self.behind:
            if self._plan.shipped:
                self._plan_next()
            self._upload()
            self._write_plan(self._plan.model_copy(update={"shipped": True}))

    def remove(self) -> None:
        """Delete the segment and its plan, in this order: a plan without a segment is litter, the reverse is not."""
        self.segment.remove()
        self._file.unlink(missing_ok=True)

    def _plan_next(self) -> None:
        begin, last = self._plan.end, self._plan.part
        end = begin + len(self.segment.read(begin, PART_BYTES))
        self.segment.sync()  # after the range is settled: the writer goes on meanwhile
        self._write_plan(Plan(part=last + 1, begin=begin, end=end, planned=now(), shipped=False))

    def _upload(self) -> None:
        plan = self._plan
        rows = _rows(self.segment.read_range(plan.begin, plan.end), self.segment.path)
        for table, found in rows.items():
            if found:
                path = part_path(self.pipeline, table, plan.planned, self.segment.name, plan.part)
                self.store.create(path, to_parquet(table, found))

    def _read_plan(self) -> Plan:
        try:
            return Plan.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return Plan(part=0, begin=0, end=0, planned=now(), shipped=True)
        except ValidationError as error:
            raise LogBroken(
                f"It is not known how much of a log segment of pipeline '{self.pipeline}' is in the store: its plan "
                f"is damaged ({error.error_count()} errors).",
                where=self._file,
                do="look in the store which parts of that segment are there; delete the plan if there are none, or "
                "the segment if all its lines are there.",
            ) from None

    def _write_plan(self, plan: Plan) -> None:
        partial = self._file.with_suffix(".plan-new")
        with partial.open("wb") as stream:
            stream.write(plan.model_dump_json().encode())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, self._file)
        sync_folder(self._file.parent)
        self._plan = plan


def plan_file(segment: Path) -> Path:
    """Where the plan of a segment lies."""
    return segment.with_suffix(".plan")


def _rows(data: bytes, where: Path) -> dict[LogTable, list[dict[str, Any]]]:
    rows: dict[LogTable, list[dict[str, Any]]] = {"predictions": [], "labels": []}
    for text in data.splitlines():
        try:
            row = orjson.loads(text)
            rows[row["table"]].append(_spelled(row))
        except (ValueError, KeyError, TypeError):
            log.error("A line of %s is damaged and is left out: %.80r. Check that disk.", where, text)
    return rows


def _spelled(row: dict[str, Any]) -> dict[str, Any]:
    """A row as Parquet holds it: nested values as JSON text."""
    for name in ("inputs", "output", "label"):
        if name in row and not (name == "output" and row[name] is None):
            row[name] = orjson.dumps(row[name]).decode()
    return row
