"""Who is told, of what."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator
from typing_extensions import override

from retrain import extensions
from retrain.errors import AlertError
from retrain.spec.section import Section, read

if TYPE_CHECKING:
    from retrain.alerts.events import Event

Occasion = Literal["failure", "decision", "success"]
GROUP = "retrain.alerts"


class Problem(NamedTuple):
    """Why an alert could not be sent, as far as that is known without sending it.

    :param key: of the alert, where the mistake is.
    """

    key: str
    what: str
    do: str


class Alert(Section):
    """Somebody who is told how runs end: `notifier` for Airflow's notifiers, `to` for everything else."""

    on: tuple[Occasion, ...] = Field(("failure", "decision"), description="Of what: failure, decision, success.")

    @classmethod
    @override
    def model_for(cls, content: object) -> type[Section]:
        """The class of what stands in the list.

        :raises ValueError: it names neither a notifier nor a sender.
        :raises pydantic.ValidationError: nobody brings a sender of that name.
        """
        if cls is not Alert:
            return cls
        if not isinstance(content, Mapping) or not {"notifier", "to"} & set(content):
            raise ValueError("`to:` and its settings, e.g. {to: webhook, url: …}, or `notifier:` and its arguments")
        return Notifier if "notifier" in content else sender(_Named(to=content["to"]).to)

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called in messages; nothing secret."""

    @abstractmethod
    def send(self, event: Event) -> None:
        """Tell it of an event, within the time and the tries it allows itself.

        :raises AlertError: it could not be told.
        """

    def problem(self) -> Problem | None:
        """What is wrong with it that can be known without sending."""
        return None


class Notifier(Alert):
    """An Airflow notifier. It needs Airflow's context, so that it is sent by Dags and not by `retrain run`."""

    notifier: str = Field(description="Import path, e.g. airflow.providers.smtp.notifications.smtp.SmtpNotifier.")
    arguments: dict[str, Any] = Field(
        {}, description="Its arguments; may use Jinja, as in any notifier: `{{ retrain_event.headline }}`."
    )

    @property
    @override
    def name(self) -> str:
        return self.notifier

    @override
    def send(self, event: Event) -> None:
        raise AlertError(
            f"{self.notifier} is not told of '{event.kind}': it is an Airflow notifier, and this run is not Airflow's.",
            do="nothing, if Airflow's runs are enough; otherwise add an alert with `to:`, which both send.",
        )

    @override
    def problem(self) -> Problem | None:
        module = self.notifier.rpartition(".")[0]
        try:
            found = find_spec(module) is not None
        except (ImportError, ValueError):
            found = False
        return (
            None if found else Problem("notifier", f"There is no module '{module}'.", "install its provider package.")
        )


class _Named(Section):
    """The name of a sender, on its own, so that a wrong one is a mistake of the key `to`."""

    to: str

    @field_validator("to")
    @classmethod
    def _known(cls, to: str) -> str:
        sender(to)
        return to


def sender(to: str) -> type[Alert]:
    """The class of senders of a name: ours, an import path, or an entry point in the group ``retrain.alerts``.

    :raises UnknownKind: there is none, or it is something else.
    """
    found: type[Alert] = extensions.find(GROUP, to, "Sender")
    return found


def kinds() -> dict[str, type[Alert]]:
    """Everything of ours that may stand in ``alerts``, by how it is named there."""
    return {**{f"to: {name}": sender(name) for name in extensions.ours(GROUP)}, "notifier": Notifier}


def _alert(value: object) -> Section:
    if isinstance(value, Alert):
        return value
    kind = Alert.model_for(value)
    assert isinstance(value, Mapping)
    return read(kind, value, "to")


AnyAlert = Annotated[SerializeAsAny[Alert], BeforeValidator(_alert)]
