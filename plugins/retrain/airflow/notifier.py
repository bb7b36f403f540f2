"""Airflow's notifiers as senders of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.module_loading import import_string
from pydantic import Field
from typing_extensions import override

from retrain.spec import Alert, Notifier

if TYPE_CHECKING:
    from retrain.alerts.events import Event


class ContextNotifier(Notifier):
    """A notifier that has what it needs: the context of an Airflow task.

    :param context: the context; the event is in it as ``retrain_event``, for templates.
    """

    context: Mapping[str, Any] = Field(repr=False)

    @override
    def send(self, event: Event) -> None:
        import_string(self.notifier)(**self.arguments)({**self.context, "retrain_event": event.as_json()})


def in_airflow(alert: Alert, context: Mapping[str, Any]) -> Alert:
    """The alert as it is sent by a task: a notifier is given the context."""
    if not isinstance(alert, Notifier):
        return alert
    return ContextNotifier(notifier=alert.notifier, arguments=alert.arguments, on=alert.on, context=context)
