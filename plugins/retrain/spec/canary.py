"""The release: shadow, steps, what is harm."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, field_validator

from retrain import extensions
from retrain.spec.durations import Duration
from retrain.spec.section import Section, mistake, read

RELATIVE = 0.15
"""The share of the champion's loss that is harm where a pipeline says nothing."""


class Shadow(Section):
    """Answers recorded, not returned."""

    share: float = Field(1.0, gt=0, le=1, description="Share of requests that are also put to the challenger.")
    ramp: float = Field(
        1.0,
        ge=0,
        le=1,
        description="The same during the ramp, of the requests that the champion answers, where losses are compared in "
        "pairs (`loss.answer_changes_label: false`). The challenger then works for all of them.",
    )
    requests: int = Field(200, ge=0, description="Shadow answers needed; 0 skips the shadow.")
    patience: Duration = Field(timedelta(hours=24), description="No decision in this time is a rollback.")


class ErrorMetric(Section):
    """Requests the challenger fails on."""

    margin: float = Field(0.01, gt=0, lt=1, description="Extra failures, as a share of requests, that are harm.")


class LatencyMetric(Section):
    """How long an answer takes."""

    quantile: float = Field(0.5, gt=0, lt=1)
    warmup: int = Field(20, ge=0, description="The challenger's first answers, which are left out: it is cold.")
    ratio: float = Field(2.0, gt=1, description="Times the champion's quantile that is harm …")
    floor: float = Field(20.0, ge=0, description="… plus this many milliseconds.")


class LossMetric(Section):
    """How wrong the answers turn out once labels come."""

    relative: float | None = Field(
        None,
        gt=0,
        description="Extra loss that is harm, as a share of the champion's own; 0.15 where neither is given.",
    )
    margin: float | None = Field(
        None, gt=0, description="The same as an amount: of the Brier score, or in the label's unit (rmse)."
    )
    rare: float = Field(
        0.002,
        gt=0,
        lt=1,
        description="Of a number: errors far beyond the champion's count as a cap. So many more of them, "
        "as a share of answers, are harm.",
    )
    answer_changes_label: bool = Field(
        True,
        description="Can an answer change what its label will be? If not, both models are compared on the same "
        "requests, which takes fewer labels, the more alike their answers are.",
    )
    required: bool = Field(True, description="Without labels a canary stays undecided.")

    @property
    def share(self) -> float | None:
        """The relative margin that holds: what is given, or the default where no margin is."""
        return RELATIVE if self.relative is None and self.margin is None else self.relative


class Weights(Section):
    """How the error budget is shared by what can show harm."""

    shadow: float = Field(0.05, gt=0)
    errors: float = Field(0.7, gt=0)
    latency: float = Field(0.1, gt=0)
    loss: float = Field(0.15, gt=0)


class Canary(Section):
    """The release to a growing share of live traffic."""

    target: SerializeAsAny[Section] = Field(
        "gateway",
        validate_default=True,
        description="Where it runs: `gateway`, or the name or import path of another kind; its settings stand beside "
        "`kind`: {kind: …}.",
    )
    shadow: Shadow = Field(default_factory=Shadow)
    steps: tuple[float, ...] = Field((0.1, 0.25, 0.5), description="Shares of live entities, rising.")
    step_requests: int = Field(200, ge=1, description="Challenger requests a step needs at least.")
    step_time: Duration = Field(timedelta(0), description="Time a step lasts at least.")
    patience: Duration = Field(timedelta(hours=24), description="The longest time a canary may take.")
    on_patience: Literal["rollback", "pause"] = Field(
        "rollback", description="What happens then: `pause` waits for a human, who resumes or aborts."
    )
    alpha: float = Field(0.05, gt=0, lt=0.5, description="Error budget of the whole decision, shared by metrics.")
    weights: Weights = Field(
        default_factory=Weights, description="How `alpha` is shared; only the proportions of what is watched count."
    )
    on_worse: Literal["go_on", "pause"] = Field(
        "go_on", description="Shown to be worse, but not by more than is allowed: to go on, or to pause for a human."
    )
    errors: ErrorMetric = Field(default_factory=ErrorMetric)
    latency: LatencyMetric | None = Field(default_factory=LatencyMetric)
    loss: LossMetric | None = Field(default_factory=LossMetric)
    poll: Duration = Field(timedelta(seconds=5), description="How often the log is looked at.")

    @property
    def paired(self) -> bool:
        """Are losses compared in pairs: on requests that both models answered?"""
        return self.loss is not None and not self.loss.answer_changes_label and self.shadow.ramp > 0.0

    def alpha_of(self, metric: Literal["shadow", "errors", "latency", "loss"]) -> float:
        """The part of ``alpha`` that one metric has for showing harm."""
        watched = {"errors": True, "shadow": self.shadow.requests > 0, "latency": self.latency, "loss": self.loss}
        watched[metric] = True
        parts: dict[str, float] = self.weights.model_dump(include={name for name, there in watched.items() if there})
        return self.alpha * parts[metric] / sum(parts.values())

    def weight_of(self, metric: Literal["shadow", "errors", "latency", "loss"]) -> float:
        """The same as a share of ``alpha``."""
        return self.alpha_of(metric) / self.alpha

    @field_validator("target", mode="wrap", json_schema_input_type=str | dict[str, Any])
    @classmethod
    def _of_kind(cls, value: object, _: object) -> Section:
        """The settings of a target, read by the class of its kind."""
        kind: type[Section]
        if isinstance(value, Section):
            return value
        if isinstance(value, str):
            kind = extensions.find("retrain.targets", value, "Target")
            return extensions.used(value, lambda: kind.model_validate({"kind": value}))
        if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
            raise ValueError("the name of a target, or {kind: …} with its settings")
        try:
            kind = extensions.find("retrain.targets", value["kind"], "Target")
            return _travelling(read(kind, value, "kind"))
        except extensions.UnknownKind as error:
            wrong = mistake(("kind",), value["kind"], error)
            raise ValidationError.from_exception_data("Target", [wrong]) from None

    @field_validator("steps")
    @classmethod
    def _rising(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        if not steps or list(steps) != sorted(set(steps)) or not all(0 < s <= 1 for s in steps):
            raise ValueError("rising shares between 0 and 1, e.g. [0.1, 0.25, 0.5]")
        return steps


def _travelling(target: Section) -> Section:
    """The same, if it comes out of JSON as it went in: a release is watched from another machine."""
    if type(target).model_validate(target.model_dump(mode="json")) != target:
        raise ValueError("settings that JSON can hold (of a secret, name an environment variable)")
    return target
