"""Waits for a release to be decided, in the triggerer: the loop around one look at the prediction log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow.triggers.base import BaseTrigger, TriggerEvent

from retrain.artifacts import Candidate, Ref, Request
from retrain.errors import RetrainError
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    from retrain.rollout.progress import Progress
    from retrain.rollout.watch import Watch

Phase = Literal["shadow", "canary"]
TROUBLES = 60


def begin(phase: Phase, spec: Spec, request: Request, candidate: Candidate, site: Site) -> Progress:
    """Begin a phase, or find it begun: safe to call again, by anybody."""
    return _stage(phase).begin(spec, request, candidate, site)  # type: ignore[no-any-return]


def look(phase: Phase, spec: Spec, request: Request, candidate: Candidate, site: Site, watch: Watch) -> Progress:
    """Look once at what the log says, decide, and write the decision down."""
    return _stage(phase).advance(spec, request, candidate, site, watch)  # type: ignore[no-any-return]


def _stage(phase: Phase) -> Any:
    if phase == "shadow":
        from retrain.stages import shadow

        return shadow
    from retrain.stages import canary

    return canary


class ReleaseTrigger(BaseTrigger):
    """Looks at a release every few seconds until it is decided.

    It has no memory that matters: what it has counted is a fold over the log, and is folded anew by the triggerer
    that takes over.

    :param phase: which part of the release.
    :param folder: the pipeline's folder.
    :param request: the run's request, as JSON.
    :param candidate: the reference of the challenger.
    :param settings: where store and MLflow are.
    :param poll: seconds between two looks.
    """

    def __init__(
        self,
        *,
        phase: Phase,
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
