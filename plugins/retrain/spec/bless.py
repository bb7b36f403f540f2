"""The gates, and who must agree."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, get_args

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails
from typing_extensions import override

from retrain import extensions
from retrain.errors import UsageError
from retrain.metrics import registry
from retrain.metrics.task import Task
from retrain.spec.durations import Duration
from retrain.spec.section import DAY, Section, mistake

if TYPE_CHECKING:
    from retrain.gates.base import Gate

GATES = ("stability", "inputs", "value", "suspicious", "change", "decay", "slices", "baseline")
"""Ours, in the order in which they are asked where ``bless.gates`` does not say."""

GONE = ("replicates",)
"""Keys of before that mean nothing any more: they are read and left aside."""

G = TypeVar("G", bound="Gate")


class GateMistake(UsageError, ValueError):
    """What is said of the gates cannot be. A ``ValueError`` too, so that a validator may let it pass."""


class Approval(Section):
    """Who must agree before a release."""

    required: bool = False
    by: tuple[str, ...] = Field((), description="User names who may answer; empty: anyone allowed to run the Dag.")
    within: Duration = Field(3 * DAY, description="No answer in this time is a rejection.")


class Bless(Section):
    """The gates. Each that is named has its settings under a key of its own."""

    gates: tuple[str, ...] = Field(
        GATES,
        min_length=1,
        description="Those that are asked: ours, names of entry points, or import paths such as "
        "my_package.gates:Fairness, whose settings stand under `fairness`.",
    )
    metric: str | None = Field(
        None,
        description=f"The deciding metric: {', '.join(registry.METRICS)}, the name of an entry point, or the import "
        f"path of a Metric. Default, by task: {', '.join(registry.for_task(task)[0].name for task in get_args(Task))}.",
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="One-sided confidence of every bound.")
    lower: float | None = Field(None, description="Short for `lower` of `value`.")
    upper: float | None = Field(None, description="Short for `upper` of `value`.")
    approval: Approval = Field(default_factory=Approval)

    @property
    def asked(self) -> dict[str, Gate]:
        """The gates by their keys, in the order in which they are asked."""
        keys = (key for key in type(self).model_fields if key not in Bless.model_fields)
        return {key: getattr(self, key) for key in keys}

    def of(self, kind: type[G]) -> G | None:
        """The gate of a class, with its settings; None if it is not asked."""
        return next((gate for gate in self.asked.values() if isinstance(gate, kind)), None)

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str | None) -> str | None:
        if value is not None:
            registry.find(value)
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _with_gates(cls, content: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Read by the class that has the keys of the gates that are named."""
        if cls is not Bless or not isinstance(content, dict):
            return handler(content)
        content = {key: value for key, value in content.items() if key not in GONE}
        _, mistakes = _kinds(content.get("gates", GATES))
        if mistakes:
            raise ValidationError.from_exception_data("Bless", mistakes)
        return cast(Self, _read(cls.model_for(content), content))._spelled_out()

    @classmethod
    @override
    def model_for(cls, content: object) -> type[Section]:
        """The class that reads this content: the keys of the gates that it names are among its own."""
        if cls is not Bless:
            return cls
        kinds, _ = _kinds(content.get("gates", GATES) if isinstance(content, dict) else GATES)
        return _composed(tuple(kinds.items()))

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The keys of our gates; those of others are sections too."""
        described = handler.resolve_ref_schema(handler(cls.model_for({}).__pydantic_core_schema__))
        described["additionalProperties"] = {"type": "object"}
        return described

    def _spelled_out(self) -> Self:
        """The same with the short form written as the value gate's settings."""
        short = {key: limit for key in ("lower", "upper") if (limit := getattr(self, key)) is not None}
        gate = self.asked.get("value")
        wrong = [mistake((key,), short[key], error) for key in short if (error := _ambiguous(key, gate))]
        if wrong:
            raise ValidationError.from_exception_data("Bless", wrong)
        if gate is None or not short:
            return self
        value = type(gate).model_validate({**gate.model_dump(), **short})
        return self.model_copy(update={"value": value, **dict.fromkeys(short)})


def _ambiguous(key: str, gate: Gate | None) -> GateMistake | None:
    """Why a limit of the value gate cannot be given in the short form, if it cannot."""
    if gate is None:
        do = "name `value` among `bless.gates`, or leave the key out."
        return GateMistake(f"`bless.{key}` is for the value gate, which is not asked.", do=do)
    if getattr(gate, key, None) is not None:
        return GateMistake(f"`bless.{key}` and `bless.value.{key}` say the same.", do="keep one of them.")
    return None


def _kinds(names: object) -> tuple[dict[str, type[Gate]], list[InitErrorDetails]]:
    """The class of each gate that is named, by its key, and what is wrong with the others."""
    if not isinstance(names, list | tuple) or not names:
        return {}, [mistake(("gates",), names, ValueError(f"a list of gates, e.g. [{', '.join(GATES)}]"))]
    kinds: dict[str, type[Gate]] = {}
    mistakes = []
    for position, name in enumerate(names):
        try:
            key, kind = _kind(name)
            if key in kinds:
                raise GateMistake(f"Two of the gates have the key `{key}`.", do="name one of them.")
            kinds[key] = kind
        except ValueError as error:
            mistakes.append(mistake(("gates", position), name, error))
    return kinds, mistakes


def _kind(name: object) -> tuple[str, type[Gate]]:
    """The key of a gate and its class.

    :raises UnknownKind, GateMistake, ValueError: it has none.
    """
    if not isinstance(name, str):
        raise ValueError("the name of a gate, or its import path")
    kind: type[Gate] = extensions.find("retrain.gates", name, "Gate")
    key = _snake(kind.__name__) if {":", "."} & set(name) else name.replace("-", "_")
    extensions.used(name, kind.model_rebuild)
    extensions.used(name, kind.default)
    if key in Bless.model_fields or hasattr(Bless, key) or not key.isidentifier():
        raise GateMistake(f"The settings of '{name}' cannot stand under `{key}`.", do="give it another name.")
    return key, kind


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).strip("_").lower()


def _read(composed: type[Section], content: dict[str, Any]) -> Section:
    """The gates with their settings; where a gate's class fails on its own, the mistake is at its key."""
    try:
        return composed.model_validate(content)
    except ValueError:
        raise
    except Exception:
        mistakes = [
            mistake((key,), content.get(key), error)
            for key, kind in _kinds(content.get("gates", GATES))[0].items()
            if (error := _failure(key, kind, content.get(key, {})))
        ]
        if not mistakes:
            raise
        raise ValidationError.from_exception_data("Bless", mistakes) from None


def _failure(key: str, kind: type[Gate], settings: object) -> extensions.UnknownKind | None:
    """Why the class of a gate cannot read settings; None where it can, or says itself what is wrong with them."""
    try:
        extensions.used(key, lambda: kind.model_validate(settings))
    except extensions.UnknownKind as error:
        return error
    except ValueError:
        pass
    return None


@cache
def _composed(kinds: tuple[tuple[str, type[Gate]], ...]) -> type[Bless]:
    """Bless with the keys of some gates."""
    fields: dict[str, Any] = {key: (kind, ... if (unsaid := kind.default()) is None else unsaid) for key, kind in kinds}
    return create_model("Bless", __base__=Bless, __doc__=Bless.__doc__, __module__=__name__, **fields)
