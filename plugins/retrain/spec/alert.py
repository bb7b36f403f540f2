"""Who is told, of what."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retrain.spec.section import Section


class Alert(Section):
    """One Airflow notifier."""

    notifier: str = Field(description="Import path, e.g. airflow.providers.smtp.notifications.smtp.SmtpNotifier.")
    arguments: dict[str, Any] = Field({}, description="Its arguments; may use Jinja, as in any notifier.")
    on: tuple[Literal["failure", "decision", "success"], ...] = ("failure", "decision")
