"""MLflow's aliases follow the ledger, later if MLflow is down; the ledger never waits for them."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

from retrain.artifacts import ModelRef
from retrain.errors import TrackingError
from retrain.ledger import Ledger
from retrain.ledger.release import Release, Served
from retrain.settings import Settings
from retrain.site import Site
from retrain.tracking import aliases
from retrain.tracking.runs import VERSION, Tracking


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
