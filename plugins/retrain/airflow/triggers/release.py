"""Waits for a release to be decided, in the triggerer: the loop around one look at the evidence.

What travels is what is to be done, never where the worker found it: what a phase asks of the pipeline, as it was
described when the task began, and the store. A folder of the worker (a Dag bundle's, say) need not be there on the
triggerer, nor the packages of gates and alerts; and the addresses of alerts stay at home.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from pydantic import ValidationError
from typing_extensions import override

from retrain import story
from retrain.airflow.hooks.site import configured
from retrain.artifacts import Candidate, Ref, Request
from retrain.errors import GatewayError, RetrainError, SpecError
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    from retrain.rollout.phase import Phase
    from retrain.rollout.progress import Progress

TROUBLES = 60
SHARED = ("store", "mlflow_tracking_uri", "gateway_url")
"""The settings that mean the same on every machine; the others are the triggerer's own."""
MEND = (
    "mend what this task's log of the triggerer shows. The task is tried again and goes on where the release stands; "
    "if it fails for good, the report rolls the challenger back."
)


class ReleaseTrigger(BaseTrigger):
    """Looks at a release every few seconds until it is decided, or paused and nobody was told.

    It has no memory that matters: what it has counted is a fold over the log, and is folded anew by the triggerer
    that takes over.

    :param phase: which watched stage of the story.
    :param pipeline: what ``pipeline.yaml`` says, as JSON.
    :param request: the run's request, as JSON.
    :param candidate: the reference of the challenger.
    :param version: its version, to speak of it.
    :param settings: where store and MLflow are.
    :param poll: seconds between two looks.
    :param told: the ledger entry of a pause that somebody was told of; the trigger waits on for its end.
    """

    def __init__(
        self,
        *,
        phase: str,
        pipeline: Mapping[str, Any],
        request: Mapping[str, Any],
        candidate: Mapping[str, Any],
        version: int,
        settings: Mapping[str, str],
        poll: float,
        told: int = 0,
    ) -> None:
        super().__init__()
        self.told = told
        self.phase, self.pipeline, self.version, self.poll = phase, dict(pipeline), version, poll
        self.request, self.candidate, self.settings = dict(request), dict(candidate), dict(settings)

    @classmethod
    def of(
        cls, phase: str, spec: Spec, request: Request, candidate: Candidate, site: Site, *, told: int = 0
    ) -> ReleaseTrigger:
        """The trigger that goes on where a task stops."""
        return cls(
            phase=phase,
            pipeline={
                **spec.model_dump(mode="json", by_alias=True, exclude={"alerts", "assets", "bless"}),
                "bless": spec.bless.model_dump(mode="json", include={"approval"}),
            },
            request=request.model_dump(mode="json"),
            candidate=candidate.ref().model_dump(),
            version=candidate.version,
            settings={name: str(getattr(site.settings, name)) for name in SHARED},
            poll=spec.canary.poll.total_seconds(),
            told=told,
        )

    @override
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """All it needs to be made again in another triggerer."""
        return "retrain.airflow.triggers.release.ReleaseTrigger", {
            "phase": self.phase,
            "pipeline": self.pipeline,
            "request": self.request,
            "candidate": self.candidate,
            "version": self.version,
            "settings": self.settings,
            "poll": self.poll,
            "told": self.told,
        }

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, wait, look again. What may come back is waited for; anything else that goes wrong is told the task."""
        phase: Phase | None = None
        troubles = 0
        while True:
            try:
                if phase is None:
                    phase = await asyncio.to_thread(self.open)
                progress, pause = await asyncio.to_thread(self.look, phase)
                troubles = 0
            except Exception as error:  # also what a package of somebody else's did not foresee
                troubles += 1
                if not isinstance(error, RetrainError) or not error.retryable or troubles > TROUBLES:
                    self.log.error("This release is not watched any more", exc_info=error)
                    yield TriggerEvent(self.given_up(error))
                    return
                self.log.warning("Looking again in %s s: %s", self.poll, error)
            else:
                self.log.info("%s", progress.summary)
                if progress.decided or pause:
                    yield TriggerEvent({**progress.model_dump(mode="json"), **({"pause": pause} if pause else {})})
                    return
            await asyncio.sleep(self.poll)

    def look(self, phase: Phase) -> tuple[Progress, int]:
        """Look once; and the ledger entry of a pause that nobody was told of, or 0."""
        progress = phase.look()
        pause = phase.ledger.release_number() if progress.state == "paused" else 0
        return progress, pause if pause != self.told else 0

    def given_up(self, error: Exception) -> dict[str, str | None]:
        """What the task is told of an error that looking again does not mend."""
        known = error if isinstance(error, RetrainError) else GatewayError(f"{type(error).__name__}: {error}", do=MEND)
        whose = f"The {self.phase} of version {self.version} of '{self.pipeline['name']}'"
        return {"error": f"{whose} could not be watched: {known.what}", "where": known.where, "do": known.do}

    def spec(self) -> Spec:
        """What travelled of ``pipeline.yaml``.

        :raises SpecError: a package it names is not here, or is another.
        """
        try:
            return Spec.model_validate({**self.pipeline, "folder": Path(self.pipeline["name"])})
        except ValidationError as error:
            key = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise SpecError(
                f"The triggerer cannot read pipeline '{self.pipeline['name']}' as the worker does: "
                f"{error.errors()[0]['msg']}",
                file=f"{self.pipeline['name']}/pipeline.yaml",
                key=key,
                do="install in the triggerer what workers have: the packages of the pipeline's source and target.",
            ) from error

    def open(self) -> Phase:
        """What is looked at."""
        spec = self.spec()
        shared = {name: self.settings[name] for name in SHARED}
        site = Site(Settings.load(further=configured()).model_copy(update=shared))
        candidate = site.read(Candidate, Ref.model_validate(self.candidate))
        return story.stage(self.phase).phase(spec, Request.model_validate(self.request), candidate, site)
