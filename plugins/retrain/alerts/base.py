"""What a sender of alerts is: settings, as a part of ``pipeline.yaml``, and one method."""

from __future__ import annotations

from pydantic import Field
from typing_extensions import override

from retrain.alerts.events import Event
from retrain.spec.alert import Alert, Problem

__all__ = ["Event", "Problem", "Sender"]


class Sender(Alert):
    """Base of everything an event can be sent to. Its settings are its fields.

    A sender defines :meth:`Alert.send`, which is called in a thread of its own and is given up after
    :data:`retrain.alerts.PATIENCE` seconds, and may define :meth:`Alert.problem` for ``retrain check``. What an event
    says may come from the data: send it as plain text.
    """

    to: str = Field(description="The sender: webhook, an import path package.module:Name, or an entry point's name.")

    @property
    @override
    def name(self) -> str:
        return self.to
