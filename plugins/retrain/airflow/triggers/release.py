"""Waits for a release to be decided, in the triggerer: the loop around one look at the prediction log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from retrain import story
from retrain.artifacts import Candidate, Ref, Request
from retrain.errors import RetrainError
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    from retrain.rollout.progress import Progress
    from retrain.rollout.watch import Watch

TROUBLES = 60


def look(phase: str, spec: Spec, request: Request, candidate: Candidate, site: Site, watch: Watch) -> Progress:
    """Look once at what the log says, decide, and write the decision down."""
    return story.stage(phase).look(spec, request, candidate, site, watch)


class ReleaseTrigger(BaseTrigger):
    """Looks at a release every few seconds until it is decided.

    It has no memory that matters: what it has counted is a fold over the log, and is folded anew by the triggerer
    that takes over.

    :param phase: which watched stage of the story.
    :param folder: the pipeline's folder.
    :param request: the run's request, as JSON.
    :param candidate: the reference of the challenger.
    :param settings: where store and MLflow are.
    :param poll: seconds between two looks.
    """

    def __init__(
        self,
        *,
        phase: str,
        folder: str,
        request: Mapping[str, Any],
        candidate: Mapping[str, Any],
        settings: Mapping[str, str],
        poll: float,
    ) -> None:
        super().__init__()
        self.phase, self.folder, self.poll = phase, folder, poll
        self.request, self.candidate, self.settings = dict(request), dict(candidate), dict(settings)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """All it needs to be made again in another triggerer."""
        return "retrain.airflow.triggers.release.ReleaseTrigger", {
            "phase": self.phase,
            "folder": self.folder,
            "request": self.request,
            "candidate": self.candidate,
            "settings": self.settings,
            "poll": self.poll,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, wait, look again. A lost store is waited for; anything else that goes wrong is told the task."""
        release: _Release | None = None
        troubles = 0
        while True:
            try:
                if release is None:
                    release = await asyncio.to_thread(_Release, self)
                progress = await asyncio.to_thread(release.look)
                troubles = 0
            except RetrainError as error:
                troubles += 1
                if not error.retryable or troubles > TROUBLES:
                    yield TriggerEvent({"error": str(error), "do": error.do})
                    return
                self.log.warning("Looking again in %s s: %s", self.poll, error)
            else:
                self.log.info("%s", progress.summary)
                if progress.decided:
                    yield TriggerEvent(progress.model_dump(mode="json"))
                    return
            await asyncio.sleep(self.poll)


class _Release:
    """What a trigger holds between two looks."""

    def __init__(self, trigger: ReleaseTrigger) -> None:
        from retrain.rollout.watch import Watch

        self.phase = trigger.phase
        self.spec = Spec.load(trigger.folder)
        self.request = Request.model_validate(trigger.request)
        self.site = Site(Settings.model_validate(trigger.settings))
        self.candidate = self.site.read(Candidate, Ref.model_validate(trigger.candidate))
        self.watch = Watch(self.spec, self.candidate, self.site)

    def look(self) -> Progress:
        return look(self.phase, self.spec, self.request, self.candidate, self.site, self.watch)
