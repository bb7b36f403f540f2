"""Where a release runs: told of every decision, told again when it was away, and named in the spec."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from release_world import canary, make_world, no_mlflow, shadow
from retrain.artifacts import Candidate
from retrain.errors import GatewayError, SpecError
from retrain.ledger import Release, overrule
from retrain.monitoring.live import LogWatch
from retrain.rollout import routing
from retrain.rollout.canary import Canary
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.promote import promote
from retrain.stages.roll_back import roll_back
from retrain.targets.base import Target, target_of
from retrain.targets.gateway import Gateway

__all__ = ["make_world", "no_mlflow"]

SPEC = """\
name: flights
task: binary
source: {files: "*.parquet", timestamp: at, label: late}
train: {candidates: [{estimator: sklearn.dummy.DummyClassifier}]}
"""


class Fleet(Target):
    """Routes by what it was told last; it may be away."""

    cluster: str = "blue"

    told: ClassVar[list[Release]] = []
    numbers: ClassVar[list[int]] = []
    away: ClassVar[int] = 0

    def apply(self, release: Release, number: int, spec: Spec, site: Site) -> None:
        if Fleet.away:
            Fleet.away -= 1
            raise GatewayError("The fleet is away.")
        Fleet.told.append(release)
        Fleet.numbers.append(number)

    def rehearse(self, candidate: Candidate, spec: Spec, site: Site) -> Any:
        return nullcontext()

    def watch(self, candidate: Candidate, spec: Spec, site: Site) -> LogWatch:
        return LogWatch(spec, candidate, site)


@pytest.fixture
def world(make_world: Any) -> Any:
    """Version 1 serves; releases run on the fleet."""
    Fleet.told, Fleet.numbers, Fleet.away = [], [], 0
    made = make_world()
    made.spec = made.spec.model_copy(
        update={"canary": made.spec.canary.model_copy(update={"target": Fleet(kind=f"{__name__}:Fleet")})}
    )
    made.champion()
    return made


def states(releases: list[Release]) -> list[str]:
    """In words, without repetitions."""
    told = [f"{one.state} {one.step}" if one.step else one.state for one in releases]
    return [state for place, state in enumerate(told) if place == 0 or told[place - 1] != state]


def test_it_is_told_of_every_routing_decision_in_its_order(world: Any) -> None:
    progress = world.drive(world.candidate(2), world.request())
    assert progress.state == "done"
    assert states(Fleet.told) == world.states()[1:]
    assert Fleet.told[-1] == world.ledger.release()
    entries = {entry.number: entry.body for entry in world.ledger.entries()}
    assert [entries[number] for number in Fleet.numbers] == Fleet.told


@pytest.mark.parametrize("end", ["harm", "by hand"])
def test_it_is_told_of_a_rollback(world: Any, end: str) -> None:
    candidate = world.candidate(2)
    shadow.begin(world.spec, world.request(), candidate, world.site)
    if end == "harm":
        world.traffic(200, challenger_errors=0.5)
        shadow.advance(world.spec, world.request(), candidate, world.site, world.watch(candidate))
    else:
        roll_back(world.spec, world.request(), candidate, world.site, "a human says so")
    assert states(Fleet.told) == ["shadowing", "rolled_back"]


def test_a_target_that_was_away_is_told_at_the_next_try_and_nothing_is_written_twice(world: Any) -> None:
    candidate = world.candidate(2)
    Fleet.away = 2
    for _ in range(2):
        with pytest.raises(GatewayError, match="away"):
            shadow.begin(world.spec, world.request(), candidate, world.site)
    assert shadow.begin(world.spec, world.request(), candidate, world.site).state == "waiting"
    assert world.states() == ["promoted", "shadowing"]
    assert states(Fleet.told) == ["shadowing"]


def test_a_rollback_that_the_target_missed_is_not_taken_for_done(world: Any) -> None:
    candidate = world.candidate(2)
    shadow.begin(world.spec, world.request(), candidate, world.site)
    world.traffic(200, challenger_errors=0.5)
    Fleet.away = 1
    with pytest.raises(GatewayError):
        shadow.advance(world.spec, world.request(), candidate, world.site, world.watch(candidate))
    assert states(Fleet.told) == ["shadowing"]
    again = shadow.advance(world.spec, world.request(), candidate, world.another_site(), world.watch(candidate))
    assert again.state == "rolled_back"
    assert states(Fleet.told) == ["shadowing", "rolled_back"]
    assert world.states() == ["promoted", "shadowing", "rolled_back"]


def test_whoever_takes_over_tells_it_once_and_then_only_of_news(world: Any) -> None:
    candidate = world.candidate(2)
    canary.begin(world.spec, world.request(), candidate, world.site)
    Fleet.told.clear()
    taken_over = Canary(world.spec, world.request(), candidate, world.another_site())
    for _ in range(5):
        taken_over.look()
    assert states(Fleet.told) == ["ramping 1"]
    assert len(Fleet.told) == 1


def test_a_promotion_is_told_again_by_a_task_that_runs_again(world: Any) -> None:
    candidate, request = world.candidate(2), world.request(skip_canary=True, reason="hurry")
    Fleet.away = 1
    with pytest.raises(GatewayError):
        promote(world.spec, request, candidate, world.site)
    assert promote(world.spec, request, candidate, world.site).serves(2)
    assert states(Fleet.told) == ["promoted"]


def test_what_a_human_typed_is_brought_about_on_demand(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(world.spec, world.request(skip_canary=True, reason="hurry"), world.candidate(2), world.site)
    overrule.roll_back(world.ledger, to=None, actor="cli:alice", reason="wrong")
    monkeypatch.setattr(Spec, "load", lambda folder: world.spec)
    site = world.another_site()
    Fleet.away = 1
    assert routing.reconcile("flights", site) == ("The fleet is away.",)
    assert routing.reconcile("flights", site) == ()
    assert Fleet.told[-1].serves(1)


def test_whatever_it_raises_can_be_tried_again_and_the_decision_stands(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fleet, "apply", lambda *_: 1 / 0)
    with pytest.raises(GatewayError, match=r"Fleet' of 'flights' does not follow ledger entry \d+ yet") as caught:
        shadow.begin(world.spec, world.request(), world.candidate(2), world.site)
    assert caught.value.retryable
    assert "retrain reconcile flights" in str(caught.value.do)
    assert world.states() == ["promoted", "shadowing"]
    monkeypatch.setattr(Spec, "load", lambda folder: world.spec)
    (problem,) = routing.reconcile("flights", world.another_site())
    assert "ZeroDivisionError" in problem


def test_without_a_readable_spec_the_ledger_still_rules_and_it_is_said_who_was_not_told(
    world: Any, tmp_path: Path
) -> None:
    (problem,) = routing.reconcile("flights", Site(world.site.settings.model_copy(update={"pipelines": tmp_path})))
    assert "pipeline.yaml" in problem


# -- in pipeline.yaml --------------------------------------------------------------------------------------------


def load(tmp_path: Path, canary_line: str) -> Spec:
    folder = tmp_path / "flights"
    folder.mkdir(exist_ok=True)
    (folder / "pipeline.yaml").write_text(SPEC + canary_line)
    return Spec.load(folder)


@pytest.mark.parametrize("line", ["", "canary: {target: gateway}\n", "canary: {target: {kind: gateway}}\n"])
def test_the_gateway_is_the_first_target(tmp_path: Path, line: str) -> None:
    assert target_of(load(tmp_path, line)) == Gateway(kind="gateway")


def test_a_target_of_ones_own_is_named_by_import_path_with_its_settings_beside(tmp_path: Path) -> None:
    (tmp_path / "fleets.py").write_text(Path(__file__).read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        spec = load(tmp_path, 'canary: {target: {kind: "fleets:Fleet", cluster: green}}\n')
        again = Spec.model_validate({**spec.model_dump(mode="json", by_alias=True), "folder": tmp_path})
    assert (spec.canary.target.cluster, type(spec.canary.target).__module__) == ("green", "fleets")  # type: ignore[attr-defined]
    assert again.canary.target == spec.canary.target


@pytest.mark.parametrize(
    ("line", "key", "said"),
    [
        ("canary: {target: gatway}\n", "canary.target", "no 'gatway' among targets"),
        ("canary: {target: 7}\n", "canary.target", "the name of a target"),
        ("canary: {target: {kind: nowhere.at:All}}\n", "canary.target.kind", "cannot be imported"),
        ("canary: {target: {kind: json:JSONDecoder}}\n", "canary.target.kind", "not a subclass of Target"),
        ("canary: {target: {kind: gateway, colour: red}}\n", "canary.target.colour", "Unknown key"),
    ],
)
def test_a_wrong_target_is_named_by_file_line_and_key(tmp_path: Path, line: str, key: str, said: str) -> None:
    with pytest.raises(SpecError) as found:
        load(tmp_path, line)
    assert (found.value.line, found.value.key) == (5, key)
    assert said in str(found.value)


def test_before_the_first_release_there_is_nothing_to_be_told(world: Any) -> None:
    Fleet.told.clear()
    routing.apply(world.spec.model_copy(update={"name": "never-released"}), world.site)
    assert Fleet.told == []


def test_whatever_a_target_raises_is_an_error_that_says_what_stands_and_may_be_tried_again(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(Fleet, "apply", fail)
    with pytest.raises(GatewayError, match=r"ConnectionError: refused.*retrain reconcile") as caught:
        shadow.begin(world.spec, world.request(), world.candidate(2), world.site)
    assert caught.value.retryable
    assert world.states() == ["promoted", "shadowing"]


class Secretive(Fleet):
    """Its settings would not survive the way to another machine."""

    token: SecretStr


def test_settings_that_do_not_survive_json_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "flights"
    folder.mkdir()
    target = f'canary: {{target: {{kind: "{__name__}:Secretive", token: hunter2}}}}\n'
    (folder / "pipeline.yaml").write_text(SPEC + target)
    with pytest.raises(SpecError, match=r"canary\.target"):
        Spec.load(folder)
