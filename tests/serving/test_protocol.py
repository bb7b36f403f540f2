"""What callers send, right and wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.serving.protocol import Refused, read_invocation, read_labels

ROWS = [{"a": 1, "b": "x"}, {"a": 2.5, "b": None}]


def body(**content: Any) -> bytes:
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    "content",
    [
        {"dataframe_records": ROWS},
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2.5, None]]}},
        {"dataframe_split": {"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2.5, None]]}},
        {"instances": ROWS},
        {"inputs": ROWS},
        {"inputs": {"a": [1, 2.5], "b": ["x", None]}},
        {"inputs": ROWS, "params": {"whatever": 1}},
    ],
)
def test_mlflows_forms_are_read(content: dict[str, Any]) -> None:
    invocation = read_invocation(body(**content), None)
    assert invocation.rows == ROWS
    assert len(set(invocation.ids)) == 2


def test_one_row_of_scalars() -> None:
    assert read_invocation(body(inputs={"a": 1}), None).rows == [{"a": 1}]


def test_ids_come_from_the_body_then_the_header_then_chance() -> None:
    assert read_invocation(body(instances=ROWS, request_ids=["p", 7]), "h").ids == ["p", "7"]
    assert read_invocation(body(instances=ROWS[:1]), "h").ids == ["h"]
    assert read_invocation(body(instances=ROWS), "h").ids == ["h-0", "h-1"]
    assert read_invocation(body(instances=ROWS[:1]), None).ids != read_invocation(body(instances=ROWS[:1]), None).ids


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"instances": [{"a": NaN}]}', "NaN"),
        (b'{"instances": [{"a": Infinity}]}', "not JSON"),
        (b'{"instances": [{"a": "\\ud800"}]}', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "0 of the keys"),
        (b'{"instances": [], "inputs": []}', "2 of the keys"),
        (b'{"instances": []}', "no rows"),
        (b'{"inputs": {}}', "no rows"),
        (b'{"instances": {"a": 1}}', "not a list of rows"),
        (b'{"instances": [[1, 2]]}', "Row 0"),
        (b'{"dataframe_records": [{"a": 1}, null]}', "Row 1"),
        (b'{"dataframe_records": [{"a": 1}], "request_id": "x"}', "unknown keys: 'request_id'"),
        (b'{"dataframe_split": [[1]]}', "`columns` and `data`"),
        (b'{"dataframe_split": {"columns": ["a"]}}', "`columns` and `data`"),
        (b'{"dataframe_split": {"columns": "a", "data": [[1]]}}', "not a list of names"),
        (b'{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}', "twice"),
        (b'{"dataframe_split": {"columns": ["a"], "data": 3}}', "not a list of rows"),
        (b'{"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}', "Row 1"),
        (b'{"inputs": {"a": [1, 2], "b": [1]}}', "different lengths"),
        (b'{"inputs": 3}', "not a list of rows"),
        (b'{"instances": [{}], "request_ids": []}', "not a list of 1 ids"),
        (b'{"instances": [{}, {}], "request_ids": ["a", "a"]}', "an id twice"),
        (b'{"instances": [{}], "request_ids": [null]}', "not a request id"),
        (b'{"instances": [{}], "request_ids": [true]}', "not a request id"),
        (b'{"instances": [{}], "request_ids": [""]}', "not a request id"),
        (b'{"instances": [{}], "request_ids": ["a\\nb"]}', "not a request id"),
    ],
)
def test_what_cannot_be_read_is_refused_and_says_why(data: bytes, says: str) -> None:
    with pytest.raises(Refused, match=says.replace("(", r"\(")) as caught:
        read_invocation(data, None)
    assert caught.value.status == 400
    answer = json.loads(caught.value.to_json())
    assert says in answer["error"] + answer["do"]
    assert answer["do"]


def test_a_header_that_is_no_id_is_refused() -> None:
    with pytest.raises(Refused, match="not a request id"):
        read_invocation(body(instances=[{}]), "x" * 1000)


def test_labels_are_read() -> None:
    labels = read_labels(body(labels=[{"id": "a", "label": True}, {"id": 7, "label": 2.5}]))
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
        read_labels(data)


def read_or_refused(read: Callable[[], Any]) -> bool:
    """It must be read, or refused as the caller's mistake in JSON; anything else is raised."""
    try:
        return bool(read())
    except Refused as refused:
        return refused.status == 400 and bool(json.loads(refused.to_json())["error"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["inputs", "columns", "data"]), inner),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value, allow_nan=True).encode()))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for read in (lambda: read_invocation(data, None), lambda: read_labels(data)):
        assert read_or_refused(read)


@given(st.sampled_from(["inputs", "instances", "dataframe_records", "dataframe_split", "request_ids", "params"]), JSON)
def test_whatever_stands_under_a_known_key_is_read_or_refused(key: str, value: Any) -> None:
    content = {key: value} if key != "request_ids" else {"instances": [{}], key: value}
    assert read_or_refused(lambda: read_invocation(body(**content), None).rows)
