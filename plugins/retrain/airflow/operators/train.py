"""Train, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.links import EvidenceLink, LedgerLink, MlflowRunLink
from retrain.airflow.operators.base import Input, Run, StageOperator
from retrain.artifacts import Candidate, FeatureSet, Snapshot


class TrainOperator(StageOperator):
    """Trains the candidate and logs it to MLflow.

    :param feature_set: what to train on.
    :param snapshot: what it was made of.
    """

    template_fields: Sequence[str] = ("feature_set", "snapshot")
    operator_extra_links = (EvidenceLink("Candidate"), MlflowRunLink(), LedgerLink())

    def __init__(self, *, feature_set: Input, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.feature_set = feature_set
        self.snapshot = snapshot
        self.mlflow_run = ""

    def work(self, run: Run) -> Candidate:
        from retrain.stages.train import train

        feature_set = run.read(FeatureSet, self.feature_set)
        return train(run.spec, run.request, feature_set, run.read(Snapshot, self.snapshot), run.site)

    def decide(self, run: Run, artifact: Candidate) -> None:
        server = run.site.settings.mlflow_tracking_uri
        if server.startswith("http"):
            self.mlflow_run = f"{server.rstrip('/')}/#/runs/{artifact.run_id}"
