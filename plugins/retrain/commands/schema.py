"""``retrain schema``: the JSON Schema of ``pipeline.yaml``, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from retrain.commands._output import say

PANEL = "More"


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
    schema["properties"]["alerts"]["items"] = _alerts(schema["$defs"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "pipeline.yaml"}


def _alerts(definitions: dict[str, Any]) -> dict[str, Any]:
    """What may stand in the list of alerts: one of ours, or anybody's sender, which knows its settings itself."""
    from retrain.spec.alert import kinds

    del definitions["Alert"]
    forms: list[dict[str, Any]] = []
    for name, kind in kinds().items():
        definition = kind.model_json_schema(by_alias=True)
        if name.startswith("to: "):
            definition["properties"]["to"] = {"const": name.removeprefix("to: ")}
        definitions[kind.__name__] = definition
        forms.append({"$ref": f"#/$defs/{kind.__name__}"})
    ours = [name.removeprefix("to: ") for name in kinds() if name.startswith("to: ")]
    other = {"type": "string", "not": {"enum": ours}, "description": "An import path, or an entry point's name."}
    return {"anyOf": [*forms, {"type": "object", "properties": {"to": other}, "required": ["to"]}]}
