"""The report says what came of a run, whatever came of it."""

from __future__ import annotations

from typing import Any

import pytest

from ledger_world import body as body_of
from release_world import shadow
from retrain.artifacts import ExpectationResult, FileRef, Ref, Validation
from retrain.ledger import StageDone
from retrain.ledger import release as machine
from retrain.stages.promote import promote
from retrain.stages.report import report
from retrain.stages.roll_back import roll_back


def told(world: Any, run: str = "run-2", states: dict[str, str] | None = None, **keys: Any) -> Any:
    return report(world.spec, world.request(run, **keys), world.site, states or {})


def append(world: Any, kind: Any, run: str = "run-2", **body: Any) -> None:
    world.ledger.append(body_of(kind, **body), actor="test", run=run)


def test_a_promotion(make_world: Any) -> None:
    world = make_world()
    promote(world.spec, world.request("run-1"), world.candidate(1), world.site)
    made = told(world, "run-1", {"model.train": "success", "release.promote": "success"})
    assert (made.outcome, made.headline) == ("promoted", "flights: version 1 promoted: version 1 is the first champion")
    assert made.summary == made.headline
    assert "| train | success |" in made.markdown
    assert "| version 1 blessed: because |" in made.markdown
    assert "| promoted: champion 1; version 1 is the first champion |" in made.markdown


def test_a_promotion_that_was_undone_since(world: Any) -> None:
    promote(world.spec, world.request(skip_canary=True, reason="hurry"), world.candidate(2), world.site)
    world.go_back(None, "it was bad")
    assert told(world).headline == "flights: version 2 was promoted and replaced since: it was bad"


def test_a_rollback_a_pause_and_a_release_under_way(world: Any) -> None:
    candidate = world.candidate(2)
    shadow.begin(world.spec, world.request(), candidate, world.site)
    assert told(world).outcome == "being released"
    died = told(world, states={"release.canary": "failed"})
    assert died.outcome == "failed"
    assert "failed at canary, and version 2 is being released" in died.headline
    world.ledger.append(machine.pause(world.ledger.release(), reason="patience"), actor="canary")
    assert told(world).headline == "flights: version 2 paused: patience"
    roll_back(world.spec, world.request(), candidate, world.site, "harm is shown")
    made = told(world)
    assert (made.outcome, made.headline) == ("rolled back", "flights: version 2 rolled back: harm is shown")


@pytest.mark.parametrize(
    ("kind", "body", "outcome", "headline"),
    [
        ("verdict", {"outcome": "vetoed", "reason": "suspicious: too good"}, "vetoed", "vetoed: suspicious: too good"),
        ("verdict", {"outcome": "undecided", "reason": "few rows"}, "undecided", "not released: few rows"),
        ("approval", {"approved": False, "reason": "not today"}, "rejected", "rejected: not today"),
        ("stale", {"reason": "10 days old"}, "stale", "stale and not released: 10 days old"),
        ("rehearsal", {"passed": False, "reason": "no answer"}, "rehearsal failed", "failed its rehearsal: no answer"),
    ],
)
def test_a_decision_against(world: Any, kind: str, body: Any, outcome: str, headline: str) -> None:
    world.candidate(2)
    append(world, kind, version=2, **body)
    made = told(world)
    assert made.outcome == outcome
    assert made.headline.endswith(headline)


def test_approval_is_awaited(world: Any) -> None:
    bless = world.spec.bless.model_copy(
        update={"approval": world.spec.bless.approval.model_copy(update={"required": True})}
    )
    world.spec = world.spec.model_copy(update={"bless": bless})
    world.candidate(2, rehearsed=False)
    assert told(world).outcome == "awaiting approval"


def test_a_champion_that_is_fresh_enough(world: Any) -> None:
    append(world, "fresh", reason="2 days old, nothing drifted", champion=1)
    assert told(world).headline == "flights: fresh enough: 2 days old, nothing drifted"


def test_bad_data(world: Any) -> None:
    broken = ExpectationResult(expectation="unique", column="id", success=False, scope="window", observed="8 %")
    snapshot = Ref(kind="snapshot", key="s", pipeline="flights")
    quarantine = FileRef(path="q", sha256="", bytes=1, rows=812)
    found = Validation(
        key="v",
        pipeline="flights",
        snapshot=snapshot,
        success=False,
        rows=1000,
        results=(broken,),
        quarantine=quarantine,
    )
    world.site.store.create(Validation.path("flights", "v"), found.to_bytes())
    world.ledger.record_stage("validate", found, world.request())
    made = told(world, states={"data.collect": "success", "data.validate": "failed", "data.drift": "upstream_failed"})
    assert made.outcome == "bad data"
    assert made.headline == "flights: bad data: 1 of 1 expectations broken; 812 rows in quarantine"
    assert "| drift | upstream_failed |" in made.markdown
    world.site.store.delete(Validation.path("flights", "v"))
    assert told(world, states={"data.validate": "failed"}).headline == "flights: failed at validate"


def test_a_run_that_failed_at_once_or_did_nothing(world: Any) -> None:
    assert told(world, "run-9", {"data.collect": "failed"}).headline == "flights: failed at collect"
    assert told(world, "run-10").outcome == "unfinished"
    assert told(world, "run-11", {"collect": "success", "report": "failed"}).outcome == "unfinished"


def test_it_is_written_once_and_again_when_something_changed(world: Any) -> None:
    world.candidate(2)
    first, again = told(world), told(world)
    assert first == again
    append(world, "verdict", version=2, outcome="vetoed", reason="no")
    changed = told(world)
    reports = [
        entry for entry in world.ledger.entries() if isinstance(entry.body, StageDone) and entry.body.stage == "report"
    ]
    assert [entry.body.artifact.key for entry in reports] == [first.key, changed.key]
    newest = next(done for _, done in world.ledger.of(StageDone) if done.stage == "report")
    assert newest.summary == "flights: version 2 vetoed: no"


def test_nothing_it_quotes_breaks_the_table(world: Any) -> None:
    world.candidate(2)
    append(world, "verdict", version=2, outcome="vetoed", reason="a | b\n| <script> | x |")
    lines = told(world).markdown.splitlines()
    assert "<script>" not in "\n".join(lines)
    assert all(line.replace("\\|", "").count("|") in {4, 5} for line in lines if line.startswith("|"))
