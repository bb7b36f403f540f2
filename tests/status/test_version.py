"""What a version is, what was found of it, and what is different from the champion it was compared with."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from hostile_names import HOSTILE
from retrain.artifacts import Candidate, ColumnDrift, Drift, GateResult, Request, Score, Scorecard, Snapshot
from retrain.data.partitions import keep_parts
from retrain.errors import ReleaseError
from retrain.ledger import Ledger, overrule
from retrain.site import Site
from retrain.stages.drift import drift
from retrain.status import VersionStory, version_story
from retrain.status.bars import bars
from retrain.status.lines import score_lines, slice_lines
from visits_world import promote
from workshop_world import END, TREES, Workshop, rows

LATER = END + timedelta(days=20)


@pytest.fixture
def challenged(with_champion: Workshop) -> tuple[Workshop, VersionStory]:
    """A workshop whose second version was made of rows that have moved, by other code and settings."""
    workshop = with_champion
    workshop.write(train={"candidates": [TREES], "budget": 1})
    features = workshop.folder / "features.py"
    features.write_text(features.read_text().replace('"leak"', '"noise"', 1))
    frame = rows(LATER, seed=3)
    frame["x"] += 3.0
    frame["colour"] = frame["colour"].where(frame["colour"] != "green", "violet")
    frame["wind"] = 1.0
    candidate, _, _ = workshop.judge(frame, "run-2", LATER)
    site = workshop.fresh_site()
    drift(workshop.spec, workshop.request("run-2", LATER), site.read(Snapshot, candidate.snapshot), site)
    return workshop, version_story(workshop.spec.name, 2, workshop.fresh_site())


def test_a_version_tells_what_it_is_what_was_found_and_what_is_different(
    challenged: tuple[Workshop, VersionStory],
) -> None:
    workshop, story = challenged
    ledger = workshop.site.ledger(workshop.spec.name)
    known = ledger.version(2)
    candidate = workshop.site.read(Candidate, known.candidate)
    assert (story.version, story.run, story.mlflow_run) == (2, "run-2", candidate.run_id)
    assert (story.estimator, story.params, story.train_rows) == (
        TREES["estimator"],
        candidate.params,
        candidate.train_rows,
    )
    assert story.champion == 1
    assert story.verdict is not None
    assert (story.verdict.by, story.verdict.outcome) == ("gates", known.standing)
    assert {gate.gate for gate in story.verdict.gates} >= {"stability", "change", "slices"}
    brier = next(line for line in story.scores if line.metric == "brier")
    assert brier.margin is not None, "the deciding metric has the margin of its gate"
    assert brier.difference == pytest.approx(brier.challenger - brier.champion)  # type: ignore[operator]
    assert brier.lower is not None
    assert brier.upper is not None
    assert brier.lower <= brier.difference <= brier.upper  # type: ignore[operator]
    assert {line.name for line in story.slices} == {"colour=red", "colour=violet"}
    assert all(line.margin is not None for line in story.slices)
    assert any(name.startswith("colour=blue") for name in story.left_out)
    changed = {change.what: (change.before, change.after) for change in story.changes}
    assert changed["data until"] == ("2020-03-01 00:00 UTC", "2020-03-21 00:00 UTC")
    assert changed["column wind"] == (None, "float64")
    assert changed["feature leak"] == ("there", None)
    assert changed["feature noise"] == (None, "there")
    assert {"code of the features", "estimator", "parameter C", "parameter max_iter"} <= set(changed)
    assert VersionStory.model_validate_json(story.model_dump_json()) == story


def test_what_has_moved_is_drawn_before_and_now_in_the_same_bins(challenged: tuple[Workshop, VersionStory]) -> None:
    _, story = challenged
    moved = {one.column: one for one in story.drift}
    assert [one.drifted for one in story.drift] == sorted((one.drifted for one in story.drift), reverse=True)
    x, colour, leak = (moved[name] for name in ("x", "colour", "leak"))
    assert x.before is not None
    assert x.now is not None
    assert x.before.labels == x.now.labels
    assert len(x.before.labels) <= 20
    assert sum(x.before.shares) == pytest.approx(1)
    half = len(x.now.shares) // 2
    assert sum(x.before.shares[:half]) > 0.6 > 0.4 > sum(x.now.shares[:half])
    assert colour.now is not None
    shares = dict(zip(colour.now.labels, colour.now.shares, strict=True))
    assert shares["violet"] == pytest.approx(0.45, abs=0.05)
    assert colour.before is not None
    assert dict(zip(colour.before.labels, colour.before.shares, strict=True))["violet"] == 0.0
    assert (leak.drifted, leak.before, leak.now) == (False, None, None)


def test_what_was_deleted_is_left_out_and_the_rest_is_told(challenged: tuple[Workshop, VersionStory]) -> None:
    workshop, whole = challenged
    name, store = workshop.spec.name, workshop.site.store
    for path in store.list(f"{name}/data"):
        store.delete(path)
    bare = version_story(name, 2, workshop.fresh_site())
    assert bare.model_copy(update={"drift": whole.drift}) == whole
    assert [one.before for one in bare.drift] == [None] * len(whole.drift)
    for path in store.list(f"{name}/artifacts"):
        store.delete(path)
    found = version_story(name, 2, workshop.fresh_site())
    assert (found.standing, found.run, found.verdict and found.verdict.gates) == (whole.standing, "run-2", ())
    assert (found.estimator, found.scores, found.changes, found.drift) == (None, (), (), ())


def test_a_version_of_the_ledger_alone_is_told_with_who_overruled_the_gates(site: Site, ledger: Ledger) -> None:
    promote(ledger, 1)
    overrule.veto(ledger, 2, actor="cli:alice", reason="the label has leaked")
    found = version_story("visits", 2, site)
    assert (found.standing, found.reason) == ("vetoed", "the label has leaked")
    assert found.verdict is not None
    assert (found.verdict.by, found.verdict.outcome, found.verdict.gates) == ("cli:alice", "vetoed", ())
    with pytest.raises(ReleaseError, match="has no version 9"):
        version_story("visits", 9, site)


# -- lines ---------------------------------------------------------------------------------------------------------


def a_score(metric: str = "brier", harm: tuple[float, float, float] | None = (0.0, -0.01, 0.01)) -> Score:
    """A score that is worse by so much, between these bounds; None: it cannot be compared."""
    better = "higher" if metric == "accuracy" else "lower"
    if harm is None:
        return Score(metric=metric, better=better, rows=100, challenger=0.2)
    point, least, most = harm if better == "lower" else (-harm[0], -harm[2], -harm[1])
    return Score(
        metric=metric, better=better, rows=100, champion=0.2, challenger=0.2 + point,
        difference=point, difference_lower=least, difference_upper=most,
    )  # fmt: skip


def a_scorecard(*scores: Score, slices: tuple[tuple[str, Score], ...] = ()) -> Scorecard:
    file = {"path": "p", "sha256": "0" * 64, "bytes": 1}
    ref = {"kind": "candidate", "key": "k", "pipeline": "p"}
    held = [{"column": "shop", "value": value, "score": score.model_dump()} for value, score in slices]
    content = {"key": "k", "pipeline": "p", "candidate": ref, "version": 2, "champion": 1, "holdout_rows": 100}
    content |= {"holdout_days": 10, "scores": [score.model_dump() for score in scores], "baselines": {}, "slices": held}
    return Scorecard.model_validate(content | {"left_out": (), "finite": True, "predictions": file})


def test_the_worst_line_comes_first_in_words_of_its_margin() -> None:
    harms = {"a": (0.1, 0.05, 0.15), "b": (0.0, -0.04, 0.04), "c": (0.0, -0.01, 0.01), "d": (-0.1, -0.15, -0.05)}
    held = tuple((name, a_score(harm=harm)) for name, harm in reversed(harms.items()))
    asked = GateResult(gate="slices", outcome="failed", reason="", evidence={"margin": 0.02, "relative": None})
    lines = slice_lines(a_scorecard(slices=(*held, ("e", a_score(harm=None)))), [asked])
    assert [(line.name[-1], line.outcome) for line in lines] == [
        ("a", "worse"),
        ("b", "undecided"),
        ("c", "within"),
        ("d", "better"),
        ("e", "not compared"),
    ]
    assert [line.margin for line in lines] == [0.02] * 4 + [None]


def test_where_more_is_better_a_line_points_the_other_way_and_says_the_same() -> None:
    change = GateResult(
        gate="change", outcome="failed", reason="",
        evidence={"metric": "accuracy", "harm": 0.1, "harm_lower": 0.05, "harm_upper": 0.15, "margin": 0.02},
    )  # fmt: skip
    worse, other = score_lines(a_scorecard(a_score(), a_score("accuracy", (0.1, 0.05, 0.15))), [change])
    assert (worse.metric, worse.outcome, worse.margin) == ("accuracy", "worse", 0.02)
    assert (worse.difference, worse.lower, worse.upper) == pytest.approx((-0.1, -0.15, -0.05))
    assert (other.metric, other.outcome, other.margin) == ("brier", "undecided", None), "nobody gave it a margin"


def test_a_gate_that_left_no_numbers_leaves_no_margin() -> None:
    broken = GateResult(gate="change", outcome="failed", reason="", evidence={"metric": "brier", "margin": "much"})
    (line,) = score_lines(a_scorecard(a_score()), [broken])
    assert (line.margin, line.outcome) == (None, "undecided")


# -- bars ----------------------------------------------------------------------------------------------------------


def a_snapshot(site: Site, frame: pd.DataFrame) -> Snapshot:
    start, end = END - timedelta(days=90), END
    frame = frame.assign(at=pd.date_range(start, end, len(frame) + 1)[:-1].as_unit("us"))
    return Snapshot(
        key="s", pipeline="p", start=start, end=end, newest=end, sources=(),
        parts=keep_parts(site, "p", frame, "at", start, end),
        columns={str(column): str(dtype) for column, dtype in frame.dtypes.items()},
    )  # fmt: skip


def test_every_kind_of_column_is_drawn_or_left_out(site: Site) -> None:
    count = 400
    held = {
        "number": np.linspace(0, 1, count),
        "few": np.arange(count) % 3,
        "flag": np.arange(count) % 2 == 0,
        "many": [f"name {number % 40}" for number in range(count)],
        "gaps": pd.array([None, 1.0] * (count // 2), dtype="Float64"),
        "nothing": pd.array([None] * count, dtype="Float64"),
        "when": pd.date_range("2026", periods=count),
        "constant": np.ones(count),
    }
    parts = a_snapshot(site, pd.DataFrame(held)).parts
    drawn = bars(site, parts, parts, [*held, "not there"])
    assert set(drawn) == {"number", "few", "flag", "many", "gaps", "constant"}
    assert all(before == now for before, now in drawn.values())
    assert len(drawn["number"][0].labels) == 18
    assert drawn["few"][0].labels == ("0", "1", "2")
    assert set(drawn["flag"][0].labels) == {"True", "False"}
    assert len(drawn["many"][0].labels) == 11
    assert drawn["many"][0].labels[-1] == "others"
    assert dict(zip(drawn["gaps"][0].labels, drawn["gaps"][0].shares, strict=True)) == {"1": 0.5, "missing": 0.5}
    assert all(sum(before.shares) == pytest.approx(1) for before, _ in drawn.values())


def test_hostile_names_of_columns_and_values_are_drawn_as_they_are(site: Site) -> None:
    names = list(HOSTILE.values())
    frame = pd.DataFrame(dict.fromkeys(names, names * 3))
    drawn = bars(site, *[a_snapshot(site, frame).parts] * 2, names)
    assert set(drawn) == set(names)
    assert set(drawn[names[0]][0].labels) == set(names)


def test_a_version_made_on_hostile_columns_is_told_as_text(site: Site, ledger: Ledger) -> None:
    snapshot = a_snapshot(site, pd.DataFrame({name: [1.0, 2.0] for name in HOSTILE.values()}))
    columns = [
        ColumnDrift(column=name, distance="psi", value=0.4, threshold=0.1, drifted=True) for name in HOSTILE.values()
    ]
    made = Drift(
        key="d", pipeline="visits", snapshot=snapshot.ref(), reference=snapshot.ref(), champion=1,
        columns=tuple(columns), drifted=True, incomparable={"![y](http://evil)": "<b>gone</b>"},
    )  # fmt: skip
    site.store.create(Drift.path("visits", "d"), made.to_bytes())
    ledger.record_stage("drift", made, Request(data_end=END, run="run-2"))
    story = version_story("visits", 2, site)
    assert [one.column for one in story.drift] == ["![y](http://evil)", *HOSTILE.values()]
    assert VersionStory.model_validate_json(story.model_dump_json()) == story
