"""Who is told how a run ended: typed events (:mod:`retrain.alerts.events`), and one file a sender."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from retrain.errors import RetrainError

if TYPE_CHECKING:
    from retrain.alerts.events import Event
    from retrain.spec import Alert

PATIENCE = 30.0
"""Seconds that all alerts of one event may take together."""

log = logging.getLogger(__name__)


def tell(alerts: Iterable[Alert], event: Event) -> None:
    """Tell everybody who asked for events of this occasion, all at the same time.

    One that fails, hangs or raises is logged; it changes nothing for the run and keeps no other back.
    """
    wanted = [alert for alert in alerts if event.on in alert.on]
    threads = [threading.Thread(target=_send, args=(alert, event), daemon=True) for alert in wanted]
    until = time.monotonic() + PATIENCE
    for thread in threads:
        thread.start()
    for thread, alert in zip(threads, wanted, strict=True):
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            log.warning("The alert %s was given up: it took longer than %g s.", alert.name, PATIENCE)


def _send(alert: Alert, event: Event) -> None:
    try:
        alert.send(event)
    except RetrainError as error:
        log.warning("%s", error)
    except Exception:  # whatever somebody's sender raises
        log.exception("The alert %s could not be sent", alert.name)
