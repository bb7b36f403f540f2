"""Whom a row is about, as ``pipeline.yaml`` says: the one key that routing needs of it.

Nothing else of the file is looked at. A gateway's image need not hold the packages of the pipeline's gates and sources,
and a mistake in another key must not send an entity to another model.
"""

from __future__ import annotations

from pathlib import Path

from retrain.spec import FILE
from retrain.spec.yamlfile import YamlFile


def entity_column(folder: Path) -> str | None:
    """The column; None if the pipeline has none.

    :param folder: the pipeline's.
    :raises SpecError: the file is not there, is not YAML, repeats a key, or says nothing that can be understood.
    :raises OSError: it cannot be read.
    """
    file = YamlFile.read(folder / FILE)
    source = file.content.get("source")
    if not isinstance(source, dict):
        raise file.error("source", source, "a mapping")
    entity = source.get("entity")
    if not isinstance(entity, str | None):
        raise file.error("source.entity", entity, "a column's name, or nothing")
    return entity
