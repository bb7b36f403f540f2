"""A request's life in one pipeline: answers, the challenger's failures and the champion's own, records, shadows."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway_world import constant, refuse, slow
from retrain.errors import ModelTampered, StoreError
from retrain.log.reader import LogReader
from retrain.log.segment import line
from retrain.serving.router import goes_to_challenger
from retrain.site import Site
from waiting import wait_for

Open = Callable[..., Any]
Model = Callable[..., Any]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ROW = {"x": 1.0, "who": "a"}


def test_a_first_champion_is_taken_up_and_answers(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()})
    number = s.release(1)
    answer = s.ask(ROW, {"x": 2.0}, **{"X-Request-Id": "mine"})
    assert answer.status_code == 200
    assert answer.json() == {
        "predictions": [{"prediction": 1.0}, {"prediction": 2.0}],
        "request_ids": ["mine-0", "mine-1"],
    }
    assert answer.headers["X-Retrain-Version"] == "1"
    assert s.client.get("/health").json() == {"status": "ok", "without_champion": {}, "problems": {}}
    log = s.log(2)
    assert log[["id", "arm", "version", "release", "entity", "score", "served"]].values.tolist() == [
        ["mine-0", "champion", 1, number, "a", 1.0, True],
        ["mine-1", "champion", 1, number, log["entity"][1], 2.0, True],
    ]
    assert log["entity"].isna().tolist() == [False, True]
    assert json.loads(log["inputs"][0]) == ROW
    assert json.loads(log["output"][0]) == {"prediction": 1.0}
    assert (log["latency_ms"] > 0).all()
    assert log["error"].isna().all()


def test_the_answer_is_logged_before_it_is_given(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()}, ship_every=1000.0)
    s.release(1)
    assert s.ask(ROW, **{"X-Request-Id": "mine"}).status_code == 200
    segments = list((s.site.settings.home / "gateway" / "segments" / "flights").glob("*.jsonl"))
    assert b'"id":"mine"' in segments[0].read_bytes()


def test_ten_thousand_rows_at_once(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()})
    s.release(1)
    answer = s.ask(*({"x": float(number)} for number in range(10_000)))
    assert [p["prediction"] for p in answer.json()["predictions"]] == [float(number) for number in range(10_000)]
    assert len(set(answer.json()["request_ids"])) == 10_000
    s.log(10_000)


def test_a_ramp_is_sticky_by_entity_and_keeps_its_share(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended(constant(2))})
    s.release(1, 2, share=0.3)
    rows = [{"x": 0.0, "who": f"N{number % 100}"} for number in range(1000)]
    answers = s.ask(*rows)
    assert answers.headers["X-Retrain-Version"] == "1,2"
    release = s.pipeline.follower.routing.release
    for row, answer in zip(rows, answers.json()["predictions"], strict=True):
        assert answer == {"prediction": 2.0 if goes_to_challenger(release, row["who"]) else 1.0}
    log = s.log(1000)
    assert log.groupby("entity")["arm"].nunique().max() == 1
    assert set(log["arm"]) == {"champion", "challenger"}
    assert log["version"].eq(log["arm"].map({"champion": 1, "challenger": 2})).all()


def test_rows_that_name_nobody_have_a_coin_of_their_own_whatever_ids_callers_choose(
    stand: Open, pretended: Model
) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended(constant(2))})
    s.release(1, 2, share=0.5)
    said = []
    for _ in range(2):
        answers = s.ask(*({"x": 0.0} for _ in range(200)), **{"X-Request-Id": "mine"}).json()["predictions"]
        said.append([answer["prediction"] for answer in answers])
    assert all(50 < one.count(2.0) < 150 for one in said)
    assert said[0] != said[1], "an id is no way to choose the model"


CHALLENGERS: dict[str, tuple[Any, str]] = {
    "raises": (refuse, "no such airport"),
    "NaN": (constant(float("nan")), "NaN"),
    "infinite": (constant(float("inf")), "infinite"),
    "slow": (slow, "no answer within 0.2 s"),
}


@pytest.mark.parametrize("how", CHALLENGERS)
def test_callers_never_notice_a_bad_challenger(how: str, stand: Open, pretended: Model) -> None:
    score, error = CHALLENGERS[how]
    s = stand({1: pretended(constant(1)), 2: pretended()}, challenger_patience=0.2)
    s.release(1, 2, share=1.0)
    s.models[2].score = score
    for _ in range(2):
        answer = s.ask(ROW, **{"X-Request-Id": "a"})
        assert answer.status_code == 200
        assert answer.json()["predictions"] == [{"prediction": 1.0}]
        assert answer.headers["X-Retrain-Version"] == "1"
    log = s.log(4).sort_values(["at", "arm"])
    assert log[["arm", "version", "served"]].values.tolist() == [["challenger", 2, False], ["fallback", 1, True]] * 2
    failed, fallback = log[log["arm"] == "challenger"], log[log["arm"] == "fallback"]
    assert failed["error"].str.contains(error).all()
    assert failed["output"].isna().all()
    assert fallback["error"].isna().all()
    assert (fallback["latency_ms"].to_numpy() >= failed["latency_ms"].to_numpy()).all()
    metrics = s.client.get("/metrics").text
    assert 'retrain_fallbacks_total{pipeline="flights"} 2.0' in metrics
    assert 'arm="challenger"' in metrics


def test_a_hanging_challenger_does_not_hold_up_the_champion(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended()}, challenger_patience=20.0)
    s.release(1, 2, share=0.5)
    entered, go_on = threading.Event(), threading.Event()
    s.models[2].score = lambda row: 2.0 if entered.set() or go_on.wait(20) else 0.0
    release = s.pipeline.follower.routing.release
    rows = [{"who": f"N{number}", "x": 0.0} for number in range(40)]
    tried = next(row for row in rows if goes_to_challenger(release, str(row["who"])))
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(s.ask(tried)))
    caller.start()
    assert entered.wait(20)
    for row in rows:
        if not goes_to_challenger(release, str(row["who"])):
            assert s.ask(row).json()["predictions"] == [{"prediction": 1.0}]
    assert answers == [], "the challenger hung all the while"
    go_on.set()
    caller.join()
    assert answers[0].json()["predictions"] == [{"prediction": 2.0}]


def test_one_bad_row_among_many_callers_is_one_error(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended()})
    s.release(1, 2, share=1.0)
    s.models[2].score = lambda row: refuse(row) if row["x"] == 13 else 2.0
    answers = s.client.post_at_once("/invocations", [{"instances": [{"x": number}]} for number in range(60)])
    assert [a.json()["predictions"][0]["prediction"] for a in answers] == [2.0 if n != 13 else 1.0 for n in range(60)]
    log = s.log(61)
    assert log["arm"].value_counts().to_dict() == {"challenger": 60, "fallback": 1}
    assert log["error"].notna().sum() == 1


@pytest.mark.parametrize("phase", ["canary", "shadow"])
def test_a_challenger_that_cannot_be_loaded_fails_on_every_row(phase: str, stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: ModelTampered("its hash differs")})
    s.release(1, 2, share=1.0) if phase == "canary" else s.release(1, 2, shadow=1.0)
    answer = s.ask(ROW)
    assert answer.status_code == 200
    assert answer.json()["predictions"] == [{"prediction": 1.0}]
    log = s.log(2)
    arm = "challenger" if phase == "canary" else "shadow"
    (failed,) = log[log["arm"] == arm].to_dict("records")
    assert "its hash differs" in failed["error"]
    assert failed["version"] == 2
    health = s.client.get("/health")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert "its hash differs" in health.text


def test_a_challenger_that_waits_for_the_store_gets_no_requests(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: StoreError("the store is away")})
    first = s.release(1)
    s.write(1, 2, share=1.0)
    wait_for(lambda: s.pipeline.problems, "the problem")
    assert s.ask(ROW).headers["X-Retrain-Version"] == "1"
    assert s.number == first
    assert s.client.get("/health").json()["status"] == "degraded"
    assert s.log(1)["arm"].tolist() == ["champion"]


def test_shadows_are_logged_unheard(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended(constant(2))})
    number = s.release(1, 2, shadow=1.0)
    answers = [s.ask(ROW, {"x": 2.0}) for _ in range(5)]
    assert all(answer.json()["predictions"] == [{"prediction": 1.0}] * 2 for answer in answers)
    log = s.log(20)
    shadows, heard = log[log["arm"] == "shadow"], log[log["arm"] == "champion"]
    assert sorted(shadows["id"]) == sorted(heard["id"])
    assert set(shadows["version"]) == {2}
    assert set(shadows["release"]) == {number}
    assert not shadows["served"].any()
    assert heard["served"].all()
    assert (shadows["score"] == 2).all()


def test_beside_a_ramp_the_challenger_also_answers_what_the_champion_answered(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended(constant(2))})
    s.release(1, 2, share=0.5, shadow=1.0)
    s.ask(*({"x": 0.0, "who": f"N{number}"} for number in range(40)))
    of_arm = wait_for(lambda: paired(s), "shadows of all that the champion answered")
    assert sorted(of_arm["shadow"]) == sorted(of_arm["champion"])
    assert not set(of_arm["shadow"]) & set(of_arm["challenger"])


def paired(s: Any) -> dict[str, list[str]]:
    """The ids that each arm answered, once the challenger has answered as many unheard as the champion."""
    log = LogReader(s.site.store, "flights", LONG_AGO).poll()[0]
    ids = {str(arm): rows["id"].tolist() for arm, rows in log.groupby("arm")}
    return ids if "shadow" in ids and len(ids["shadow"]) == len(ids.get("champion", [])) else {}


def test_shadows_that_pile_up_are_dropped_and_counted(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended()}, shadow_rows=3, challenger_patience=20.0)
    s.release(1, 2, shadow=1.0)
    s.models[2].score = slow
    for _ in range(20):
        assert s.ask(ROW).status_code == 200
    dropped = [
        text for text in s.client.get("/metrics").text.splitlines() if text.startswith("retrain_shadow_dropped_t")
    ]
    assert float(dropped[0].rsplit(" ", 1)[1]) >= 10


def test_a_part_of_the_requests_is_shadowed(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(), 2: pretended()})
    s.release(1, 2, shadow=0.5)
    s.ask(*({"x": 0.0} for _ in range(400)))
    wait_for(lambda: (LogReader(s.site.store, "flights", LONG_AGO).poll()[0]["arm"] == "shadow").sum() > 100, "shadows")


def test_a_row_the_champion_cannot_answer_is_an_error_of_this_row(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(lambda row: refuse(row) if row.get("x") == 13 else 1.0)})
    s.release(1)
    answers = s.client.post_at_once("/invocations", [{"instances": [{"x": n}]} for n in range(10, 20)])
    assert [answer.status_code for answer in answers] == [200] * 3 + [500] + [200] * 6
    error = answers[3].json()
    assert "no such airport" in error["error"]
    assert error["rows"] == [0]
    assert len(error["request_ids"]) == 1
    log = s.log(10)
    assert log["error"].notna().sum() == 1
    assert (~log["served"]).sum() == 1


def test_a_request_of_many_rows_names_the_bad_ones(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(lambda row: refuse(row) if row.get("x") == 13 else 1.0)})
    s.release(1)
    answer = s.client.post(
        "/invocations",
        json={"instances": [{"x": 1}, {"x": 13}, {"x": 2}, {"x": 13}], "request_ids": ["a", "b", "c", "d"]},
    )
    assert answer.status_code == 500
    assert answer.json()["rows"] == [1, 3]
    assert answer.json()["request_ids"] == ["b", "d"]
    log = s.log(4)
    assert not log["served"].any(), "nobody got these answers"
    assert log["error"].notna().tolist().count(True) == 2


def test_a_row_that_is_wrong_is_the_callers_error(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended(), 2: pretended()})
    s.release(1, 2, share=1.0)
    answer = s.ask({"x": "not a number"})
    assert answer.status_code == 400
    assert "x should be a number" in answer.json()["error"]
    assert s.log(2)["arm"].tolist().count("fallback") == 1


def test_a_champion_that_hangs_is_a_timeout(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()}, champion_patience=0.2)
    s.release(1)
    s.models[1].score = slow
    answer = s.ask(ROW)
    assert answer.status_code == 504
    assert "no answer within 0.2 s" in answer.json()["error"]


def test_too_many_waiting_rows_are_sent_away(stand: Open, pretended: Model) -> None:
    s = stand({1: pretended()}, waiting_rows=5, champion_patience=20.0)
    s.release(1)
    s.models[1].score = lambda row: time.sleep(0.1) or 1.0
    answers = s.client.post_at_once("/invocations", [{"instances": [{"x": n}]} for n in range(9)])
    sent_away = [answer for answer in answers if answer.status_code == 503]
    assert 3 <= len(sent_away) <= 4
    assert all(answer.headers["Retry-After"] for answer in sent_away)


def test_while_nothing_can_be_logged_the_champion_answers_alone(stand: Open, pretended: Model, site: Site) -> None:
    s = stand({1: pretended(constant(1)), 2: pretended(constant(2))})
    segments = site.settings.home / "gateway" / "segments"
    shutil.rmtree(segments / "flights")  # after its start, at which it would refuse
    (segments / "flights").write_text("a file where the folder should be")
    s.release(1, 2, share=1.0)
    s.ask(ROW)  # this one finds out
    asked = len(s.models[2].calls)
    for _ in range(3):
        answer = s.ask(ROW)
        assert answer.status_code == 200
        assert answer.json()["predictions"] == [{"prediction": 1.0}]
    assert len(s.models[2].calls) == asked
    assert 'retrain_unlogged_total{pipeline="flights"} 4.0' in s.client.get("/metrics").text
    assert s.client.get("/health").json()["status"] == "degraded"
    label = s.client.post("/labels", json={"labels": [{"id": "a", "label": 1}]})
    assert label.status_code == 503
    assert label.headers["Retry-After"]
    (segments / "flights").unlink()
    assert s.ask(ROW).json()["predictions"] == [{"prediction": 1.0}]
    assert s.ask(ROW).json()["predictions"] == [{"prediction": 2.0}], "logging works again, so the canary goes on"
    assert s.client.get("/health").json()["status"] == "ok"
    s.log(2)


def test_labels_are_logged_known_or_not(stand: Open, pretended: Model) -> None:
    s = stand({})
    content = {"labels": [{"id": "nobody asked", "label": True}, {"id": "b", "label": "ö"}, {"id": "b", "label": 2}]}
    answer = s.client.post("/labels", json=content)
    assert answer.json() == {"accepted": 3}
    assert s.labels(3)[["id", "label"]].values.tolist() == [["nobody asked", "true"], ["b", '"ö"'], ["b", "2"]]
    assert s.client.post("/pipelines/flights/labels", json={"labels": []}).status_code == 400


def test_what_a_dead_gateway_left_is_shipped(stand: Open, pretended: Model, site: Site) -> None:
    folder = site.settings.home / "gateway" / "segments" / "flights"
    folder.mkdir(parents=True)
    row = {"at": 1_600_000_000_000_000, "id": "left", "release": 1, "arm": "champion", "version": 1, "served": True}
    (folder / "20200101T000000_dead.jsonl").write_bytes(line("predictions", row) + b'{"torn')
    s = stand({})
    assert s.log(1)["id"].tolist() == ["left"]
    wait_for(lambda: list(folder.iterdir()) == [], "the segment's end")


def test_stopping_ships_everything(stand: Open, pretended: Model, site: Site) -> None:
    s = stand({1: pretended()}, ship_every=1000.0)
    s.release(1)
    s.ask(*({"x": float(number)} for number in range(100)))
    s.client.close()
    s.log(100)
    assert list((site.settings.home / "gateway" / "segments" / "flights").iterdir()) == []
