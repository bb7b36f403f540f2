"""What ``pipeline.yaml`` says. Safe to import while Airflow parses Dags: nothing heavy, no I/O but the file.

:meth:`Spec.load` reads one folder. A mistake becomes a :class:`~retrain.errors.SpecError` that names the file,
the line, the key, the value and what was expected.
"""

from __future__ import annotations

from retrain.metrics.task import Task
from retrain.spec.alert import Alert, Notifier
from retrain.spec.bless import GATES, Approval, Bless
from retrain.spec.canary import Canary, ErrorMetric, LatencyMetric, LossMetric, Shadow
from retrain.spec.drift import DriftSpec
from retrain.spec.pipeline import FILE, Spec
from retrain.spec.section import Section
from retrain.spec.source import Source
from retrain.spec.staleness import Staleness
from retrain.spec.training import CandidateSpec, Train
from retrain.spec.validation import Validate

__all__ = [
    "FILE",
    "GATES",
    "Alert",
    "Approval",
    "Bless",
    "Canary",
    "CandidateSpec",
    "DriftSpec",
    "ErrorMetric",
    "LatencyMetric",
    "LossMetric",
    "Notifier",
    "Section",
    "Shadow",
    "Source",
    "Spec",
    "Staleness",
    "Task",
    "Train",
    "Validate",
]
