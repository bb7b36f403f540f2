"""MLflow's aliases and tags: the ledger's decisions, mirrored for the rest of the ecosystem.

The ledger decides and MLflow follows. Each mirroring sets the aliases ``champion`` and ``challenger``, and what each
version is told to be, from the ledger as it stands; so whatever one missed (MLflow was down) the next one repairs.
"""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from urllib.parse import urlsplit

from retrain.errors import TrackingError
from retrain.ledger import Ledger
from retrain.ledger.release import Served
from retrain.settings import Settings
from retrain.tracking.database import file_of
from retrain.tracking.runs import Tracking
from retrain.tracking.told import told

CONNECT_SECONDS = 3.0

log = logging.getLogger(__name__)


def mirror(ledger: Ledger, settings: Settings) -> str | None:
    """Set aliases and tags if MLflow lets us. A release never waits for MLflow, and never fails because of it.

    :return: why it did not work, also logged as a warning; None if they are right.
    """
    try:
        repair(ledger, settings)
    except Exception as error:  # whatever MLflow, its database or its driver may think of
        log.warning("MLflow's aliases of pipeline '%s' do not follow the ledger yet: %s", ledger.pipeline, error)
        return str(error)
    return None


def repair(ledger: Ledger, settings: Settings) -> None:
    """Make aliases and tags what the ledger says.

    :raises TrackingError: MLflow cannot be reached, or refused.
    """
    if _empty(settings.mlflow_tracking_uri):
        return
    _require_answer(settings.mlflow_tracking_uri)
    tracking = Tracking(settings, ledger.pipeline)
    release = ledger.release()
    tracking.point("champion", _number(release.champion))
    tracking.point("challenger", _number(release.challenger))
    tracking.tell(told(ledger))


def _number(served: Served | None) -> int | None:
    return None if served is None else served.version


def _empty(uri: str) -> bool:
    """A local database or folder that is not there holds nothing to mirror into."""
    database = file_of(uri)
    if database is not None:
        return not database.is_file()
    parts = urlsplit(uri)
    return parts.scheme in {"", "file"} and not Path(parts.path).exists()


def _require_answer(uri: str) -> None:
    """Raise unless a server listens. MLflow's own client would try for long."""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or parts.hostname is None:
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise TrackingError(
            f"MLflow does not answer: {error.strerror or error}.",
            where=uri.rpartition("@")[2],
            do="start it, or point RETRAIN_MLFLOW_TRACKING_URI at it; the next release sets the aliases.",
        ) from error
