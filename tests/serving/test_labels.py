"""What turned out, sent right and wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from anything import BODIES, read_or_refused
from retrain.serving.invocation import Refused
from retrain.serving.labels import Label, read_labels
from retrain.serving.protocols.base import HttpRequest


def read(data: bytes) -> list[Label]:
    return read_labels(HttpRequest({}, {}, data))


def test_labels_are_read() -> None:
    labels = read(json.dumps({"labels": [{"id": "a", "label": True}, {"id": 7, "label": 2.5}]}).encode())
    assert [(label.id, label.value) for label in labels] == [("a", True), ("7", 2.5)]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{}", "labels"),
        (b'{"labels": []}', "labels"),
        (b'{"labels": [{"id": "a", "label": 1}], "more": 1}', "nothing else"),
        (b'{"labels": [{"id": "a"}]}', "Label 0"),
        (b'{"labels": [{"id": "a", "label": 1}, {"id": "b", "label": null}]}', "Label 1 is None"),
        (b'{"labels": [{"id": "a", "label": [1]}]}', "Label 0"),
        (b'{"labels": [{"id": "", "label": 1}]}', "request id"),
        (b'{"labels": [7]}', "Label 0"),
    ],
)
def test_wrong_labels_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says):
        read(data)


@given(BODIES)
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    assert read_or_refused(lambda: read(data))
