"""The gateway: any number of processes of ours that follow the ledger by themselves and write the prediction log."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from typing_extensions import override

from retrain.targets.base import Rehearsing, Target, Watch

if TYPE_CHECKING:
    from retrain.artifacts import Candidate
    from retrain.ledger.release import Release
    from retrain.site import Site
    from retrain.spec import Spec


class Gateway(Target):
    """Served by ``retrain serve``."""

    @override
    def apply(self, release: Release, number: int, spec: Spec, site: Site) -> None:
        """Gateways read the ledger themselves, within a second."""

    @override
    def rehearse(self, candidate: Candidate, spec: Spec, site: Site) -> AbstractContextManager[Rehearsing]:
        from retrain.targets._sandbox import sandbox

        return sandbox(spec, candidate, site)

    @override
    def watch(self, candidate: Candidate, spec: Spec, site: Site) -> Watch:
        from retrain.monitoring.live import LogWatch

        return LogWatch(spec, candidate, site)
