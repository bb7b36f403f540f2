"""How a gateway behaves: environment ``RETRAIN_GATEWAY_*``, all with a default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

from pydantic import Field, ValidationError, field_validator

from retrain.errors import UsageError
from retrain.log.options import LogOptions

PREFIX = "RETRAIN_GATEWAY_"


class Options(LogOptions):
    """Times are in seconds, sizes in bytes; those of the prediction log come first."""

    poll: float = Field(0.2, gt=0, description="How often the ledger is looked at.")
    challenger_patience: float = Field(2.0, gt=0, description="A challenger slower than this counts as failed.")
    champion_patience: float = Field(30.0, gt=0, description="A champion slower than this answers with status 504.")
    load_patience: float = Field(120.0, gt=0, description="A challenger that takes longer to load counts as failed.")
    waiting_rows: int = Field(
        50_000,
        ge=1,
        description="Rows that one model may have before it, those it answers included. A request that would make them "
        "more gets status 503; one that comes when there are none is answered, however large it is.",
    )
    shadow_rows: int = Field(1_000, ge=0, description="Shadow requests that may wait; more are dropped and counted.")
    body_bytes: int = Field(16 << 20, ge=1, description="The largest request body; larger ones get status 413.")

    protocols: tuple[str, ...] = Field(
        (), description="Protocols spoken beside ours, by import path or entry point; commas between them."
    )

    @field_validator("protocols", mode="before")
    @classmethod
    def _commas(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the options. Raises :class:`~retrain.errors.UsageError` for a value that cannot be."""
        environ = os.environ if environ is None else environ
        found = {name: value for name in cls.model_fields if (value := environ.get(f"{PREFIX}{name.upper()}"))}
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            name = f"{PREFIX}{str(first['loc'][0]).upper()}"
            raise UsageError(
                f"The environment variable {name} is '{first['input']}': {first['msg']}.",
                do=f"correct or unset {name}.",
            ) from None
