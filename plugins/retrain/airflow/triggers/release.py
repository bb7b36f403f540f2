"""Waits for a release to be decided, in the triggerer: the loop around one look at the evidence.

What travels is what is to be done, never where the worker found it: the pipeline as it was described when the task
began, and the store. A folder of the worker (a Dag bundle's, say) need not be there on the triggerer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from pydantic import ValidationError

from retrain import story
from retrain.airflow.hooks.site import configured
from retrain.artifacts import Candidate, Ref, Request
from retrain.errors import RetrainError, UsageError
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    from retrain.rollout.phase import Phase

TROUBLES = 60
SHARED = ("store", "mlflow_tracking_uri", "gateway_url")
"""The settings that mean the same on every machine; the others are the triggerer's own."""


class ReleaseTrigger(BaseTrigger):
    """Looks at a release every few seconds until it is decided.

    It has no memory that matters: what it has counted is a fold over the log, and is folded anew by the triggerer
    that takes over.

    :param phase: which watched stage of the story.
    :param pipeline: what ``pipeline.yaml`` says, as JSON.
    :param request: the run's request, as JSON.
    :param candidate: the reference of the challenger.
    :param settings: where store and MLflow are.
    :param poll: seconds between two looks.
    """

    def __init__(
        self,
        *,
        phase: str,
        pipeline: Mapping[str, Any],
        request: Mapping[str, Any],
        candidate: Mapping[str, Any],
        settings: Mapping[str, str],
        poll: float,
    ) -> None:
        super().__init__()
        self.phase, self.pipeline, self.poll = phase, dict(pipeline), poll
        self.request, self.candidate, self.settings = dict(request), dict(candidate), dict(settings)

    @classmethod
    def of(cls, phase: str, spec: Spec, request: Request, candidate: Candidate, site: Site) -> ReleaseTrigger:
        """The trigger that goes on where a task stops."""
        return cls(
            phase=phase,
            pipeline=spec.model_dump(mode="json", by_alias=True),
            request=request.model_dump(mode="json"),
            candidate=candidate.ref().model_dump(),
            settings={name: str(getattr(site.settings, name)) for name in SHARED},
            poll=spec.canary.poll.total_seconds(),
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """All it needs to be made again in another triggerer."""
        return "retrain.airflow.triggers.release.ReleaseTrigger", {
            "phase": self.phase,
            "pipeline": self.pipeline,
            "request": self.request,
            "candidate": self.candidate,
            "settings": self.settings,
            "poll": self.poll,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, wait, look again. A lost store is waited for; anything else that goes wrong is told the task."""
        phase: Phase | None = None
        troubles = 0
        while True:
            try:
                if phase is None:
                    phase = await asyncio.to_thread(self.open)
                progress = await asyncio.to_thread(phase.look)
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

    def open(self) -> Phase:
        """What is looked at."""
        spec = self._spec()
        site = Site(Settings.load(further={**configured(), **self.settings}))
        candidate = site.read(Candidate, Ref.model_validate(self.candidate))
        return story.stage(self.phase).phase(spec, Request.model_validate(self.request), candidate, site)

    def _spec(self) -> Spec:
        try:
            return Spec.model_validate({**self.pipeline, "folder": Path(self.pipeline["name"])})
        except ValidationError as error:
            first, name = error.errors()[0], self.pipeline["name"]
            key = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"The triggerer cannot read pipeline '{name}' as the worker did: `{key}`: {first['msg']}",
                do="install the packages whose kinds it names where the triggerer runs, in the same versions.",
            ) from error
