"""Every pipeline at once, the worst first. One that is slow or broken is a row that says so, not the end of the others.

A :class:`~retrain.site.Site` that is kept has read every ledger once; after that a look costs two look-ups a pipeline.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from time import monotonic
from weakref import WeakKeyDictionary

from retrain.artifacts import Moment, Value, now
from retrain.errors import RetrainError
from retrain.site import Site
from retrain.status.pipeline import status
from retrain.status.standing import Standing, standing, unread, worst_first
from retrain.words import duration

log = logging.getLogger(__name__)

LOOKERS = 16
"""So many pipelines are looked at side by side."""


class Fleet(Value):
    """Every pipeline, the worst first.

    :param at: when they were looked at, by the clock here.
    """

    at: Moment
    pipelines: tuple[Standing, ...]


class _Look:
    """What is being looked at for one site: a pipeline whose store hangs is not asked a second time meanwhile."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked: dict[str, Future[Standing]] = {}
        self.pool = ThreadPoolExecutor(LOOKERS, thread_name_prefix="retrain-fleet")

    def ask(self, site: Site, name: str) -> Future[Standing]:
        with self.lock:
            asked = self.asked.get(name)
            if asked is None or asked.done():
                asked = self.asked[name] = self.pool.submit(look, site, name)
            return asked


_looks: WeakKeyDictionary[Site, _Look] = WeakKeyDictionary()
_lock = threading.Lock()


def fleet(site: Site, names: Iterable[str], *, within: float | None = None) -> Fleet:
    """How every pipeline stands.

    :param within: seconds; a pipeline that has not answered by then is UNREAD. It goes on being read, and is there at
        a later look. None waits for all.
    """
    with _lock:
        looking = _looks.setdefault(site, _Look())
    asked = {name: looking.ask(site, name) for name in names}
    began = monotonic()
    done, _ = wait(asked.values(), within)
    late = f"its ledger has not been read in {duration(monotonic() - began)}; the reading goes on"
    found = (one.result() if one in done else unread(name, late) for name, one in asked.items())
    return Fleet(at=now(), pipelines=worst_first(found))


def look(site: Site, name: str) -> Standing:
    """How one pipeline stands, or why that cannot be said."""
    try:
        return standing(status(name, site))
    except RetrainError as error:
        where = f" Where: {error.where}." if error.where else ""
        return unread(name, f"{error.what}{where}")
    except Exception as error:  # whatever a file that nobody foresaw may raise: the others are told all the same
        log.exception("The status of pipeline '%s' cannot be told", name)
        return unread(name, f"its status cannot be told: {type(error).__name__}; the log of this process says more")
