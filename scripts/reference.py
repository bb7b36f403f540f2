"""Write docs/pipeline.md, every key of pipeline.yaml, from the code that reads it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from inspect import cleandoc
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from retrain import extensions
from retrain.spec import Alert, Section, Source, Spec
from retrain.spec.alert import kinds
from retrain.spec.durations import spell
from retrain.spec.source import FOLDER
from retrain.spec.yamlfile import models_in

HEAD = """\
# pipeline.yaml, key by key

Written from the code by `make schema`; `docs/pipeline.schema.json` is the same for editors. Only `name`, `task`,
`source.files`, `source.timestamp`, `source.label` and `train.candidates` must be given. A mistake fails `retrain check`
and the Dag's import with the file, the line, the key, the value and what was expected. Durations are `90s`, `30m`,
`12h`, `14d`, `4w`.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_section("", Spec)])


def _section(path: str, model: type[BaseModel]) -> Iterator[str]:
    title = f"`{path}`" if path else "The top level"
    fields = {field.alias or name: field for name, field in model.model_fields.items() if not field.exclude}
    yield from _table(title, "" if model is Spec else (model.__doc__ or ""), fields)
    if model is Source:
        yield from _kinds()
    for key, field in fields.items():
        found = _model(field)
        if found is not None and found.model_fields:
            below = f"{path}.{key}".lstrip(".")
            yield from _section(below, found)
            if found is Alert:
                for kind, form in kinds().items():
                    yield from _section(f"{below}` with `{kind}", form)


def _model(field: FieldInfo) -> type[BaseModel] | None:
    """The section that stands at a key; of a source, what all kinds have."""
    found = next(models_in(field.annotation), None)
    return found.model_for({}) if found and issubclass(found, Section) and found not in {Source, Alert} else found


def _kinds() -> Iterator[str]:
    """The keys that each kind of source adds."""
    for name in extensions.names(FOLDER):
        kind = extensions.find(FOLDER, name, Source)
        own = {key: field for key, field in kind.model_fields.items() if key not in Source.model_fields}
        yield from _table(f"`source` of kind `{name}`", f"{kind.__doc__} Keys beside those of every source:", own)


def _table(title: str, doc: str, fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield f"## {title}\n"
    if doc:
        yield f"{cleandoc(doc)}\n"
    yield "| key | default | meaning |\n| --- | --- | --- |"
    for key, field in fields.items():
        found = _model(field)
        said = (found.__doc__ or "").strip() if found else ""
        meaning = field.description or (f"see below; {said}" if found and found.model_fields else said)
        yield f"| `{key}` | {_default(field)} | {meaning.replace('|', '&#124;')} |"
    yield ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default_factory is not None or isinstance(field.default, BaseModel):
        return ""
    value: Any = field.default
    if value is PydanticUndefined:
        return ""
    if isinstance(value, timedelta):
        return f"`{spell(value)}`"
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return f"`{value}`" if value != "" else ""


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
    else:
        sys.stdout.write(reference())
