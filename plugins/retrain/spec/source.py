"""Where the rows come from, and what their columns mean."""

from __future__ import annotations

import ast
import re
from abc import abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, cast
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema
from typing_extensions import override

from retrain import extensions
from retrain.spec.durations import Duration
from retrain.spec.section import DAY, Section, mistake, read

if TYPE_CHECKING:
    from pandas import DataFrame

    from retrain.sources.base import Place, Reading, Window

FOLDER = "retrain.sources"
SHORT = "files"
"""The kind of a source that does not name one."""

OneOrMany = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""Several texts; one needs no brackets."""


class Source(Section):
    """Where the rows come from, and what their columns mean."""

    # A snapshot's name is older than kinds: that of `files` is not in it.
    kind: str = Field(
        SHORT,
        exclude_if=lambda kind: kind == SHORT,
        description="What kind of source it is: files, the name of an entry point in `retrain.sources`, or the import "
        "path of a Source (package.module:Name).",
    )
    timestamp: str = Field(description="The column that says when a row happened.")
    timestamp_format: str | None = Field(
        None, description="strptime format of a text timestamp; ISO 8601 is read without it."
    )
    timezone: str = Field("UTC", description="Zone of timestamps that carry none.")
    entity: str | None = Field(
        None, description="The column that says whom a row is about; requests of one entity see one model."
    )
    key: OneOrMany = Field(
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
    inputs: OneOrMany = Field(
        (),
        description="Columns known when a prediction is asked for. Default: all but the label's and those of `key`; "
        "timestamp and entity stay.",
    )

    noun: ClassVar[str] = "origin"
    """What one of its origins is called, for messages: a file, a table."""

    # -- what every kind answers -------------------------------------------------------------------------------

    @property
    @abstractmethod
    def described(self) -> str:
        """What is read, in a few words of Markdown, for the Dag's page."""

    @abstractmethod
    def origins(self, place: Place) -> list[str]:
        """What its rows come from now: files, objects, tables, each by its whole name; that of the newest rows last.

        :raises SourceError: there is nothing.
        """

    @abstractmethod
    def columns(self, origin: str, place: Place) -> list[str]:
        """The columns of one origin.

        :raises SourceError: it cannot be read.
        """

    @abstractmethod
    def head(self, origin: str, rows: int, place: Place) -> DataFrame:
        """A few rows of one origin with all their columns, roughly as :meth:`read` gives them.

        Timestamps are moments in UTC, NaT where they cannot be read.

        :raises SourceError: it cannot be read.
        """

    @abstractmethod
    def newest(self, place: Place) -> datetime | None:
        """The newest timestamp of all origins; None if none can be read.

        :raises SourceError: there is nothing, or it cannot be read.
        """

    @abstractmethod
    def read(self, window: Window, columns: list[str] | None, place: Place) -> AbstractContextManager[Reading]:
        """The rows of one window as they are at one moment; whoever reads them is done when the context is left.

        Of what it gives, too, rows without a readable timestamp and rows of the future are refused by whoever
        collects them, and rows outside the window are left out: a source need not look, but says better where.

        :param columns: those anybody asks for, where they are there; None for all.
        :raises SourceError: there is nothing, or it cannot be read.
        :raises SourceLost: it cannot be reached, or changed while it was read; trying again can help.
        :raises DataError: a column is missing, a timestamp is unreadable or in the future.
        :raises EmptyWindow: no row lies in the window; says what was found instead.
        """

    # -- what its columns mean ---------------------------------------------------------------------------------

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that name a row; empty if nothing names one."""
        return self.key or ((self.entity, self.timestamp) if self.entity else ())

    @property
    def label_columns(self) -> frozenset[str]:
        """The columns the label is read from, and its own; the feature function never sees them."""
        return frozenset({self.label}) | _names(self.label_expression or "")

    @property
    def required_columns(self) -> frozenset[str]:
        """The columns without which nothing can be done."""
        label = self.label_columns - ({self.label} if self.label_expression else set())
        entity = {self.entity} if self.entity else set()
        return frozenset({self.timestamp, *self.row_key, *entity, *self.inputs, *label})

    def input_columns(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The columns the feature function sees: ``inputs``, or the default among ``columns``."""
        hidden = self.label_columns | (set(self.key) - {self.timestamp, self.entity})
        return self.inputs or tuple(column for column in columns if column not in hidden)

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

    # -- its kind ----------------------------------------------------------------------------------------------

    @classmethod
    @override
    def model_for(cls, content: object) -> type[Section]:
        """The class of the kind that is named. Raises ValueError if there is none."""
        if cls is not Source:
            return cls
        return _kind(content.get("kind", SHORT) if isinstance(content, dict) else SHORT)

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_kind(cls, content: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if cls is not Source or not isinstance(content, dict):
            return handler(content)
        try:
            kind = cls.model_for(content)
        except ValueError as error:
            wrong = mistake(("kind",), content.get("kind"), error)
            raise ValidationError.from_exception_data("Source", [wrong]) from None
        return cast(Self, read(kind, content, "kind"))

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Of a source, one of the kinds known here, or anybody else's with keys of its own."""
        described = handler.resolve_ref_schema(handler(schema))
        if cls is not Source:
            return described
        known, kinds = extensions.names(FOLDER), []
        for name in known:
            keys = handler.resolve_ref_schema(handler(_kind(name).__pydantic_core_schema__))
            keys["properties"]["kind"] = {"const": name}
            keys["required"] = [*([] if name == SHORT else ["kind"]), *keys["required"]]
            kinds.append(keys)
        del described["properties"]["kind"]["default"]
        described["properties"]["kind"]["not"] = {"enum": list(known)}
        described |= {"required": ["kind", *described["required"]], "additionalProperties": True}
        return {"description": described["description"], "anyOf": [*kinds, described]}


def _kind(name: object) -> type[Source]:
    """The class of a kind. Raises ValueError, of which :class:`~retrain.extensions.UnknownKind` is one."""
    if not isinstance(name, str):
        raise ValueError("the name of a source, or its import path")
    kind: type[Source] = extensions.find(FOLDER, name, Source)
    if kind.model_fields["entity"].default is not None:
        raise ValueError("a source that leaves `entity` to pipeline.yaml, where gateways read it")
    return kind


def _names(expression: str) -> frozenset[str]:
    """The columns an expression of ``DataFrame.eval`` reads; names in backticks may hold anything."""
    if not expression:
        return frozenset()
    quoted = re.findall(r"`([^`]+)`", expression)
    tree = ast.parse(re.sub(r"`[^`]+`", "_quoted_", expression).strip(), mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return frozenset({*names, *quoted} - {"_quoted_"})
