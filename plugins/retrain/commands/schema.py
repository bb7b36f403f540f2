"""``retrain schema``: the JSON Schema of ``pipeline.yaml``, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from retrain.commands.output import say


def schema(
    out: Annotated[Path | None, typer.Option(help="Write it to this file instead of printing it.")] = None,
) -> None:
    """The JSON Schema of pipeline.yaml: editors then complete and check it as you type."""
    text = json.dumps(spec_schema(), indent=2, ensure_ascii=False)
    if out is None:
        return say(text)
    out.write_text(text + "\n", encoding="utf-8")
    return say(f"Written: {out}")


def spec_schema() -> dict[str, Any]:
    """What may stand in ``pipeline.yaml``."""
    from retrain.spec import Spec

    schema = Spec.model_json_schema(by_alias=True)
    del schema["properties"]["folder"]  # where the file lies, not what it says
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "pipeline.yaml"}
