"""An API server with our app in it, for the tests of what it answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI

import airflow_world
from airflow_world import DAG, EVIL, RUN
from retrain.artifacts import ModelRef, canonical, now
from retrain.ledger import Ledger, Served
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.rollout.looks import Looks, TrialStory, path, trial_story
from retrain.site import Site


@pytest.fixture
def airflow_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """Our app behind Airflow's auth manager, on a site of its own."""
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RETRAIN_PIPELINES", str(tmp_path / "pipelines"))
    airflow_world.tables()
    return airflow_world.server()


@pytest.fixture
def airflow_site(airflow_server: FastAPI) -> Site:
    """The site that the server reads."""
    from retrain.airflow.ui.site import site

    return site()


@pytest.fixture
def airflow_ledger(airflow_site: Site) -> Ledger:
    """The ledger of the pipeline that everybody is shown, as the server reads it."""
    return airflow_site.ledger(DAG)


@pytest.fixture
def trying(airflow_site: Site) -> TrialStory:
    """Version 2 is in its canary; its newest look says things that are an attack."""
    ledger = airflow_site.ledger(DAG)
    served = [
        Served(version=number, model=ModelRef(digest=f"{number:064x}", path=f"m/{number}", files={}))
        for number in (1, 2)
    ]
    first = machine.promote(ledger.release(), served[0], reason="first")
    shadowed = machine.start_shadow(first, served[1], shadow=1.0, steps=(0.5,), reason="try")
    for release in (first, shadowed, machine.ramp(shadowed, reason="step 1")):
        ledger.append(release, actor="canary", run=RUN)
    trial = trials.newest(ledger)
    assert trial is not None
    looks = Looks(
        version=2, decision=ledger.head, phase="canary", looked_at=now(), due=now(), alpha=0.05, patience_ends=None,
        on_patience="rollback", summary=f"step 1 of 1: 12 of 20 requests; ![x](http://evil.example) {EVIL}",
    )  # fmt: skip
    airflow_site.store.put(path(DAG, trial), canonical(looks))
    told = trial_story(DAG, airflow_site)
    assert told is not None
    return told
