"""What callers send in MLflow's forms, right and wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anything import BODIES, JSON, read_or_refused
from gateway_world import SIGNATURE
from retrain.serving.invocation import Invocation, Refused
from retrain.serving.protocols.base import Endpoint, HttpRequest
from retrain.serving.protocols.mlflow import Mlflow

ROWS = [{"a": 1, "b": "x"}, {"a": 2.5, "b": None}]


def read(data: bytes, request_id: str | None) -> Invocation:
    headers = {} if request_id is None else {"x-request-id": request_id}
    return Mlflow().read(HttpRequest({}, headers, data), Endpoint("flights", 1, SIGNATURE))


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
    invocation = read(body(**content), None)
    assert invocation.rows == ROWS
    assert len(set(invocation.ids)) == 2


def test_one_row_of_scalars() -> None:
    assert read(body(inputs={"a": 1}), None).rows == [{"a": 1}]


def test_ids_come_from_the_body_then_the_header_then_chance() -> None:
    assert read(body(instances=ROWS, request_ids=["p", 7]), "h").ids == ["p", "7"]
    assert read(body(instances=ROWS[:1]), "h").ids == ["h"]
    assert read(body(instances=ROWS), "h").ids == ["h-0", "h-1"]
    assert read(body(instances=ROWS[:1]), None).ids != read(body(instances=ROWS[:1]), None).ids


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
        read(data, None)
    assert caught.value.status == 400
    answer = json.loads(Mlflow().refuse(caught.value).body)
    assert says in answer["error"] + answer["do"]
    assert answer["do"]


def test_a_header_that_is_no_id_is_refused() -> None:
    with pytest.raises(Refused, match="not a request id"):
        read(body(instances=[{}]), "x" * 1000)


@given(BODIES)
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    assert read_or_refused(lambda: read(data, None))


@given(st.sampled_from(["inputs", "instances", "dataframe_records", "dataframe_split", "request_ids", "params"]), JSON)
def test_whatever_stands_under_a_known_key_is_read_or_refused(key: str, value: Any) -> None:
    content = {key: value} if key != "request_ids" else {"instances": [{}], key: value}
    assert read_or_refused(lambda: read(body(**content), None).rows)
