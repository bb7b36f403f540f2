"""Weigh: is the candidate small enough for the devices it is to run on?"""

from __future__ import annotations

from typing import ClassVar

from retrain.artifacts import Artifact, Candidate, Ref, Request, identity
from retrain.site import Site
from retrain.spec import Spec

MOST = 50 << 20
"""Bytes a device has room for."""


class Weight(Artifact):
    """How large a candidate is, in bytes."""

    kind: ClassVar[str] = "weight"

    candidate: Ref
    version: int
    bytes: int

    @property
    def summary(self) -> str:
        return f"version {self.version} has {self.bytes / 2**20:.1f} MB"


def weigh(spec: Spec, request: Request, candidate: Candidate, site: Site) -> Weight:
    """Add up a candidate's files."""
    key = identity("weight", candidate=candidate.key)

    def make() -> Weight:
        files = (f"{candidate.model.path}/{name}" for name in candidate.model.files)
        size = sum(len(site.store.get(file)) for file in files)
        return Weight(key=key, pipeline=spec.name, candidate=candidate.ref(), version=candidate.version, bytes=size)

    weight = site.once(Weight, spec.name, key, make)
    site.ledger(spec.name).record_stage("weigh", weight, request)
    return weight


def too_heavy(spec: Spec, request: Request, weight: Weight, site: Site) -> str | None:
    """Why a run ends here; None if it goes on."""
    return f"at most {MOST / 2**20:.0f} MB allowed" if weight.bytes > MOST else None
