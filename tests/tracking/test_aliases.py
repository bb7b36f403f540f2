"""MLflow's aliases follow the ledger, later if MLflow is down; the ledger never waits for them."""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hostile import DANGEROUS, HOSTILE, rendered
from retrain.artifacts import ModelRef, Ref
from retrain.errors import TrackingError
from retrain.ledger import Judged, Ledger, Trained
from retrain.ledger.release import Release, Served
from retrain.settings import Settings
from retrain.site import Site
from retrain.tracking import aliases
from retrain.tracking.runs import VERSION, RunRecord, Tracking


def served(version: int) -> Served:
    return Served(version=version, model=ModelRef(digest=f"{version:064x}", path=f"m/{version}", files={}))


@pytest.fixture
def ledger(site: Site) -> Ledger:
    return site.ledger("flights")


def test_the_aliases_are_what_the_ledger_says(site: Site, ledger: Ledger) -> None:
    assert site.store
    tracking = Tracking(site.settings, "flights")
    client: Any = tracking._client
    client.create_registered_model("flights")
    for version in (3, 1, 2):  # MLflow numbers them 1, 2, 3; the tag has ours
        client.create_model_version("flights", source=str(site.settings.home), tags={VERSION: str(version)})

    def follow(release: Release) -> tuple[str | None, str | None]:
        ledger.append(release, actor="test")
        assert aliases.mirror(ledger, site.settings) is None
        assert aliases.mirror(ledger, site.settings) is None
        return tracking.alias("champion"), tracking.alias("challenger")

    assert follow(Release(state="promoted", champion=served(1))) == ("1", None)
    assert follow(Release(state="ramping", champion=served(1), challenger=served(3))) == ("1", "3")
    assert follow(Release(state="promoted", champion=served(3))) == ("3", None)
    assert "knows no version 7" in str(_unknown(ledger, site))


def _unknown(ledger: Ledger, site: Site) -> str | None:
    ledger.append(Release(state="promoted", champion=served(7)), actor="test")
    return aliases.mirror(ledger, site.settings)


def test_without_an_mlflow_database_there_is_nothing_to_mirror(site: Site, ledger: Ledger) -> None:
    ledger.append(Release(state="promoted", champion=served(1)), actor="test")
    assert aliases.mirror(ledger, site.settings) is None
    assert not (site.settings.home / "mlflow.db").exists()


def test_a_server_that_is_down_is_told_and_nothing_fails(
    site: Site, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}"
        settings = Settings.load({"RETRAIN_HOME": str(site.settings.home), "RETRAIN_MLFLOW_TRACKING_URI": uri})
        with caplog.at_level(logging.WARNING):
            problem = aliases.mirror(ledger, settings)
        with pytest.raises(TrackingError):
            aliases.repair(ledger, settings)
    assert "MLflow does not answer" in str(problem)
    assert "flights" in caplog.text
    assert "secret" not in f"{problem} {caplog.text}"


def test_each_version_says_its_verdict_and_where_it_stands(site: Site, ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    tracking = Tracking(site.settings, "flights")
    client: Any = tracking._client
    runs = {}
    for version in (1, 2):
        record = RunRecord(f"c{version}", "flights", {}, {}, {}, dataset="d", data="p")
        runs[version] = tracking.log_run(record, tmp_path / "model")
        tracking.register(runs[version], version)
        ledger.append(trained(version), actor="test")

    def said(version: int) -> tuple[str, str, str, str]:
        assert aliases.mirror(ledger, site.settings) is None
        run = client.get_run(runs[version])
        (one,) = [v for v in client.search_model_versions("name = 'flights'") if v.tags[VERSION] == str(version)]
        tags = tuple(one.tags[f"retrain.{name}"] for name in ("verdict", "standing", "reason"))
        assert tags == tuple(run.data.tags[f"retrain.{name}"] for name in ("verdict", "standing", "reason"))
        return (run.info.run_name, *tags)

    assert said(1) == ("flights v1, candidate", "none yet", "candidate", "")
    ledger.append(judged(1, "blessed", "better"), actor="test")
    ledger.append(Release(state="promoted", champion=served(1), reason="the canary passed"), actor="test")
    assert said(1) == ("flights v1, champion", "blessed", "champion", "the canary passed")
    ledger.append(judged(2, "vetoed", f"it leaks in {HOSTILE[0]} \x1b[31m" + "x" * 9000), actor="test")
    name, verdict, standing, reason = said(2)
    assert (name, verdict, standing) == ("flights v2, vetoed", "vetoed", "vetoed")
    assert reason.startswith("it leaks in")
    assert len(reason) <= 500
    (two,) = [v for v in client.search_model_versions("name = 'flights'") if v.tags[VERSION] == "2"]
    assert not DANGEROUS & rendered(two.description)[0]
    ledger.append(judged(2, "blessed", "it does not"), actor="cli:alice")
    assert said(2) == ("flights v2, blessed", "blessed", "blessed", "it does not")
    client.delete_run(runs[2])
    ledger.append(judged(2, "vetoed", "it does"), actor="cli:alice")
    assert aliases.mirror(ledger, site.settings) is None, "a run that somebody deleted stops nothing"


def trained(version: int) -> Trained:
    ref = Ref(kind="candidate", key=f"c{version}", pipeline="flights")
    model = served(version).model
    at = datetime(2024, 4, 1, tzinfo=UTC)
    return Trained(version=version, candidate=ref, model=model, data_end=at, snapshot=ref, run_id="r")


def judged(version: int, outcome: str, reason: str) -> Judged:
    return Judged.model_validate({"version": version, "outcome": outcome, "reason": reason, "verdict": None})
