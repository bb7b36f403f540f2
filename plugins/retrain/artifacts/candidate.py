"""A trained model that nobody has judged yet."""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from retrain.artifacts.artifact import Artifact, Moment, Ref, Value


class ModelRef(Value):
    """A model in the store: an MLflow model directory, named by the hash of its files.

    :param digest: hash of the manifest (name → sha256 of every file).
    :param path: its folder in the store.
    :param files: name → sha256.
    """

    digest: str
    path: str
    files: dict[str, str]


class Candidate(Artifact):
    """A trained model that nobody has judged yet.

    :param version: its number in the ledger, 1, 2, 3 …
    :param run_id: its MLflow run.
    """

    kind: ClassVar[str] = "candidate"

    features: Ref
    snapshot: Ref
    data_end: Moment
    model: ModelRef
    version: int
    estimator: str
    params: dict[str, Any]
    tried: int
    validation_loss: float
    train_rows: int
    seed: int
    run_id: str
    environment: dict[str, str]
    finite: bool

    @property
    @override
    def summary(self) -> str:
        estimator = self.estimator.rpartition(".")[2]
        return f"version {self.version}: {estimator}, best of {self.tried}, on {self.train_rows:,} rows"
