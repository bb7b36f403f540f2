"""Routing decisions: written into the ledger, which is the truth; then everything else is brought to agree with it.

This is the one place where a target and MLflow's aliases hear of a decision. A target that does not follow is an
error worth another try, because requests go where it sends them; MLflow only mirrors, and a release never waits for
it. Whatever was missed (killed in between, a target that was away) the next call brings about.
"""

from __future__ import annotations

from retrain.artifacts import Request
from retrain.errors import GatewayError, RetrainError, SpecError
from retrain.ledger import Ledger
from retrain.ledger import release as machine
from retrain.site import Site
from retrain.spec import FILE, Spec
from retrain.targets.base import target_of
from retrain.tracking import aliases


def apply(spec: Spec, site: Site) -> None:
    """Bring the target to agree with the ledger; nothing happens where it does.

    Before the first release there is nothing to agree with.

    :raises RetrainError: it cannot be reached, or refuses.
    """
    target, standing = target_of(spec), site.ledger(spec.name).of(machine.Release)
    decided = next(standing, None)
    if decided is None:
        return
    entry, release = decided
    try:
        target.apply(release, entry.number, spec, site)
    except RetrainError:
        raise
    except Exception as error:  # whatever somebody's target raises
        raise GatewayError(
            f"The target '{target.kind}' of '{spec.name}' does not follow ledger entry {entry.number} yet: "
            f"{type(error).__name__}: {error}.",
            where=f"{spec.folder / FILE}, key `canary.target`",
            do=f"see that it is up; the decision stands. To tell it again: `retrain reconcile {spec.name}`.",
        ) from error


def follow(spec: Spec, site: Site) -> None:
    """Bring target and aliases to agree with the ledger, whatever an earlier attempt missed.

    :raises RetrainError: the target cannot be reached, or refuses.
    """
    apply(spec, site)
    aliases.mirror(site.ledger(spec.name), site.settings)


def reconcile(pipeline: str, site: Site) -> tuple[str, ...]:
    """Bring target and aliases to agree with the ledger, each as far as it can be.

    Works without a readable ``pipeline.yaml``: gateways follow the ledger by themselves.

    :return: what does not follow yet, and why; empty if all do.
    """
    problems: list[str] = []
    try:
        apply(Spec.load(site.settings.pipelines / pipeline), site)
    except SpecError as error:
        problems.append(
            f"The target was not told, because pipeline.yaml cannot be read (gateways need not be): {error}"
        )
    except RetrainError as error:
        problems.append(str(error))
    mirrored = aliases.mirror(site.ledger(pipeline), site.settings)
    return (*problems, *([mirrored] if mirrored is not None else []))


def drop_other(ledger: Ledger, version: int, *, request: Request, after: int) -> int:
    """Roll back a challenger that is not this version, as superseded. Returns the ledger's head."""
    release = ledger.release()
    if not release.under_way or release.tries(version):
        return after
    dropped = machine.roll_back(release, reason=f"superseded by version {version}")
    return ledger.append(dropped, actor=request.actor, run=request.run, after=after).number
