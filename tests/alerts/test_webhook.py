"""A webhook, against a real server."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from retrain.alerts import webhook
from retrain.alerts.events import Event, Vetoed
from retrain.alerts.webhook import Webhook
from retrain.errors import AlertError

SECRET = "xoxb-very-secret"


class Listener(HTTPServer):
    """Keeps what is posted, and answers with the next of ``answers``; the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[Any] = []
        self.answers = [200]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append((self.path, self.headers["content-type"], json.loads(body)))
        answers = self.server.answers
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.send_header("location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setattr(webhook, "PAUSE", 0.0)
    server = Listener()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def vetoed() -> Event:
    headline = "p: version 3 vetoed: <script>alert(1)</script> [click](http://evil) \\u202e"
    return Vetoed(on="decision", pipeline="p", run="r", version=3, headline=headline)


def told(url: str, **settings: Any) -> str:
    """Tell a webhook; the error, or nothing."""
    try:
        Webhook.model_validate({"to": "webhook", "url": url, **settings}).send(vetoed())
    except AlertError as error:
        return str(error)
    return ""


def test_the_event_is_posted_as_json(listener: Listener) -> None:
    assert told(listener.url) == ""
    ((path, content_type, said),) = listener.heard
    assert path == f"/{SECRET}"
    assert content_type == "application/json"
    event = vetoed()
    assert said["headline"] == event.headline, "text from the data arrives as it is, as text"
    assert {key: said[key] for key in ("kind", "on", "pipeline", "run", "version")} == {
        "kind": "vetoed", "on": "decision", "pipeline": "p", "run": "r", "version": 3,
    }  # fmt: skip
    assert "retrain bless p 3" in said["do"]


@pytest.mark.parametrize(("answers", "posts"), [([503, 429, 200], 3), ([500, 204], 2)])
def test_it_is_tried_again_while_the_other_side_may_come_back(
    listener: Listener, answers: list[int], posts: int
) -> None:
    listener.answers = answers
    assert told(listener.url) == ""
    assert len(listener.heard) == posts


@pytest.mark.parametrize(("answer", "posts"), [(404, 1), (403, 1), (302, 1), (503, 3)])
def test_an_answer_against_is_an_error_that_names_the_host_and_not_the_address(
    listener: Listener, answer: int, posts: int
) -> None:
    listener.answers = [answer]
    said = told(listener.url)
    assert f"127.0.0.1 was not told of 'vetoed' of 'p': it answered {answer}" in said
    assert SECRET not in said
    assert len(listener.heard) == posts


def test_nobody_there_is_an_error_after_so_many_tries(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(webhook.time, "sleep", pauses.append)
    monkeypatch.setattr(webhook, "PAUSE", 1.0)
    said = told(f"http://127.0.0.1:1/{SECRET}", tries=3)
    assert "ConnectError: no answer" in said
    assert SECRET not in said
    assert pauses == [1.0, 2.0]


def test_one_that_never_answers_is_given_up_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        said = told(f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}", timeout="0.2s", tries=1)
    assert "ReadTimeout: no answer" in said


def test_the_address_is_in_no_log(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        told(listener.url)
        listener.answers = [500]
        told(listener.url)
    assert SECRET not in caplog.text
    assert SECRET not in repr(Webhook.model_validate({"to": "webhook", "url": listener.url}))


def test_the_address_may_be_read_from_the_environment(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Webhook.model_validate({"to": "webhook", "url": "$HOOK"})
    monkeypatch.delenv("HOOK", raising=False)
    problem = hook.problem()
    assert problem is not None
    assert problem.key == "url"
    assert "read from $HOOK, which holds no http or https address" in told("$HOOK")
    monkeypatch.setenv("HOOK", f"ftp://{SECRET}")
    assert SECRET not in told("$HOOK")
    monkeypatch.setenv("HOOK", listener.url)
    assert hook.problem() is None
    assert told("$HOOK") == ""
    assert len(listener.heard) == 1
