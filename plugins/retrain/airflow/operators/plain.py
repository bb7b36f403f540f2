"""Any stage, as a task, without an operator of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from retrain.airflow.operators.base import Input, StageOperator


class PlainOperator(StageOperator):
    """Calls a stage of the story that needs nothing special.

    :param stage: its name.
    :param inputs: what it takes, by name, e.g. ``{"snapshot": "{{ ti.xcom_pull(task_ids='collect') | tojson }}"}``.
    """

    template_fields: Sequence[str] = ("inputs",)

    def __init__(self, *, stage: str, inputs: Mapping[str, Input], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.inputs = inputs

    @override
    def given(self, argument: str) -> Input:
        return self.inputs[argument]
