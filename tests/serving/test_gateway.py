"""The gateway over HTTP: paths, hostile input, health. The models are pretended ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway_world import Client
from retrain.errors import UsageError
from retrain.serving.gateway import Gateway
from retrain.serving.options import Options
from retrain.site import Site
from waiting import wait_for

Open = Callable[..., Any]
Model = Callable[..., Any]
ROW = {"x": 1.0, "who": "a"}


def test_without_a_champion_nobody_answers_and_that_is_said(stand: Open) -> None:
    s = stand({})
    answer = s.ask(ROW)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "no champion" in answer.json()["error"]
    assert answer.json()["do"]
    health = s.client.get("/health")
    assert health.status_code == 503
    assert health.json()["status"] == "unavailable"
    assert list(health.json()["without_champion"]) == ["flights"]
    assert s.client.get("/ping").status_code == 200


def test_all_forms_and_paths_lead_to_the_same_answer(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()})
    s.release(1)
    bodies = [
        {"dataframe_records": [{"x": 3}]},
        {"dataframe_split": {"columns": ["x"], "data": [[3]]}},
        {"instances": [{"x": 3}]},
        {"inputs": {"x": [3]}},
    ]
    for path in ("/invocations", "/pipelines/flights/invocations"):
        for body in bodies:
            assert s.client.post(path, json=body).json()["predictions"] == [{"prediction": 3.0}]


def test_what_is_served_can_be_read(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(), 2: pretended()})
    number = s.release(1, 2, share=0.25, step=1, reason="looks good")
    told = s.client.get("/pipelines/flights").json()
    assert (told["release"], told["state"], told["champion"], told["challenger"]) == (number, "ramping", 1, 2)
    assert (told["share"], told["step"], told["reason"], told["entity"]) == (0.25, 1, "looks good", "who")
    assert told["problems"] == []
    assert s.client.get("/pipelines").json()["pipelines"][0]["pipeline"] == "flights"


@pytest.mark.parametrize(
    ("content", "headers", "status", "says"),
    [
        (b"{", {}, 400, "not JSON"),
        (b'{"instances": [{"x": NaN}]}', {}, 400, "null for a missing value"),
        (b'{"instances": [{"x": 1}, {"x": 1}], "request_ids": ["a", "a"]}', {}, 400, "an id twice"),
        (b'{"instances": [{"x": 1}]}', {"content-type": "text/csv"}, 415, "text/csv"),
        (b'{"instances": [{"x": 1}]}', {"content-type": "application/json; charset=utf-8"}, 200, "predictions"),
        (b'{"instances": [{"x": 1}]}', {"content-type": ""}, 415, "Content-Type"),
        (b'{"instances": [{"x": 1}]}', {"x-request-id": "x" * 1000}, 400, "request id"),
        (b"[" * 999, {}, 400, "not JSON"),
        (b'{"instances": [{"x": "' + b"x" * 2000 + b'"}]}', {}, 413, "BODY_BYTES"),
    ],
)
def test_hostile_requests_get_clear_errors(
    content: bytes, headers: dict[str, str], status: int, says: str, stand: Open, pretended: Model
) -> None:
    s = stand({1: pretended()}, body_bytes=1000)
    s.release(1)
    answer = s.client.post("/invocations", content=content, headers={"content-type": "application/json", **headers})
    assert answer.status_code == status
    assert says in answer.text
    if status != 200:
        assert set(answer.json()) >= {"error", "do"}
    assert s.ask(ROW).status_code == 200


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()}, body_bytes=1000)
    s.release(1)
    read: list[int] = []

    async def endless() -> Any:
        for number in range(100_000):
            read.append(number)
            yield b" " * 100

    answer = s.client.post("/invocations", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_unknown_names_and_paths(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()})
    unknown = s.client.post("/pipelines/trains/invocations", json={"instances": [{}]})
    assert unknown.status_code == 404
    assert "flights" in unknown.json()["do"]
    assert s.client.get("/pipelines/trains").status_code == 404
    assert s.client.get("/nothing").json()["do"]
    assert s.client.get("/invocations").status_code == 405


def test_an_unexpected_failure_is_json_too(stand: Open, pretended: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    s = stand({1: pretended()})
    s.release(1)
    monkeypatch.setattr(s.pipeline, "answer", None)
    answer = s.ask(ROW)
    assert answer.status_code == 500
    assert answer.json()["do"] == "see the gateway's log."


def test_nothing_to_serve_is_wrong_use(site: Site) -> None:
    with pytest.raises(UsageError, match="no pipeline to serve"):
        Gateway(site, (), Options())
    with pytest.raises(UsageError, match="no pipeline 'trains'"):
        Gateway(site, ("trains",), Options())


def test_two_pipelines_need_a_name(site: Site, pipeline_folder: Path) -> None:
    other = pipeline_folder.parent / "trains"
    shutil.copytree(pipeline_folder, other)
    text = (other / "pipeline.yaml").read_text()
    (other / "pipeline.yaml").write_text(text.replace("name: flights", "name: trains"))
    gateway = Gateway(site, (), Options())
    assert list(gateway.pipelines) == ["flights", "trains"]
    client = Client(gateway)
    unnamed = client.post("/invocations", json={"instances": [{}]})
    client.close()
    assert unnamed.status_code == 404
    assert "POST /pipelines/{name}/invocations" in unnamed.json()["do"]


def test_a_pipeline_whose_file_is_broken_is_served_all_the_same(
    stand: Open, pretended: Model, pipeline_folder: Path
) -> None:
    s = stand({1: pretended()})
    s.release(1)
    (pipeline_folder / "pipeline.yaml").write_text("name: flights\ntask: guessing\n")
    again = stand({1: pretended()})
    wait_for(lambda: again.number, "the champion")
    assert again.ask(ROW).status_code == 200
    health = again.client.get("/health")
    assert health.json()["status"] == "degraded"
    assert "pipeline.yaml" in health.text
