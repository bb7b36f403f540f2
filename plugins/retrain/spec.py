"""What ``pipeline.yaml`` says. Safe to import while Airflow parses Dags: nothing heavy, no I/O but the file.

:meth:`Spec.load` reads one folder. A mistake becomes a :class:`~retrain.errors.SpecError` that names the file,
the line, the key, the value and what was expected.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from retrain.artifacts import digest_file
from retrain.durations import Duration
from retrain.errors import SpecError
from retrain.yamlfile import YamlFile

FILE = "pipeline.yaml"
Task = Literal["binary", "multiclass", "regression"]
LOSSES: dict[str, tuple[str, ...]] = {
    "binary": ("brier", "log_loss", "roc_auc", "average_precision"),
    "multiclass": ("log_loss", "accuracy"),
    "regression": ("rmse", "mae"),
}
HIGHER_IS_BETTER = frozenset({"roc_auc", "average_precision", "accuracy"})
DAY = timedelta(days=1)


class Section(BaseModel):
    """A part of ``pipeline.yaml``: every key has a meaning, unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Section):
    """Where the rows come from, and what its columns mean."""

    files: tuple[str, ...] = Field(
        description="Glob patterns of Parquet or CSV files. A bare path is below RETRAIN_DATA; one that begins "
        "with ./ lies beside this file; an absolute one is taken as it is."
    )
    timestamp: str = Field(description="The column that says when a row happened.")
    timestamp_format: str | None = Field(
        None, description="strptime format of a text timestamp; ISO 8601 is read without it."
    )
    timezone: str = Field("UTC", description="Zone of timestamps that carry none.")
    entity: str | None = Field(
        None, description="The column that says whom a row is about; requests of one entity see one model."
    )
    key: tuple[str, ...] = Field(
        (), description="Columns that name a row; no two rows may share them. Default: entity and timestamp."
    )
    label: str = Field(description="The column to predict.")
    label_expression: str | None = Field(
        None, description="How the label follows from other columns, e.g. `arr_delay >= 30`."
    )
    label_delay: Duration = Field(
        timedelta(0), description="How long after a row its label is known; newer rows are not trained on."
    )
    window: Duration = Field(90 * DAY, description="How far back from the data's end rows are used.")
    inputs: tuple[str, ...] = Field(
        (),
        description="Columns known when a prediction is asked for. Default: all but the label's and those of `key`; "
        "timestamp and entity stay.",
    )

    @field_validator("files", "key", "inputs", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that name a row; empty if nothing names one."""
        return self.key or ((self.entity, self.timestamp) if self.entity else ())

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("a time zone such as UTC or America/New_York") from None
        return value

    @field_validator("label_expression")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        try:
            _names(value or "")
        except SyntaxError:
            raise ValueError("an expression of columns, e.g. arr_delay >= 30") from None
        return value

    @property
    def label_columns(self) -> frozenset[str]:
        """The columns the label is read from, and its own; the feature function never sees them."""
        return frozenset({self.label}) | _names(self.label_expression or "")

    def input_columns(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The columns the feature function sees: ``inputs``, or the default among ``columns``."""
        hidden = self.label_columns | (set(self.key) - {self.timestamp, self.entity})
        return self.inputs or tuple(column for column in columns if column not in hidden)


def _names(expression: str) -> frozenset[str]:
    """The columns an expression of ``DataFrame.eval`` reads; names in backticks may hold anything."""
    if not expression:
        return frozenset()
    quoted = re.findall(r"`([^`]+)`", expression)
    tree = ast.parse(re.sub(r"`[^`]+`", "_quoted_", expression).strip(), mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return frozenset({*names, *quoted} - {"_quoted_"})


class Validate(Section):
    """The Great Expectations suite and where it is applied."""

    expectations: str = Field("expectations.json", description="The suite, as Great Expectations stores it.")
    last: Duration | None = Field(
        None, description="Also apply the suite to the newest stretch alone, where a new fault is not diluted."
    )


class CandidateSpec(Section):
    """One estimator and the values to try for its parameters."""

    estimator: str = Field(description="Import path, e.g. sklearn.linear_model.LogisticRegression.")
    params: dict[str, Any] = Field({}, description="Fixed parameters.")
    search: dict[str, list[Any]] = Field({}, description="Parameter → values to try.")
    scale: bool = Field(False, description="Standardise features and fill missing values first.")


class Train(Section):
    """What is trained, on which rows, within what budget."""

    candidates: tuple[CandidateSpec, ...] = Field(description="Estimators to try.", min_length=1)
    budget: int = Field(8, ge=1, le=1000, description="Fits at most, over all candidates.")
    holdout: Duration = Field(14 * DAY, description="The newest labelled stretch, never trained on.")
    tuning: Duration = Field(7 * DAY, description="The stretch before the holdout on which settings are chosen.")
    seed: int = Field(0, ge=0, lt=2**32)


class Change(Section):
    """How much worse than the champion a challenger may be; both bounds must hold where both are given."""

    absolute: float = Field(ge=0, description="In units of the metric.")
    relative: float | None = Field(None, ge=0, description="As a share of the champion's score.")


class Suspicious(Section):
    """How much better than the champion is too good to be true."""

    absolute: float | None = Field(None, gt=0)
    relative: float | None = Field(0.3, gt=0, description="0.3: a loss 30 % lower than the champion's.")


class Slices(Section):
    """Groups of rows on which the challenger must hold its own."""

    columns: tuple[str, ...] = Field((), description="Raw input columns; each value is a slice.")
    hour_bands: bool = Field(False, description="Also slice by the time of day: night, morning, afternoon, evening.")
    min_rows: int = Field(200, ge=1, description="Smaller slices are left out, by name.")
    margin: float = Field(0.02, ge=0, description="How much worse a slice may be shown to be.")


class Approval(Section):
    """Who must agree before a release."""

    required: bool = False
    by: tuple[str, ...] = Field((), description="User names who may answer; empty: anyone allowed to run the Dag.")
    within: Duration = Field(3 * DAY, description="No answer in this time is a rejection.")


class Bless(Section):
    """The gates."""

    metric: str | None = Field(None, description="The deciding metric; default brier, log_loss or rmse by task.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="One-sided confidence of every bound.")
    replicates: int = Field(400, ge=100, le=100_000, description="Bootstrap replicates.")
    lower: float | None = Field(None, description="Value gate: the score must be shown to be above this.")
    upper: float | None = Field(None, description="Value gate: the score must be shown to be below this.")
    change: Change = Field(default_factory=lambda: Change(absolute=0.005))
    suspicious: Suspicious = Field(default_factory=Suspicious)
    slices: Slices = Field(default_factory=Slices)
    approval: Approval = Field(default_factory=Approval)


AGED = ("collect", "validate", "features", "train", "evaluate", "bless")
"""The stages whose results must not be too old at release."""


class Staleness(Section):
    """The oldest things that may be used."""

    model: Duration = Field(
        30 * DAY, description="A champion whose data ended longer ago than this is retrained on schedule."
    )
    data: Duration = Field(7 * DAY, description="How far the newest row may lie before the window's end for a release.")
    stages: dict[str, Duration] = Field(
        {}, description="Oldest allowed result of each stage at release; default 7d each."
    )

    @field_validator("stages")
    @classmethod
    def _aged(cls, stages: dict[str, timedelta]) -> dict[str, timedelta]:
        if not set(stages) <= set(AGED):
            raise ValueError(f"ages of the stages {', '.join(AGED)}")
        return stages


class DriftSpec(Section):
    """Which inputs are watched, and how far they may move."""

    columns: tuple[str, ...] = Field((), description="Default: every input.")
    distance: Literal["psi", "jensen_shannon", "wasserstein"] = "jensen_shannon"
    threshold: float | None = Field(None, gt=0, description="None: calibrated on the reference's own weeks.")
    false_alarms: float = Field(0.01, gt=0, lt=0.5, description="Rate the calibration holds, per column.")


class Shadow(Section):
    """Answers recorded, not returned."""

    share: float = Field(1.0, gt=0, le=1, description="Share of requests that are also put to the challenger.")
    requests: int = Field(200, ge=0, description="Shadow answers needed; 0 skips the shadow.")
    patience: Duration = Field(timedelta(hours=24), description="No decision in this time is a rollback.")


class ErrorMetric(Section):
    """Requests the challenger fails on."""

    margin: float = Field(0.01, gt=0, lt=1, description="Extra failures, as a share of requests, that are harm.")


class LatencyMetric(Section):
    """How long an answer takes."""

    quantile: float = Field(0.5, gt=0, lt=1)
    ratio: float = Field(2.0, gt=1, description="Times the champion's quantile that is harm …")
    floor: float = Field(20.0, ge=0, description="… plus this many milliseconds.")


class LossMetric(Section):
    """How wrong the answers turn out once labels come."""

    margin: float = Field(0.02, gt=0, description="Extra loss (brier, log loss or squared error) that is harm.")
    required: bool = Field(True, description="Without labels a canary stays undecided.")


class Canary(Section):
    """The release to a growing share of live traffic."""

    shadow: Shadow = Field(default_factory=Shadow)
    steps: tuple[float, ...] = Field((0.1, 0.25, 0.5), description="Shares of live entities, rising.")
    step_requests: int = Field(200, ge=1, description="Challenger requests a step needs at least.")
    step_time: Duration = Field(timedelta(0), description="Time a step lasts at least.")
    patience: Duration = Field(timedelta(hours=24), description="The longest time a canary may take.")
    on_patience: Literal["rollback", "pause"] = "rollback"
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Error budget of the whole decision, shared by metrics.")
    errors: ErrorMetric = Field(default_factory=ErrorMetric)
    latency: LatencyMetric | None = Field(default_factory=LatencyMetric)
    loss: LossMetric | None = Field(default_factory=LossMetric)
    poll: Duration = Field(timedelta(seconds=5), description="How often the log is looked at.")

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        if not steps or list(steps) != sorted(set(steps)) or not all(0 < s <= 1 for s in steps):
            raise ValueError("rising shares between 0 and 1, e.g. [0.1, 0.25, 0.5]")
        return steps


class Alert(Section):
    """One Airflow notifier."""

    notifier: str = Field(description="Import path, e.g. airflow.providers.smtp.notifications.smtp.SmtpNotifier.")
    arguments: dict[str, Any] = Field({}, description="Its arguments; may use Jinja, as in any notifier.")
    on: tuple[Literal["failure", "decision", "success"], ...] = ("failure", "decision")


class Spec(Section):
    """One pipeline."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="The folder's name.")
    description: str = Field("", description="What is predicted, in one line; shown in Airflow.")
    owner: str = Field("airflow", description="Who is asked when it breaks; the Dag's owner.")
    task: Task = Field(description="What kind of label it is: two classes, several, or a number.")
    schedule: str | None = Field(None, description="A cron expression, or null.")
    assets: tuple[str, ...] = Field((), description="Asset URIs whose events also start a retraining.")
    source: Source
    validate_: Validate = Field(default_factory=Validate, alias="validate")
    features: str = Field("features:build", description="module:function in this folder, DataFrame → DataFrame.")
    train: Train
    bless: Bless = Field(default_factory=Bless)
    staleness: Staleness = Field(default_factory=Staleness)
    drift: DriftSpec = Field(default_factory=DriftSpec)
    canary: Canary = Field(default_factory=Canary)
    alerts: tuple[Alert, ...] = ()

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
        if self.bless.metric is not None and self.bless.metric not in LOSSES[self.task]:
            raise ValueError(f"bless.metric: one of {', '.join(LOSSES[self.task])} for a {self.task} task")
        if self.train.holdout + self.train.tuning >= self.source.window:
            raise ValueError("train.holdout: with train.tuning, shorter than source.window")
        if self.source.inputs and (known := self.source.label_columns & set(self.source.inputs)):
            raise ValueError(f"source.inputs: no column the label is read from (here {', '.join(sorted(known))})")
        return self

    @property
    def metric(self) -> str:
        """The deciding metric."""
        return self.bless.metric or LOSSES[self.task][0]

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
