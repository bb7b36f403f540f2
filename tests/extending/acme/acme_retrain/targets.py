"""Acme's targets."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import Field

from retrain.targets.base import Target, Watch

if TYPE_CHECKING:
    from retrain.artifacts import Candidate
    from retrain.ledger.release import Release
    from retrain.monitoring.evidence import LiveEvidence
    from retrain.site import Site
    from retrain.spec import Spec


class Fleet(Target):
    """Gateways behind a balancer, which routes by the last file of a folder."""

    routes: Path = Field(description="The folder the balancer reads.")
    least: int = Field(30, ge=1, description="Answers of a challenger before it may be promoted.")

    def apply(self, release: Release, number: int, spec: Spec, site: Site) -> None:
        """Write a file named by the ledger's number: an older decision can never come after a newer one."""
        route = self.routes / f"{spec.name}-{number:08}.json"
        if route.exists():
            return
        champion, challenger = release.champion, release.challenger
        plain = {
            "champion": champion and champion.version,
            "challenger": challenger and challenger.version,
            "share": release.share,
        }
        partial = route.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(plain))
        partial.rename(route)  # the balancer sees all of it or nothing

    @contextmanager
    def rehearse(self, candidate: Candidate, spec: Spec, site: Site) -> Iterator[InProcess]:
        """Load it in this process; a real fleet would start one of its servers."""
        with TemporaryDirectory() as folder:
            yield InProcess(candidate, site, Path(folder))

    def watch(self, candidate: Candidate, spec: Spec, site: Site) -> Watch:
        return Cautious(candidate, spec, site, self.least)


class InProcess:
    """A candidate that answers in this process."""

    def __init__(self, candidate: Candidate, site: Site, folder: Path) -> None:
        self.candidate, self.site, self.folder = candidate, site, folder

    def load(self) -> float:
        from retrain.model.model import Model
        from retrain.model.store import fetch_model

        began = time.monotonic()
        self.model = Model.load(fetch_model(self.site.store, self.candidate.model, self.folder))
        return time.monotonic() - began

    def ask(self, rows: list[dict[str, Any]]) -> list[Any] | str:
        try:
            return list(self.model.answer(self.model.frame(rows)).output)
        except Exception as error:
            return f"{type(error).__name__}: {error}"


class Cautious:
    """What the prediction log shows, and that the challenger has answered often enough."""

    def __init__(self, candidate: Candidate, spec: Spec, site: Site, least: int) -> None:
        from retrain.monitoring.live import LogWatch

        self.log, self.least = LogWatch(spec, candidate, site), least

    def shadow(self) -> LiveEvidence:
        return self.log.shadow()

    def canary(self) -> LiveEvidence:
        from retrain.monitoring.evidence import ArmComparison

        seen = self.log.canary()
        answers = ArmComparison(
            name="answers",
            worse=False,
            within=seen.challenger >= self.least,
            required=True,
            champion=None,
            challenger=None,
            champion_rows=seen.champion,
            challenger_rows=seen.challenger,
            margin=self.least,
            summary=f"answers: {seen.challenger} of {self.least}",
        )
        return seen.model_copy(update={"metrics": (*seen.metrics, answers)})
