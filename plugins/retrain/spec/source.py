"""Where the rows come from, and what their columns mean."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from datetime import timedelta
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from retrain.spec.durations import Duration
from retrain.spec.section import DAY, Section


class Source(Section):
    """Where the rows come from, and what its columns mean."""

    files: tuple[str, ...] = Field(
        description="Glob patterns of Parquet or CSV files. A bare path is below RETRAIN_DATA; one that begins "
        "with ./ lies beside this file; an absolute one is taken as it is."
    )
    timestamp: str = Field(description="The column that says when a row happened.")
    timestamp_format: str | None = Field(
        None, description="strptime format of a text timestamp; ISO 8601 is read without it."
    )
    timezone: str = Field("UTC", description="Zone of timestamps that carry none.")
    entity: str | None = Field(
        None, description="The column that says whom a row is about; requests of one entity see one model."
    )
    key: tuple[str, ...] = Field(
        (), description="Columns that name a row; no two rows may share them. Default: entity and timestamp."
    )
    label: str = Field(description="The column to predict.")
    label_expression: str | None = Field(
        None, description="How the label follows from other columns, e.g. `arr_delay >= 30`."
    )
    label_delay: Duration = Field(
        timedelta(0), description="How long after a row its label is known; newer rows are not trained on."
    )
    window: Duration = Field(90 * DAY, description="How far back from the data's end rows are used.")
    inputs: tuple[str, ...] = Field(
        (),
        description="Columns known when a prediction is asked for. Default: all but the label's and those of `key`; "
        "timestamp and entity stay.",
    )

    @field_validator("files", "key", "inputs", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that name a row; empty if nothing names one."""
        return self.key or ((self.entity, self.timestamp) if self.entity else ())

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("a time zone such as UTC or America/New_York") from None
        return value

    @field_validator("label_expression")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        try:
            _names(value or "")
        except SyntaxError:
            raise ValueError("an expression of columns, e.g. arr_delay >= 30") from None
        return value

    @property
    def label_columns(self) -> frozenset[str]:
        """The columns the label is read from, and its own; the feature function never sees them."""
        return frozenset({self.label}) | _names(self.label_expression or "")

    def input_columns(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The columns the feature function sees: ``inputs``, or the default among ``columns``."""
        hidden = self.label_columns | (set(self.key) - {self.timestamp, self.entity})
        return self.inputs or tuple(column for column in columns if column not in hidden)


def _names(expression: str) -> frozenset[str]:
    """The columns an expression of ``DataFrame.eval`` reads; names in backticks may hold anything."""
    if not expression:
        return frozenset()
    quoted = re.findall(r"`([^`]+)`", expression)
    tree = ast.parse(re.sub(r"`[^`]+`", "_quoted_", expression).strip(), mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return frozenset({*names, *quoted} - {"_quoted_"})
