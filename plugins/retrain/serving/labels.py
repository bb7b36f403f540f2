"""What turned out, by the request it turned out for.

As JSON::

    {"labels": [{"id": "4f1c…", "label": true}, …]}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from retrain.serving.invocation import Refused, request_id, shown
from retrain.serving.protocols.base import HttpRequest

EXAMPLE = 'send {"labels": [{"id": "…", "label": …}, …]}.'


@dataclass(frozen=True)
class Label:
    """What turned out.

    :param id: of the request.
    :param value: a JSON scalar, as the pipeline's label is.
    """

    id: str
    value: Any


def read_labels(request: HttpRequest) -> list[Label]:
    """Read labels. Raises :class:`Refused` with status 400 or 415; then none of them is taken."""
    content = request.json(EXAMPLE)
    labels = content.get("labels")
    if set(content) != {"labels"} or not isinstance(labels, list) or not labels:
        raise Refused("The body needs the key `labels` with a list of labels, and nothing else.", do=EXAMPLE)
    return [_label(row, label) for row, label in enumerate(labels)]


def _label(row: int, label: Any) -> Label:
    if not isinstance(label, dict) or set(label) != {"id", "label"}:
        raise Refused(f"Label {row} is not an object with the keys `id` and `label`.", do=EXAMPLE, rows=[row])
    value = label["label"]
    if value is None or isinstance(value, dict | list):
        raise Refused(
            f"Label {row} is {shown(value)}.", do="send a number, text, true or false, once it is known.", rows=[row]
        )
    return Label(request_id(label["id"]), value)
