"""What one retraining was asked to do."""

from __future__ import annotations

from typing import Literal

from retrain.artifacts.artifact import Moment, Value


class Request(Value):
    """What one retraining was asked to do. The first thing every run is made of.

    :param data_end: rows at or after this moment are not used; the right end of the window.
    :param run: the run's id (Airflow's run_id, or one made by the command line).
    :param trigger: what started it.
    :param actor: who or what asked, e.g. ``airflow:schedule`` or ``cli:alice``.
    :param force: retrain although the champion is fresh and nothing drifted.
    :param skip_canary: release at 100 % without a canary; needs a reason, which the ledger keeps.
    :param redeploy: release this version again instead of training a new one.
    """

    data_end: Moment
    run: str
    trigger: Literal["schedule", "manual", "asset", "backfill", "cli"] = "manual"
    actor: str = "unknown"
    force: bool = False
    skip_canary: bool = False
    reason: str | None = None
    redeploy: int | None = None
