"""What a kind of source is: a subclass of :class:`Source`, whose settings are the keys of ``source`` in pipeline.yaml.

One of your own is a class in a module of yours, named by its import path::

    source:
      kind: my_package.sources:Warehouse
      query: select * from orders
      timestamp: ordered_at
      label: late

Airflow imports that module when it parses the Dag: what is heavy is imported inside the methods.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.artifacts import SourceFile
from retrain.data.event_time import Window
from retrain.spec import Source

if TYPE_CHECKING:
    from retrain.settings import Settings
    from retrain.spec import Spec

__all__ = ["Place", "Reading", "Source", "SourceFile", "Window"]


@dataclass(frozen=True)
class Place:
    """Where a pipeline is, as far as its source has to know.

    :param pipeline: its name, for messages.
    :param folder: the folder of its ``pipeline.yaml``.
    :param data: the folder in which bare paths begin, RETRAIN_DATA.
    """

    pipeline: str
    folder: Path
    data: Path

    @classmethod
    def of(cls, spec: Spec, settings: Settings) -> Place:
        """That of a pipeline here."""
        return cls(spec.name, spec.folder, settings.data)


@dataclass(frozen=True)
class Reading:
    """The rows of one window as they are at one moment.

    :param origins: what the rows come from, each with a hash that differs where the rows do. The hashes name the
        snapshot: where it is there already, no batch is asked for.
    :param batches: Arrow tables with the rows, timestamps as the source stores them; asked for once at most.
    """

    origins: tuple[SourceFile, ...]
    batches: Iterable[Any]
