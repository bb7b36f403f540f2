"""The story of a retraining: which stages there are, in order, and what follows from what they find.

The one place that says so. The Dag draws it, ``retrain run`` walks it, the report tells it. A stage's code is named
by its import path and imported when it is called, so that whoever only wants to know the order pays for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from retrain.artifacts import Artifact, Candidate, Request
    from retrain.rollout.phase import Phase
    from retrain.rollout.progress import ProgressState
    from retrain.site import Site
    from retrain.spec import Spec

Group = Literal["data", "model", "verdict", "release"]

GROUPS: dict[Group, str] = {
    "data": "Take the data and judge it",
    "model": "Make a candidate and score it",
    "verdict": "May it be released?",
    "release": "Release it carefully",
}
"""Group of stages → what it is for."""


class Stage(NamedTuple):
    """One stage.

    :param group: the group it belongs to; None for the report, which is made whatever happened.
    :param function: import path of ``stage(spec, request, *inputs, site)``; of the phase, a
        class, where the stage is watched; None where only a human can do it.
    :param hands_on: the class of the artifact it hands on: a name in :mod:`retrain.artifacts`, or an import path.
    :param inputs: the stages whose artifacts it takes, in the order of its arguments.
    :param then: import path of ``then(spec, request, artifact, site)``, asked what follows from the artifact (from
        its first input, if it hands on none): a reason to end the run here, or None. It may raise.
    :param asked: is it there at all in this pipeline? None: always.
    :param aged: its result must not be too old at a release.
    :param watched: it goes on until something is decided: begun once, then looked at again and again.
    :param after: the stages it follows; empty: the one before it.
    :param when: it is left out unless the release came to this.
    :param despite_skips: it is not left out because the one before it was.
    """

    name: str
    group: Group | None
    function: str | None
    hands_on: str | None = None
    inputs: tuple[str, ...] = ()
    then: str | None = None
    asked: Callable[[Spec], bool] | None = None
    aged: bool = False
    watched: bool = False
    after: tuple[str, ...] = ()
    when: ProgressState | None = None
    despite_skips: bool = False

    @property
    def kind(self) -> type[Artifact]:
        """The class of the artifact it hands on."""
        own = self.hands_on is not None and ":" in self.hands_on
        found: type[Artifact] = _resolved(self.hands_on if own else f"retrain.artifacts:{self.hands_on}")
        return found

    @property
    def argument(self) -> str:
        """What a task calls its artifact: ``FeatureSet`` → ``feature_set``."""
        name = (self.hands_on or self.name).rpartition(":")[2]
        words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        return words.lstrip("_")

    def call(self, spec: Spec, request: Request, inputs: Iterable[Any], site: Site) -> Any:
        """Do its work and return what it hands on."""
        return _resolved(self.function)(spec, request, *inputs, site)

    def decide(self, spec: Spec, request: Request, artifact: Any, site: Site) -> str | None:
        """Why the run ends here, if it does; raises where what was found is a failure."""
        if self.then is None:
            return None
        reason: str | None = _resolved(self.then)(spec, request, artifact, site)
        return reason

    def phase(self, spec: Spec, request: Request, candidate: Candidate, site: Site) -> Phase:
        """What is watched, for one candidate."""
        phase: Phase = _resolved(self.function)(spec, request, candidate, site)
        return phase


STORY: tuple[Stage, ...] = (
    Stage("collect", "data", "retrain.stages.collect:collect", "Snapshot", aged=True),
    Stage(
        "validate",
        "data",
        "retrain.stages.validate:validate",
        "Validation",
        ("collect",),
        then="retrain.stages.validate:require_valid",
        aged=True,
    ),
    Stage(
        "drift",
        "data",
        "retrain.stages.drift:drift",
        "Drift",
        ("collect",),
        then="retrain.stages.drift:fresh_enough",
    ),
    Stage("features", "model", "retrain.stages.features:features", "FeatureSet", ("collect", "validate"), aged=True),
    Stage("train", "model", "retrain.stages.train:train", "Candidate", ("features", "collect"), aged=True),
    Stage("evaluate", "model", "retrain.stages.evaluate:evaluate", "Scorecard", ("train", "features"), aged=True),
    Stage(
        "bless",
        "verdict",
        "retrain.stages.bless:bless",
        "Verdict",
        ("evaluate",),
        then="retrain.stages.bless:withheld",
        aged=True,
    ),
    Stage(
        "approve",
        "verdict",
        None,
        None,
        ("bless",),
        then="retrain.stages.approve:unapproved",
        asked=lambda spec: spec.bless.approval.required,
    ),
    Stage(
        "freshness",
        "verdict",
        "retrain.stages.freshness:freshness",
        "Freshness",
        ("train",),
        then="retrain.stages.freshness:outdated",
    ),
    Stage(
        "rehearse",
        "release",
        "retrain.stages.rehearse:rehearse",
        "Rehearsal",
        ("train",),
        then="retrain.stages.rehearse:failed",
        despite_skips=True,
    ),
    Stage("shadow", "release", "retrain.rollout.shadow:Shadow", None, ("train",), watched=True),
    Stage("canary", "release", "retrain.rollout.canary:Canary", None, ("train",), watched=True),
    Stage("promote", "release", "retrain.stages.promote:promote", None, ("train",), after=("canary",), when="done"),
    Stage(
        "roll_back",
        "release",
        "retrain.stages.roll_back:roll_back",
        None,
        ("train",),
        after=("canary",),
        when="rolled_back",
        despite_skips=True,
    ),
    Stage("report", None, "retrain.stages.report:report", "Report", ("train",), after=("promote", "roll_back")),
)
STAGES = tuple(stage.name for stage in STORY if stage.group is not None)
"""Every stage in order, without the report."""

AGED = tuple(stage.name for stage in STORY if stage.aged)
"""The stages whose results must not be too old at a release."""

BEFORE_RELEASE = frozenset(stage.name for stage in STORY if stage.group not in {"release", None})
"""What a redeployment leaves out: an older version is rehearsed and released, nothing is trained."""

RELEASED = "train"
"""The stage that hands on what is released. In a redeployment the older version takes its place."""

_BY_NAME = {stage.name: stage for stage in STORY}


def stage(name: str) -> Stage:
    """The stage of a name.

    :raises KeyError: there is none.
    """
    return _BY_NAME[name]


def artifact_of(kind: str) -> type[Artifact] | None:
    """The class of the artifacts of a kind; None if no stage hands on any."""
    ours: Mapping[str, type[Artifact]] = _resolved("retrain.artifacts:KINDS")
    brought = (stage.kind for stage in STORY if stage.hands_on is not None and ":" in stage.hands_on)
    return ours.get(kind) or next((found for found in brought if found.kind == kind), None)


def told(spec: Spec) -> tuple[Stage, ...]:
    """The stages that are there in a pipeline, in order; the report is the last."""
    return tuple(stage for stage in STORY if stage.asked is None or stage.asked(spec))


def before(stage: Stage, stages: tuple[Stage, ...]) -> tuple[str, ...]:
    """The stages that a stage follows directly, among those that are there."""
    if stage.after:
        return stage.after
    place = stages.index(stage)
    return (stages[place - 1].name,) if place else ()


def following(name: str) -> frozenset[str]:
    """Every stage after one, without the report."""
    return frozenset(STAGES[STAGES.index(name) + 1 :])


def ruled_out(name: str, state: ProgressState) -> frozenset[str]:
    """The later stages that are left out when a watched stage came to ``state``."""
    if state == "done":
        return frozenset(stage.name for stage in STORY if name in stage.after and stage.when not in {None, "done"})
    return frozenset(later for later in following(name) if stage(later).when != state)


def line(summary: str, reason: str | None) -> str:
    """What came of a stage, in one line: what it says of itself and, unless that says it, why the run ends here."""
    return summary if reason is None or reason in summary else f"{summary}; ended here: {reason}"


def _resolved(path: str | None) -> Any:
    if path is None:
        raise NotImplementedError("only a human can do this stage")
    module, _, name = path.partition(":")
    found = import_module(module)
    return getattr(found, name) if name else found
