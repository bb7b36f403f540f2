"""A pipeline with a ledger and a spec, and nothing else: what is told of it is told from these alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ledger_world import body as body_of
from retrain.artifacts import ModelRef, Ref, Report, Request, now
from retrain.ledger import Ledger, Release, Served
from retrain.ledger import release as machine
from retrain.site import Site
from retrain.status import PipelineStatus, status

YAML = """\
name: visits
task: binary
schedule: "0 6 * * *"
source: {files: "*.csv", timestamp: at, label: late, window: 90d}
train: {candidates: [{estimator: sklearn.dummy.DummyClassifier}]}
staleness: {model: 30d}
"""


def served(number: int) -> Served:
    return Served(version=number, model=ModelRef(digest=f"{number:064x}", path=f"m/{number}", files={}))


@pytest.fixture
def ledger(site: Site) -> Ledger:
    """A pipeline with a spec; versions 1 and 2 are trained and blessed, and nothing is released."""
    write(site, YAML)
    ledger = site.ledger("visits")
    for number in (1, 2):
        train(ledger, number, now() - timedelta(days=10 - number))
    return ledger


def write(site: Site, text: str) -> Path:
    file = site.settings.pipelines / "visits" / "pipeline.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def train(ledger: Ledger, number: int, data_end: datetime) -> None:
    ref = Ref(kind="candidate", key=f"c{number}", pipeline="visits")
    trained = body_of("trained", version=number, candidate=ref, model=served(number).model, data_end=data_end)
    ledger.append(trained, actor="airflow:schedule", run=f"run-{number}")
    ledger.append(body_of("verdict", version=number, outcome="blessed"), actor="airflow:schedule", run=f"run-{number}")


def promote(ledger: Ledger, number: int) -> Release:
    release = machine.promote(ledger.release(), served(number), reason="it is better")
    ledger.append(release, actor="airflow:schedule", run=f"run-{number}")
    return release


def report(site: Site, outcome: str, run: str) -> None:
    made = Report(key=run, pipeline="visits", run=run, outcome=outcome, headline=outcome, markdown="", stages={})
    site.store.create(Report.path("visits", run), made.to_bytes())
    site.ledger("visits").record_stage("report", made, Request(data_end=now(), run=run, actor="airflow:schedule"))


def look(site: Site) -> PipelineStatus:
    return status("visits", Site(site.settings))
