"""What is trained, on which rows, within what budget."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from retrain.spec.durations import Duration
from retrain.spec.section import DAY, Section


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
    jobs: int | None = Field(
        None,
        ge=1,
        description="Fits side by side, and threads of one fit, at most; default: as many as cores and memory bear.",
    )
