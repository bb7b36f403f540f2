"""One pipeline: the whole of ``pipeline.yaml``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SerializeAsAny, ValidationError, field_validator, model_validator

from retrain.errors import SpecError
from retrain.metrics import registry
from retrain.metrics.base import Metric
from retrain.metrics.task import Task
from retrain.spec.alert import AnyAlert
from retrain.spec.bless import Bless
from retrain.spec.canary import Canary
from retrain.spec.drift import DriftSpec
from retrain.spec.section import Section
from retrain.spec.source import Source
from retrain.spec.staleness import Staleness
from retrain.spec.training import Train
from retrain.spec.validation import Validate
from retrain.spec.yamlfile import YamlFile

FILE = "pipeline.yaml"


class Spec(Section):
    """One pipeline."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="The folder's name.")
    description: str = Field("", description="What is predicted, in one line; shown in Airflow.")
    owner: str = Field("airflow", description="Who is asked when it breaks; the Dag's owner.")
    task: Task = Field(description="What kind of label it is: two classes, several, or a number.")
    schedule: str | None = Field(None, description="A cron expression, or null.")
    assets: tuple[str, ...] = Field((), description="Asset URIs whose events also start a retraining.")
    source: SerializeAsAny[Source]
    validate_: Validate = Field(default_factory=Validate, alias="validate")
    features: str = Field("features:build", description="module:function in this folder, DataFrame → DataFrame.")
    train: Train
    bless: SerializeAsAny[Bless] = Field(default_factory=lambda: Bless.model_validate({}))
    staleness: Staleness = Field(default_factory=Staleness)
    drift: DriftSpec = Field(default_factory=DriftSpec)
    canary: Canary = Field(default_factory=Canary)
    alerts: tuple[AnyAlert, ...] = Field((), description="Who is told how runs end.")

    folder: Path = Field(Path(), exclude=True, repr=False)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read ``pipeline.yaml`` of a folder.

        :raises SpecError: the first mistake; its ``also`` holds the others.
        """
        folder = Path(folder).absolute()
        file = YamlFile.read(folder / FILE)
        if "folder" in file.content:
            raise file.error("folder", file.content["folder"], "no such key; the folder is where this file lies")
        try:
            spec = cls.model_validate({**file.content, "folder": folder})
        except ValidationError as error:
            raise file.explain(error, cls) from None
        if spec.name != folder.name:
            raise file.error("name", spec.name, f"the folder's name, `{folder.name}`")
        return spec

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.task not in self.metric.tasks:
            ours = ", ".join(metric.name for metric in registry.for_task(self.task))
            raise ValueError(f"bless.metric: one of {ours} for a {self.task} task")
        if self.train.holdout + self.train.tuning >= self.source.window:
            raise ValueError("train.holdout: with train.tuning, shorter than source.window")
        if self.source.inputs and (known := self.source.label_columns & set(self.source.inputs)):
            raise ValueError(f"source.inputs: no column the label is read from (here {', '.join(sorted(known))})")
        return self

    @property
    def metric(self) -> Metric:
        """The deciding metric."""
        return registry.find(self.bless.metric) if self.bless.metric else registry.for_task(self.task)[0]

    @property
    def feature_file(self) -> Path:
        """The file with the feature function."""
        return self.folder / f"{self.features.partition(':')[0]}.py"

    @property
    def feature_function(self) -> str:
        """The feature function's name."""
        return self.features.partition(":")[2]

    @property
    def suite_file(self) -> Path:
        """The file with the Great Expectations suite."""
        return self.folder / self.validate_.expectations

    @field_validator("features")
    @classmethod
    def _module_function(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_]\w*:[A-Za-z_]\w*", value):
            raise ValueError("module:function, e.g. features:build")
        return value

    def code_digest(self) -> str:
        """SHA-256 of the feature file."""
        from retrain.artifacts import digest_file

        self.require_file(self.feature_file, "features", "the module that holds the feature function")
        return digest_file(self.feature_file)

    def require_file(self, file: Path, key: str, what: str) -> None:
        """Raise :class:`SpecError` unless a file the spec names is there."""
        if not file.is_file():
            raise SpecError(
                f"Pipeline '{self.name}' names {what}, which is not there: {file.name}.",
                file=self.folder / FILE,
                key=key,
                do=f"create {file}, or name another file.",
            )

    def fragment(self, *keys: str) -> dict[str, Any]:
        """The part of the spec that a stage depends on, as plain JSON, for its artifact's identity."""
        fields = {"validate_" if key == "validate" else key for key in keys}
        return self.model_dump(mode="json", by_alias=True, include=fields)
