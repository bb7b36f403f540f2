"""Train, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from retrain.airflow.links import EvidenceLink, LedgerLink, MlflowRunLink
from retrain.airflow.operators.base import Input, Run, StageOperator


class TrainOperator(StageOperator):
    """Trains the candidate and logs it to MLflow.

    :param feature_set: what to train on.
    :param snapshot: what it was made of.
    """

    stage = "train"
    template_fields: Sequence[str] = ("feature_set", "snapshot")
    operator_extra_links = (EvidenceLink("Candidate"), MlflowRunLink(), LedgerLink())

    def __init__(self, *, feature_set: Input, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.feature_set = feature_set
        self.snapshot = snapshot
        self.mlflow_run = ""

    @override
    def decide(self, run: Run, artifact: Any, summary: str) -> None:
        super().decide(run, artifact, summary)
        server = run.site.settings.mlflow_tracking_uri
        if server.startswith("http"):
            self.mlflow_run = f"{server.rstrip('/')}/#/runs/{artifact.run_id}"
