"""The models a gateway holds in memory, fetched, verified, loaded and warmed up aside, never in a request's way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from retrain.errors import ModelError, RetrainError
from retrain.ledger.release import Served
from retrain.serving.options import Options
from retrain.serving.runtime import Answering, Runner, ask_together
from retrain.store.base import ObjectStore

RETRY_SECONDS = 5.0
"""A model that could not be loaded is tried again after this long: its files may have been restored."""

GRACE_SECONDS = 60.0
"""How long an unloaded model still answers the requests that were routed to it before."""

log = logging.getLogger(__name__)


Loader = Callable[[Served], Answering]
"""Fetches, verifies and loads a model. Raises RetrainError."""


def store_loader(store: ObjectStore, cache: Path) -> Loader:
    """Load models from the store, by way of a folder on this machine."""

    def load(served: Served) -> Answering:
        from retrain.model.model import Model
        from retrain.model.store import fetch_model

        return Model.load(fetch_model(store, served.model, cache))

    return load


class LoadAttempt:
    """One attempt to load a model, in a thread of its own. ``runner`` or ``error`` appears when it is over."""

    def __init__(self, load: Loader, served: Served, options: Options, done: Callable[[], None]) -> None:
        self.served = served
        self.runner: Runner | None = None
        self.error: RetrainError | None = None
        self._options = options
        self._load = load
        self._done = done
        self._began = time.monotonic()
        self._ended: float | None = None
        threading.Thread(target=self._run, name=f"load-{served.version}", daemon=True).start()

    @property
    def problem(self) -> RetrainError | None:
        """Why there is no model, if that is settled."""
        took = time.monotonic() - self._began
        if self.runner is None and self.error is None and took > self._options.load_patience:
            return ModelError(
                f"Version {self.served.version} is still not loaded after {took:.0f} s.",
                do="see what its feature file does when it is imported; roll it back meanwhile.",
            )
        return self.error

    @property
    def worth_another_try(self) -> bool:
        """Did it fail long enough ago?"""
        return self.error is not None and time.monotonic() - (self._ended or 0.0) > RETRY_SECONDS

    def _run(self) -> None:
        try:
            model = self._load(self.served)
            ask_together(model, [[{}]])  # warm up: the first call of a model is its slowest
            self.runner = Runner(model, self.served.version, waiting_rows=self._options.waiting_rows)
            log.info("Version %d is loaded (%.1f s).", self.served.version, time.monotonic() - self._began)
        except RetrainError as error:
            self._fail(error)
        except BaseException as error:
            self._fail(ModelError(f"Version {self.served.version} cannot be loaded: {type(error).__name__}: {error}."))
        self._done()

    def _fail(self, error: RetrainError) -> None:
        log.error("Version %d cannot be loaded: %s", self.served.version, error)
        self._ended = time.monotonic()
        self.error = error


class Models:
    """The models of one pipeline, by digest. Used from one thread only.

    :param wake: called, from another thread, whenever an attempt is over.
    """

    def __init__(self, load: Loader, options: Options, wake: Callable[[], None]) -> None:
        self._load = load
        self._options = options
        self._wake = wake
        self._held: dict[tuple[int, str], LoadAttempt] = {}
        self._retired: list[tuple[float, Runner]] = []

    def want(self, served: Served) -> LoadAttempt:
        """The model's loading: under way, done, or failed; begun if nobody has."""
        key = _key(served)
        held = self._held.get(key)
        if held is None or held.worth_another_try:
            held = self._held[key] = LoadAttempt(self._load, served, self._options, self._wake)
        return held

    def keep_only(self, wanted: Iterable[Served]) -> None:
        """Let go of all other models, after a grace for requests under way."""
        keys = {_key(served) for served in wanted}
        for key in [key for key in self._held if key not in keys]:
            runner = self._held.pop(key).runner
            if runner is not None:
                self._retired.append((time.monotonic(), runner))
        for since, runner in list(self._retired):
            if time.monotonic() - since > GRACE_SECONDS:
                runner.close()
                self._retired.remove((since, runner))

    @property
    def loaded(self) -> int:
        """How many models can answer."""
        return sum(loading.runner is not None for loading in list(self._held.values()))


def _key(served: Served) -> tuple[int, str]:
    return served.version, served.model.digest
