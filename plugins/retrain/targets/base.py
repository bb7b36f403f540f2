"""What a target is: where a release runs. The ledger decides; a target is brought to agree with it.

One of your own is a :class:`Target` in a module of yours, named in ``pipeline.yaml``::

    canary:
      target: {kind: "my_package.targets:Fleet", cluster: blue}
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from retrain.spec.section import Section

if TYPE_CHECKING:
    from retrain.artifacts import Candidate
    from retrain.ledger.release import Release
    from retrain.monitoring.evidence import LiveEvidence
    from retrain.site import Site
    from retrain.spec import Spec


class Rehearsing(Protocol):
    """A candidate that answers, and nobody hears it but the rehearsal."""

    def load(self) -> float:
        """Wait until it answers; return how many seconds that took.

        :raises ModelError: it cannot be loaded, takes too long, or takes its process with it.
        """

    def ask(self, rows: list[dict[str, Any]]) -> list[Any] | str:
        """Its answers to some rows, or what went wrong, in one line. Raises ModelError if it died of it."""


class Watch(Protocol):
    """What is seen of one challenger; kept over many looks, and worth nothing that could not be read again."""

    def shadow(self) -> LiveEvidence:
        """What the shadow answers say now. Raises StoreError or LogBroken if that cannot be read now."""

    def canary(self) -> LiveEvidence:
        """What the live requests of both arms say now. Raises as :meth:`shadow` does."""


class Target(Section):
    """Where a release runs. A target is its settings, a section of ``pipeline.yaml``."""

    kind: str

    @abstractmethod
    def apply(self, release: Release, number: int, spec: Spec, site: Site) -> None:
        """Route as this release says; called after each routing entry and again at any time, by anybody.

        Where it routes so already, or by a newer one, nothing happens. Return when it does.

        :param number: of the release's entry in the ledger; a smaller one is older. 0 before the first.
        :raises RetrainError: it cannot be reached (``retryable``), or refuses.
        """

    @abstractmethod
    def rehearse(self, candidate: Candidate, spec: Spec, site: Site) -> AbstractContextManager[Rehearsing]:
        """Start the candidate as it will run, apart from all that is live; it is gone at the end.

        :raises GatewayError: it cannot be started here; the candidate is not to blame.
        """

    @abstractmethod
    def watch(self, candidate: Candidate, spec: Spec, site: Site) -> Watch:
        """See what comes of the challenger. Must cost nothing before the first look."""


def target_of(spec: Spec) -> Target:
    """Where a pipeline's releases run."""
    target = spec.canary.target
    assert isinstance(target, Target)
    return target
