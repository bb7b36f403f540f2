"""The rows in quarantine as a file: all of them, for each who asks, at once or one after the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from fastapi import FastAPI

from airflow_world import DAG, RUN, client
from retrain.airflow.ui.site import site
from retrain.artifacts import Ref, Request, Validation, now
from retrain.data.frames import keep_frame

ROWS = 5000


@pytest.fixture
def address(airflow_server: FastAPI) -> str:
    """Of a quarantine of many rows."""
    frame = pd.DataFrame({"price": range(ROWS), "who": ["=cmd()"] * ROWS, "_reason": ["bad"] * ROWS})
    made = Validation(
        key="v", pipeline=DAG, snapshot=Ref(kind="snapshot", key="s", pipeline=DAG), success=False, rows=ROWS,
        results=(), quarantine=keep_frame(site(), f"{DAG}/data/validation/v/quarantine.parquet", frame),
    )  # fmt: skip
    site().store.create(Validation.path(DAG, "v"), made.to_bytes())
    site().ledger(DAG).record_stage("validate", made, Request(data_end=now(), run=RUN, actor="test"))
    return f"/retrain/api/v1/pipelines/{DAG}/data/v/quarantine"


def test_all_rows_come_and_none_is_a_formula(airflow_server: FastAPI, address: str) -> None:
    answer = client(airflow_server, "user").get(address)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{DAG}-v-quarantine.csv"'
    assert "no-store" in answer.headers["cache-control"]
    lines = answer.text.splitlines()
    assert len(lines) == ROWS + 1
    assert all(",'=cmd()" in line for line in lines[1:])


def test_two_who_ask_at_once_are_given_a_file_each(airflow_server: FastAPI, address: str) -> None:
    def load(name: str) -> int:
        return len(client(airflow_server, "user", name=name).get(address).text.splitlines())

    with ThreadPoolExecutor(4) as people:
        assert list(people.map(load, "abcd")) == [ROWS + 1] * 4
