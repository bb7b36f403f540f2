"""A protocol that is not ours, by import path: answered, refused and logged like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway_world import constant, refuse
from retrain.serving.router import goes_to_challenger
from waiting import wait_for

Open = Callable[..., Any]
Model = Callable[..., Any]
CSV = ("csv_protocol:Csv",)
PATH = "/pipelines/flights/csv"


def post(s: Any, text: str | bytes, content_type: str = "text/csv; charset=utf-8", **headers: str) -> httpx.Response:
    answer: httpx.Response = s.client.post(PATH, content=text, headers={"Content-Type": content_type, **headers})
    return answer


def test_it_answers_in_its_own_form(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()}, protocols=CSV)
    s.release(1)
    answer = post(s, "x,who\n1.5,a\n2,\n", **{"X-Request-Id": "mine"})
    assert answer.status_code == 200
    assert answer.text == "request_id,prediction\nmine-0,1.5\nmine-1,2.0\n"
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert (answer.headers["X-Rows"], answer.headers["X-Retrain-Version"]) == ("2", "1")
    assert post(s, "x;who\n1;a\n", **{"X-Request-Id": "b"}).text == "request_id;prediction\nb;1.0\n"


def test_its_requests_are_routed_logged_and_counted_like_any_other(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1.0)), 2: pretended(constant(2.0))}, protocols=CSV)
    number = s.release(1, 2, share=0.5)
    names = [f"N{number}" for number in range(40)]
    answer = post(s, "\n".join(["x,who", *(f"0.5,{name}" for name in names)]))
    said = [line.rpartition(",")[2] for line in answer.text.splitlines()[1:]]
    release = s.pipeline.follower.routing.release
    assert said == ["2.0" if goes_to_challenger(release, name) else "1.0" for name in names]
    assert answer.headers["X-Retrain-Version"] == "1,2"
    log = s.log(40)
    assert sorted(log["entity"]) == sorted(names)
    assert set(log["arm"]) == {"champion", "challenger"}
    assert log["served"].all()
    assert set(log["release"]) == {number}
    assert set(log["inputs"].str.contains('"x":"0.5"')) == {True}
    assert 'retrain_http_responses_total{route="csv",status="200"} 1.0' in s.client.get("/metrics").text


def test_its_requests_are_shadowed(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1.0)), 2: pretended(constant(2.0))}, protocols=CSV)
    s.release(1, 2, shadow=1.0)
    assert post(s, "x\n1\n", **{"X-Request-Id": "a"}).text == "request_id,prediction\na,1.0\n"
    assert sorted(s.log(2)["arm"]) == ["champion", "shadow"]


def test_every_refusal_has_its_form(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()}, protocols=CSV, body_bytes=100)
    nobody = post(s, "x\n1\n")
    assert (nobody.status_code, nobody.headers["Retry-After"]) == (503, "5")
    assert nobody.text.startswith("Pipeline 'flights' has no champion")
    s.release(1)
    assert post(s, "x\n1\n", "application/json").status_code == 415
    assert post(s, "z\n1\n").text == "There are no rows. name columns: x, who.\n"
    assert post(s, "x\n" + "1\n" * 100).status_code == 413
    assert post(s, "x\nnot a number\n").text.startswith("The row could not be answered: ValueError: x should be")
    unknown = s.client.post("/pipelines/trains/csv", content="x\n1\n", headers={"Content-Type": "text/csv"})
    assert (unknown.status_code, unknown.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert unknown.text.startswith("There is no pipeline 'trains' here.")
    s.models[1].score = refuse
    assert post(s, "x\n1\n").status_code == 500
    assert post(s, "x\n\xff\n".encode("latin-1")).text == (
        "The gateway failed on this request. see the gateway's log.\n"
    ), "what a protocol does not catch is no answer either"


def test_it_tells_what_is_served(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()}, protocols=CSV)
    nothing = s.client.get(PATH)
    assert (nothing.status_code, nothing.headers["Retry-After"]) == (503, "7")
    s.release(1)
    assert s.client.get(PATH).text == "x,who"
    assert s.client.get("/pipelines/trains/csv").status_code == 404


def test_ours_is_spoken_beside_it(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()}, protocols=CSV)
    s.release(1)
    assert s.ask({"x": 1.0}).json()["predictions"] == [{"prediction": 1.0}]
    wait_for(lambda: s.client.get("/health").json()["status"] == "ok", "health")


@pytest.mark.parametrize("text", ["x\nnot a number\n", "nothing\n"])
def test_a_protocol_that_cannot_word_a_refusal_refuses_in_the_gateways_form(
    text: str, stand: Open, pretended: Model
) -> None:
    s = stand({1: pretended()}, protocols=("csv_protocol:Wordless",))
    s.release(1)
    answer = post(s, text)
    assert answer.status_code == 400
    assert set(answer.json()) >= {"error", "do"}
