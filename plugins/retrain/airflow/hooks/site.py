"""The way from Airflow's configuration to the place where a retraining happens."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, conf
from typing_extensions import override

from retrain.errors import UsageError
from retrain.settings import NAMES, Settings

if TYPE_CHECKING:
    from retrain.site import Site


class SiteHook(BaseHook):
    """Opens the :class:`~retrain.site.Site`.

    ``RETRAIN_*`` in the environment wins; then the connection's extra, if a connection is named; then ``[retrain]``
    of airflow.cfg; then defaults below ``.retrain/``.

    :param site_conn_id: a connection of type ``retrain`` whose extra holds settings; None for none.
    """

    conn_name_attr = "site_conn_id"
    default_conn_name = "retrain_default"
    conn_type = "retrain"
    hook_name = "Retrain"

    def __init__(self, site_conn_id: str | None = None) -> None:
        super().__init__()
        self.site_conn_id = site_conn_id

    @classmethod
    @override
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """The connection form: only the extra is used."""
        example = '{"store": "s3://bucket/retrain", "mlflow_tracking_uri": "http://mlflow:5000"}'
        return {
            "hidden_fields": ["host", "schema", "login", "password", "port"],
            "relabeling": {"extra": "Settings"},
            "placeholders": {"extra": example},
        }

    @cached_property
    def settings(self) -> Settings:
        """The settings.

        :raises UsageError: the connection's extra holds an unknown setting.
        """
        return Settings.load(further={**configured(), **self._connected()})

    @override
    def get_conn(self) -> Site:
        """The site these settings describe."""
        from retrain.site import Site

        return Site(self.settings)

    def _connected(self) -> dict[str, str]:
        if self.site_conn_id is None:
            return {}
        extra = self.get_connection(self.site_conn_id).extra_dejson
        unknown = sorted(set(extra) - set(NAMES))
        if unknown:
            raise UsageError(
                f"The connection '{self.site_conn_id}' holds settings that do not exist: {', '.join(unknown)}.",
                do=f"use only {', '.join(NAMES)} in its extra.",
            )
        return {name: str(value) for name, value in extra.items()}


def configured() -> dict[str, str]:
    """What ``[retrain]`` of airflow.cfg says."""
    section = {name: conf.get("retrain", name, fallback=None) for name in NAMES}
    return {name: str(value) for name, value in section.items() if value}
