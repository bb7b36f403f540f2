"""Live traffic against a small server that behaves as the gateway does, or worse."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from retrain.demo.data import LiveRequest
from retrain.demo.traffic import Traffic

START = datetime(2013, 5, 1, tzinfo=UTC)


class Server(ThreadingHTTPServer):
    """Takes down what it is asked; answers what ``reply`` says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.labels: list[dict[str, Any]] = []
        self.reply: Callable[[str], tuple[int, str]] = lambda request_id: (200, "1")
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/labels":
            with self.server.lock:
                self.server.labels += body["labels"]
            return self.answer(200, {}, {"accepted": len(body["labels"])})
        request_id = self.headers["X-Request-Id"]
        status, version = self.server.reply(request_id)
        with self.server.lock:
            self.server.asked.append((request_id, body["dataframe_records"][0]))
        if status == 0:
            self.close_connection = True
            return self.connection.close()
        return self.answer(status, {"X-Retrain-Version": version} if status == 200 else {}, {"predictions": []})

    def answer(self, status: int, headers: dict[str, str], content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def flights(count: int, *, carrier: str = "UA") -> list[LiveRequest]:
    return [
        LiveRequest(
            START + timedelta(minutes=n),
            {"flight_id": f"f{n}", "carrier": carrier},
            None if n % 10 == 9 else float(n % 3 * 20),
        )
        for n in range(count)
    ]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.01)


def test_every_request_has_an_id_of_its_own_and_its_own_truth(server: Server) -> None:
    requests = flights(50)
    with Traffic(server.url, requests, name="run", rate=5_000) as traffic:
        until(lambda: len(traffic.answers) >= 120)  # more than twice round
    ids = [request_id for request_id, _ in server.asked]
    assert len(ids) == len(set(ids)) == len(traffic.answers)
    assert {i.rpartition("/")[2] for i in ids} >= {"run-1", "run-2", "run-3"}
    for request_id, payload in server.asked:
        assert request_id.startswith(f"{payload['flight_id']}/")

    truth = {request.id: request.outcome for request in requests}
    answered = [i for i in ids if truth[i.partition("/")[0]] is not None]
    assert sorted(label["id"] for label in server.labels) == sorted(answered)  # each once; none for cancelled flights
    assert all(label["label"] is (truth[label["id"].partition("/")[0]] >= 30) for label in server.labels)  # type: ignore[operator]
    assert traffic.tally.labels == len(answered)


def test_asked_in_the_order_of_time(server: Server) -> None:
    with Traffic(server.url, flights(100), name="run", rate=2_000, connections=1) as traffic:
        until(lambda: len(traffic.answers) >= 60)
    assert [payload["flight_id"] for _, payload in server.asked][:60] == [f"f{n}" for n in range(60)]


def test_failures_and_versions_are_counted(server: Server) -> None:
    def reply(request_id: str) -> tuple[int, str]:
        number = int(request_id.partition("/")[0][1:])
        return (500, "") if number % 20 == 0 else (200, "2" if number % 4 == 1 else "1")

    server.reply = reply
    with Traffic(server.url, flights(100), name="run", rate=5_000) as traffic:
        until(lambda: len(traffic.answers) >= 100)
    tally = traffic.tally
    asked = [int(payload["flight_id"][1:]) for _, payload in server.asked]
    assert tally.failed == sum(n % 20 == 0 for n in asked) > 0
    assert tally.versions == {1: sum(n % 20 != 0 and n % 4 != 1 for n in asked), 2: sum(n % 4 == 1 for n in asked)}
    assert tally.answered == sum(tally.versions.values())
    assert traffic.first_error is not None
    assert traffic.first_error.startswith("500 ")


def test_broken_connection_is_a_failure_and_is_opened_again(server: Server) -> None:
    server.reply = lambda request_id: (0, "") if request_id.startswith("f5/") else (200, "1")
    with Traffic(server.url, flights(20), name="run", rate=5_000, connections=2) as traffic:
        until(lambda: len(traffic.answers) >= 20)
    assert traffic.tally.failed >= 1
    assert {answer.status for answer in traffic.answers} == {0, 200}
    assert traffic.tally.answered >= 15


def test_nobody_there_is_a_failure_and_no_end(server: Server) -> None:
    with Traffic("http://127.0.0.1:9", flights(5), name="run", rate=100, connections=1) as traffic:
        until(lambda: len(traffic.answers) >= 2)
    assert traffic.tally.answered == 0
    assert traffic.tally.failed == len(traffic.answers)


def test_turns_to_other_requests_at_the_same_place(server: Server) -> None:
    with Traffic(server.url, flights(10_000), name="run", rate=5_000, connections=1) as traffic:
        until(lambda: len(traffic.answers) >= 30)
        traffic.turn_to(flights(10_000, carrier="B6"))
        until(lambda: server.asked[-1][1]["carrier"] == "B6")
    carriers = [payload["carrier"] for _, payload in server.asked]
    turned = carriers.index("B6")
    assert set(carriers[turned:]) == {"B6"}
    assert [payload["flight_id"] for _, payload in server.asked] == [f"f{n}" for n in range(len(carriers))]


def test_keeps_to_its_rate(server: Server) -> None:
    """More requests than the rate allows are never sent, however fast the answers are."""
    began = time.monotonic()
    with Traffic(server.url, flights(1_000), name="run", rate=100) as traffic:
        until(lambda: len(traffic.answers) >= 40)
        took = time.monotonic() - began
    assert len(traffic.answers) <= 100 * (took + 1) + traffic.connections
    assert took >= 0.3
