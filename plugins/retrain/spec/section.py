"""A part of ``pipeline.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails

from retrain import extensions

S = TypeVar("S", bound="Section")

DAY = timedelta(days=1)


class Section(BaseModel):
    """A part of ``pipeline.yaml``: every key has a meaning, unknown keys are mistakes.

    What pydantic needs to check one is built when it is first needed, all sections of a pipeline at once: a Dag
    processor pays for it at every parse.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @classmethod
    def model_for(cls, _content: object, /) -> type[Section]:
        """The class that reads this content; another than this where the content names what brings its own keys."""
        return cls


def read(kind: type[S], content: Mapping[str, Any], key: str) -> S:
    """A section, read by the class that is named in it.

    :param key: where it is named.
    :raises pydantic.ValidationError: something is wrong with its keys; or, at ``key``, with the class itself.
    """
    named = content.get(key)
    try:
        return extensions.used(str(named), lambda: kind.model_validate(content))
    except extensions.UnknownKind as error:
        raise ValidationError.from_exception_data(kind.__name__, [mistake((key,), named, error)]) from None


def mistake(location: tuple[str | int, ...], value: object, error: ValueError) -> InitErrorDetails:
    """A mistake in ``pipeline.yaml``.

    :param location: of the key, from the section it is raised for.
    """
    return InitErrorDetails(type="value_error", loc=location, input=value, ctx={"error": error})
