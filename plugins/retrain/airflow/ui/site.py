"""The site as the API server sees it: one, kept, so that what was read of a ledger is not read again."""

from __future__ import annotations

import threading

from retrain.airflow.hooks.site import SiteHook
from retrain.settings import Settings
from retrain.site import Site

_lock = threading.Lock()
_kept: dict[Settings, Site] = {}


def site() -> Site:
    """The site of the settings in force."""
    settings = SiteHook().settings
    with _lock:
        if settings not in _kept:
            _kept.clear()
            _kept[settings] = Site(settings)
        return _kept[settings]
