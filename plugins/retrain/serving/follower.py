"""Follows a pipeline's ledger: the newest release whose models are loaded is the one that routes.

A new release is taken up only when its champion is loaded and its challenger is loaded or known to be unloadable;
until then the release before it stays, but for a challenger that was dropped since: the champion answers for it at
once. Champion, challenger and previous champion stay in memory, so a rollback is taken up at the next look.

When the store is lost or the ledger is broken the release that is known stays, and ``problems`` says so. It is also
kept on this disk, so that a gateway started while the store is away serves what it served before. A ledger that is
*shorter* than what was read here, or *another*, is treated as lost, not as news: an unmounted folder looks like an
empty one, and whoever cuts off a ledger's end may take back a rollback.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from retrain.artifacts import Value
from retrain.errors import LedgerBroken, LedgerRewritten, RetrainError, StoreMissing
from retrain.ledger import Ledger
from retrain.ledger.release import Release
from retrain.serving.models import LoadAttempt, Loader, Models
from retrain.serving.options import Options
from retrain.serving.runtime import Runner
from retrain.words import share

LONGEST_PAUSE = 5.0
PRESENCE_SECONDS = 5.0
"""How often the newest known entry is read again: a ledger that shrank, or vanished, looks like one without news."""

log = logging.getLogger(__name__)


class Known(Value):
    """A release and the ledger number it has."""

    number: int
    release: Release


NOTHING = Known(number=0, release=Release())


@dataclass(frozen=True)
class Routing:
    """What a request needs: the release and its models.

    :param challenger: None if there is none, or if it cannot be loaded (``challenger_error`` then says why).
    """

    number: int
    release: Release
    champion: Runner
    challenger: Runner | None = None
    challenger_error: str | None = None


class Follower:
    """Keeps ``routing`` up to date; None while there is no champion to ask.

    :param ledger: used by this follower's thread only.
    :param load: how a model is loaded.
    :param memory: the file that remembers the release on this disk.
    """

    def __init__(self, ledger: Ledger, load: Loader, memory: Path, options: Options) -> None:
        self.ledger = ledger
        self.routing: Routing | None = None
        self.problems: tuple[str, ...] = ()
        self._options = options
        self._memory = memory
        self._wake = threading.Event()
        self._stopped = False
        self._models = Models(load, options, self._wake.set)
        self._remembered = self._recall()
        self._target: Known | None = None
        self._ledger_error: RetrainError | None = None
        self._present_at = time.monotonic()
        self._thread = threading.Thread(target=self._follow, name=f"follow-{ledger.pipeline}", daemon=True)

    def start(self) -> None:
        """Start to follow, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following; what is loaded keeps answering."""
        self._stopped = True
        self._wake.set()

    @property
    def models_loaded(self) -> int:
        """How many models are in memory and can answer."""
        return self._models.loaded

    def tick(self) -> None:
        """Look once: at the ledger, then at the models."""
        self._look()
        problems = [str(self._ledger_error)] if self._ledger_error else []
        self.problems = (*problems, *self._take_up())

    def _follow(self) -> None:
        pause = self._options.poll
        while not self._stopped:
            try:
                self.tick()
            except Exception as error:
                log.exception("Pipeline '%s': following the ledger failed unexpectedly.", self.ledger.pipeline)
                self.problems = (f"{type(error).__name__}: {error}",)
            pause = min(2 * pause, LONGEST_PAUSE) if self._ledger_error else self._options.poll
            self._wake.wait(pause)
            self._wake.clear()

    # -- the ledger ------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Find the newest release; on any failure keep the newest one that is known."""
        error = self._read()
        self._note(error)
        if error is None:
            self._target = self._newest()
        elif isinstance(error, LedgerRewritten):
            self._target = self._target or self._remembered or self._newest()
        elif isinstance(error, LedgerBroken):
            self._target = max(self._newest(), self._remembered or NOTHING, key=lambda known: known.number)
        else:
            self._target = self._target or self._remembered

    def _read(self) -> RetrainError | None:
        try:
            self.ledger.poll()
            self._require_presence()
        except RetrainError as error:
            return error
        return None

    def _newest(self) -> Known:
        """The newest release among the entries read so far."""
        for entry in reversed(self.ledger.known):
            if self._target is not None and entry.number == self._target.number:
                return self._target
            if isinstance(entry.body, Release):
                return Known(number=entry.number, release=entry.body)
        return NOTHING

    def _require_presence(self) -> None:
        """Notice a store that has vanished, or a ledger that has shrunk: both look like one without news."""
        head, remembered = len(self.ledger.known), self._remembered
        if remembered is not None and head < remembered.number:
            raise self._vanished(f"entry {remembered.number} of its ledger, which was read before, is not there")
        if remembered is not None and remembered.number and not self._says(remembered):
            raise self._vanished(f"entry {remembered.number} of its ledger, which was read before, is another one now")
        if head and time.monotonic() - self._present_at >= PRESENCE_SECONDS:
            self.ledger.require_head()
            self._present_at = time.monotonic()

    def _says(self, remembered: Known) -> bool:
        """Does the ledger say what is remembered, under that number?"""
        return self.ledger.known[remembered.number - 1].body == remembered.release

    def _vanished(self, what: str) -> StoreMissing:
        return StoreMissing(
            f"The store of pipeline '{self.ledger.pipeline}' is not what it was: {what}.",
            where=self.ledger.store.uri,
            do=f"mount or restore it; this gateway serves the release it knows. If the ledger was begun anew on "
            f"purpose, delete {self._memory} and restart the gateway.",
        )

    def _note(self, error: RetrainError | None) -> None:
        if error is not None and str(error) != str(self._ledger_error):
            level = logging.ERROR if isinstance(error, LedgerBroken) else logging.WARNING
            log.log(level, "%s", error)
        if error is None and self._ledger_error is not None:
            log.info("Pipeline '%s': the ledger can be read again.", self.ledger.pipeline)
        self._ledger_error = error

    # -- the models ------------------------------------------------------------------------------------------

    def _take_up(self) -> list[str]:
        """Route by the newest release as far as its models are there; return what stands in the way."""
        if self._target is None or self._target.release.champion is None:
            return []
        known, release = self._target, self._target.release
        champion = self._models.want(self._target.release.champion)
        challenger = None if release.challenger is None else self._models.want(release.challenger)
        if champion.runner is None:
            return [str(champion.problem)] if champion.problem else []
        if challenger is None or _settled(challenger):
            self._route(known, champion.runner, challenger)
        elif self._outdated(champion.runner, release):
            self._route(_without_challenger(known), champion.runner, None)
        return [str(challenger.problem)] if challenger is not None and challenger.problem else []

    def _outdated(self, champion: Runner, release: Release) -> bool:
        """Does what routes now ask another champion, or a challenger that was dropped since?"""
        if self.routing is None or self.routing.champion is not champion:
            return True
        return self.routing.release.challenger not in (None, release.challenger)

    def _route(self, known: Known, champion: Runner, challenger: LoadAttempt | None) -> None:
        routing = Routing(
            number=known.number,
            release=known.release,
            champion=champion,
            challenger=challenger.runner if challenger else None,
            challenger_error=challenger.problem.what if challenger and challenger.problem else None,
        )
        if routing != self.routing:
            self.routing = routing
            log.info("Pipeline '%s': %s", self.ledger.pipeline, _spelled(routing))
        if self._target is not None and self._target != self._remembered:
            self._remember(self._target)
        self._hold()

    def _hold(self) -> None:
        """Champion, challenger and previous champion are in memory; nothing else is."""
        release = (self._target or NOTHING).release
        wanted = [served for served in (release.champion, release.challenger, release.previous) if served is not None]
        for served in wanted:
            self._models.want(served)
        self._models.keep_only(wanted)

    # -- memory ----------------------------------------------------------------------------------------------

    def _recall(self) -> Known | None:
        try:
            return Known.model_validate_json(self._memory.read_bytes())
        except (OSError, ValidationError):
            return None

    def _remember(self, known: Known) -> None:
        self._remembered = known
        partial = self._memory.with_suffix(".new")
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(known.model_dump_json())
            os.replace(partial, self._memory)
        except OSError as error:
            log.warning("The release cannot be kept in %s: %s. It is read from the ledger.", self._memory, error)


def _settled(attempt: LoadAttempt) -> bool:
    """Is it known how this came out? A store that is lost may come back; a model that is wrong stays wrong."""
    return attempt.runner is not None or (attempt.problem is not None and not attempt.problem.retryable)


def _without_challenger(known: Known) -> Known:
    """The same with the champion alone, until the challenger is loaded.

    Neither a switch of champions nor the end of the challenger before waits for it.
    """
    alone = known.release.model_copy(update={"challenger": None, "share": 0.0, "shadow": 0.0})
    return Known(number=known.number, release=alone)


def _spelled(routing: Routing) -> str:
    release = routing.release
    text = f"release {routing.number}, {release.state}: version {routing.champion.version} answers"
    if release.challenger is None:
        return text
    shares = f"share {share(release.share)}, shadow {share(release.shadow)}"
    broken = f"; it cannot be loaded: {routing.challenger_error}" if routing.challenger_error else ""
    return f"{text}, version {release.challenger.version} is tried ({shares}){broken}"
