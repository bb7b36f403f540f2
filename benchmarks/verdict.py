"""What is decided over honest retrainings: a hundred of them, on every flight out of New York in 2013.

The stages are the shipped ones, the pipeline is the demo's. A window slides over the year in steps of two days; each
model is judged against the newest that was blessed four weeks before or earlier, as a monthly retraining is. Nothing
was broken, so a veto is a mistake, and a model that is left undecided is one that somebody has to look at.
Neighbouring windows share most of their rows: the shares are what a year brought, not a hundred independent draws.

``python benchmarks/verdict.py HOME`` says every verdict and keeps what it makes below a folder; what was trained there
before is not trained again.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from measure import Figure

from retrain.artifacts import Request, Snapshot, Validation, Verdict, identity
from retrain.demo import data
from retrain.ledger import release
from retrain.ledger.release import Served
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.bless import bless
from retrain.stages.collect import collect
from retrain.stages.evaluate import evaluate
from retrain.stages.features import features
from retrain.stages.train import train

FOLDER = Path(__file__).parent.parent / "include" / "pipelines" / "flights"
FIRST = datetime(data.YEAR, 5, 1, tzinfo=UTC)
STEP = timedelta(days=2)
AGE = 14
"""How many steps older the champion is: four weeks."""

RETRAININGS = 100


def measure(*, short: bool) -> list[Figure]:
    """Retrain, and count what was decided."""
    with tempfile.TemporaryDirectory() as home:
        count, age = (2, 1) if short else (RETRAININGS, AGE)
        return figures(list(honest(Path(home), count, age)))


def figures(verdicts: list[Verdict]) -> list[Figure]:
    """The shares of each outcome, and which gates they come from."""
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    made = []
    for outcome, said, goal in (("undecided", "undecided", "≤ 15 %"), ("vetoed", "failed", "≤ 5 %")):
        gates = Counter(gate.gate for verdict in verdicts for gate in verdict.gates if gate.outcome == said)
        by = ", ".join(f"{gate} {count}" for gate, count in gates.most_common()) or "no gate"
        share = 100 * outcomes[outcome] / len(verdicts)
        what = f"honest retrainings of flights that are {outcome}, of {len(verdicts)}"
        made.append(Figure(what, share, share, share, "%", goal, by))
    return made


def honest(home: Path, count: int, age: int = AGE) -> Iterator[Verdict]:
    """So many verdicts, each against a champion that is so many steps older."""
    settings = Settings.load({"RETRAIN_HOME": str(home)})
    data.write_months(settings.data / "flights", range(1, 13))
    spec, site = Spec.load(FOLDER), Site(settings)
    ledger = site.ledger(spec.name)
    blessed: list[tuple[int, Served]] = []
    for step in range(age + count):
        request = Request(data_end=FIRST + step * STEP, run=f"step-{step}", actor="benchmark")
        snapshot = collect(spec, request, site)
        feature_set = features(spec, request, snapshot, _valid(snapshot, site), site)
        candidate = train(spec, request, feature_set, snapshot, site)
        older = [served for at, served in blessed if at <= step - age]
        if older:
            ledger.append(release.promote(ledger.release(), older[-1], reason="benchmark"), actor="benchmark")
        verdict = bless(spec, request, evaluate(spec, request, candidate, feature_set, site), site)
        if verdict.outcome == "blessed":
            blessed.append((step, Served(version=candidate.version, model=candidate.model)))
        if step >= age:
            yield verdict


def _valid(snapshot: Snapshot, site: Site) -> Validation:
    """The flights are as they were published: the expectations are not what is measured."""
    key = identity("validation", snapshot=snapshot.key)
    validation = Validation(
        key=key, pipeline=snapshot.pipeline, snapshot=snapshot.ref(), success=True, rows=1, results=()
    )
    return site.once(Validation, snapshot.pipeline, key, lambda: validation)


if __name__ == "__main__":
    found = []
    for verdict in honest(Path(sys.argv[1]).absolute(), RETRAININGS):
        found.append(verdict)
        print(len(found), verdict.outcome, verdict.reason, flush=True)
    for one in figures(found):
        print(f"{one.what}: {one.median:.0f} % (goal {one.goal}); {one.peer}")
