"""`retrain --airflow URL …`, typed where there is no store: a server that listens, and the command line beside it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from airflow_world import DAG, OTHER, client, served
from retrain import cli
from retrain.demo.waiting import looks
from retrain.ledger import Ledger
from retrain.remote import TOKEN, URL

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(airflow_server: FastAPI) -> Iterator[str]:
    """The server's address, as long as it listens."""
    server = uvicorn.Server(uvicorn.Config(airflow_server, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in looks(30, pause=0.02):
        if server.started:
            break
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


def token(app: FastAPI, role: str, name: str) -> str:
    return str(client(app, role, name=name).headers["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def typed(
    url: str,
    airflow_server: FastAPI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Typed:
    """Type a command as alice, who may start runs, and see its status, what it says and what goes wrong."""
    monkeypatch.setenv(TOKEN, token(airflow_server, "user", "alice"))
    monkeypatch.setenv(URL, url)

    def type_in(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["retrain", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return type_in


def test_one_looks_from_a_laptop_without_the_store(typed: Typed, airflow_ledger: Ledger) -> None:
    served(airflow_ledger, 1)
    status, out, _ = typed("status")
    assert (status, OTHER in out) == (0, True)
    assert "OK" in out or "NEW" in out
    assert "version 1" in typed("status", DAG)[1]
    assert "promoted: champion 1" in typed("ledger", DAG)[1]
    assert len(typed("ledger", DAG, "--last", "2")[1].splitlines()) == 3


def test_what_is_steered_from_a_laptop_is_in_the_ledger_with_the_name(typed: Typed, airflow_ledger: Ledger) -> None:
    served(airflow_ledger, 1)
    served(airflow_ledger, 2)
    status, out, err = typed("rollback", DAG, "--to", "1", "--reason", "wrong prices")
    assert (status, err) == (0, "")
    assert "champion 1" in out
    assert airflow_ledger.entries()[-1].actor == "airflow:alice"
    assert typed("veto", DAG, "2", "--reason", "wrong prices")[0] == 0
    assert not airflow_ledger.version(2).blessed
    assert typed("bless", DAG, "2", "--reason", "they were right")[0] == 0
    assert airflow_ledger.version(2).blessed


def test_what_is_not_possible_is_refused_in_words(typed: Typed, airflow_ledger: Ledger) -> None:
    served(airflow_ledger, 1)
    before = airflow_ledger.head
    status, _, err = typed("pause", DAG, "--reason", "wait")
    assert (status, "No release is under way." in err) == (2, True)
    status, _, err = typed("rollback", DAG, "--reason", "wait")
    assert (status, "No other version that is blessed has served." in err) == (2, True)
    assert airflow_ledger.head == before


def test_who_may_only_look_is_told_so(
    typed: Typed, airflow_server: FastAPI, airflow_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(airflow_ledger, 1)
    monkeypatch.setenv(TOKEN, token(airflow_server, "viewer", "bob"))
    status, _, err = typed("veto", DAG, "1", "--reason", "no")
    assert (status, "needs the right to start runs" in err) == (2, True)
    monkeypatch.setenv(TOKEN, "nonsense")
    status, _, err = typed("status")
    assert (status, TOKEN in err) == (2, True)


def test_an_airflow_that_does_not_answer_is_named(typed: Typed) -> None:
    status, _, err = typed("--airflow", "http://127.0.0.1:1", "veto", DAG, "1", "--reason", "no")
    assert status == 3
    assert "Airflow does not answer" in err
    assert "http://127.0.0.1:1" in err
    assert typed("--airflow", "nonsense", "status")[0] == 2


def test_a_pipeline_that_nobody_knows_is_no_traceback(typed: Typed) -> None:
    status, _, err = typed("status", "nothing")
    assert (status, "No Dag holds a pipeline 'nothing'." in err) == (2, True)
