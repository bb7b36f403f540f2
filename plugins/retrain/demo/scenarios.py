"""The six scenarios. Each changes an input, asks for a retraining, and looks from outside at what the product did.

The inputs are those any user has: the month files, the pipeline's ``features.py``, the live requests, the command
line. What was changed is put back afterwards.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from retrain.artifacts import Rehearsal, Validation, Verdict
from retrain.demo import data, faults
from retrain.demo.retraining import RATE, Live, Retraining
from retrain.demo.scenario import Demo, Findings, Scenario, live
from retrain.demo.stack import PIPELINE, Stack, StackError
from retrain.demo.traffic import Traffic
from retrain.demo.waiting import looks
from retrain.ledger import Release

if TYPE_CHECKING:
    from pandas import DataFrame

APRIL, MAY, JUNE = (datetime(data.YEAR, month, 1, tzinfo=UTC) for month in (4, 5, 6))
HOLDOUT_BEGINS = datetime(data.YEAR, 5, 18, tzinfo=UTC)


# -- 1 ---------------------------------------------------------------------------------------------------------


def first_model(demo: Demo) -> None:
    """Three months, and nobody to compare with."""
    data.write_months(demo.stack.months, (1, 2, 3))
    with demo.step("first-model", "first model", "blessed without a champion; serves everybody") as found:
        run = demo.retrain(APRIL)
        verdict = run.artifact(Verdict)
        blessed = verdict is not None and verdict.outcome == "blessed" and verdict.champion is None
        found.see(blessed, f"version {run.version} {_outcome(verdict)}")
        unapplied = _gates(verdict, "not applied")
        found.see({"change", "suspicious"} <= set(unapplied), f"gates not applied: {', '.join(unapplied) or 'none'}")
        found.require(run.version == 1, f"it is version {run.version}")
        _require_answers(found, demo, run.version)
        _require_green(found, run)


# -- 2 ---------------------------------------------------------------------------------------------------------


def retraining(demo: Demo) -> None:
    """A month more: judged against the champion, tried on live requests, promoted."""
    data.write_months(demo.stack.months, (4,))
    with demo.step("retraining", "retraining", "blessed against the champion, tried live, promoted") as found:
        run = demo.retrain(MAY, Live(live(5)))
        verdict, rehearsal = run.artifact(Verdict), run.artifact(Rehearsal)
        found.see(_outcome(verdict) == "blessed", f"version {run.version} {_outcome(verdict)}")
        found.require(rehearsal is not None and rehearsal.passed, "its rehearsal did not pass")
        went = [release.state for _, release in run.releases]
        found.require(went[:1] == ["shadowing"], "it was not shadowed")
        shares = [f"{release.share:.0%}" for _, release in run.releases if release.state == "ramping"]
        shown = f"canary {', '.join(shares) or 'without a share'} in {run.trial_seconds:.0f} s"
        found.see(went[-1:] == ["promoted"], shown)
        _see_requests(found, run)
        _require_answers(found, demo, run.version)
        _require_green(found, run)


# -- 3 ---------------------------------------------------------------------------------------------------------


def bad_data(demo: Demo) -> None:
    """Three faults in a month file; the expectations find each."""
    for name, change in (
        ("delays in seconds", faults.delays_in_seconds),
        ("carrier vanished", faults.carrier_vanished),
        ("rows duplicated", faults.duplicated_rows),
    ):
        demo.view.say(faults.STORIES[change.__name__])
        expected = "validation stops the run; nothing is trained"
        with demo.changed_months((5,), change), demo.step("bad-data", name, expected) as found:
            champion, versions = demo.champion, demo.versions
            run = demo.retrain(JUNE)
            validation = run.artifact(Validation)
            stopped = run.state == "failed" and run.states.get("data.validate") == "failed"
            found.see(stopped, _broken(validation))
            rows, reasons = _quarantine(demo, validation)
            found.see(rows > 0 and reasons == rows, f"{rows:,} rows in quarantine")
            found.require(demo.versions == versions, "something was trained")
            _require_answers(found, demo, champion)


def _broken(validation: Validation | None) -> str:
    """The worst broken expectation, and how many more there are."""
    if validation is None:
        return "something else: no validation was made"
    broken = [result for result in validation.results if not result.success]
    if not broken:
        return "something else: every expectation is met"
    worst = max(broken, key=lambda result: result.unexpected_rows)
    name = worst.expectation.removeprefix("expect_").removeprefix("column_").removeprefix("values_to_")
    return f"{worst.column or ''} {name}".strip() + (f" and {len(broken) - 1} more" if len(broken) > 1 else "")


def _quarantine(demo: Demo, validation: Validation | None) -> tuple[int, int]:
    """How many rows lie in quarantine, and how many of them say why."""
    import pandas as pd

    if validation is None or validation.quarantine is None:
        return 0, 0
    rows = pd.read_parquet(demo.stack.site.store.fetch(validation.quarantine.path))
    return len(rows), int(rows["_reason"].fillna("").astype(str).str.len().gt(0).sum())


# -- 4 ---------------------------------------------------------------------------------------------------------


def bad_model(demo: Demo) -> None:
    """Two faults that no expectation finds; a gate finds each."""
    for name, story, change, gates in (
        ("labels shuffled", "shuffled_labels", _shuffled, {"baseline", "change"}),
        ("label leaked", "leaked_outcome", faults.leaked_outcome, {"suspicious"}),
    ):
        demo.view.say(faults.STORIES[story])
        expected = f"vetoed by the {' or '.join(sorted(gates))} gate"
        with demo.changed_months((1, 2, 3, 4, 5), change), demo.step("bad-model", name, expected) as found:
            champion = demo.champion
            run = demo.retrain(JUNE)
            verdict = run.artifact(Verdict)
            failed = _gates(verdict, "failed")
            by_name = _outcome(verdict) == "vetoed" and bool(gates & set(failed))
            found.see(by_name, f"version {run.version} {_outcome(verdict)} by {', '.join(failed) or 'no gate'}")
            found.require(not run.releases, "it was released")
            _require_answers(found, demo, champion)
            _require_green(found, run)


def _shuffled(frame: DataFrame) -> DataFrame:
    return faults.shuffled_labels(frame, HOLDOUT_BEGINS)


# -- 5 ---------------------------------------------------------------------------------------------------------


def bad_release(demo: Demo) -> None:
    """Two faults that no gate finds; the canary finds each."""
    data.write_months(demo.stack.months, (5,))
    june = live(6)
    raising = Live(june, once_live=list(faults.live_without_tailnum(june)))
    wrong = Live(list(faults.live_changed_feed(june)))
    for name, features, requests, fault, metric in (
        ("raises on 5%", faults.features_assuming_tailnum, raising, faults.live_without_tailnum, "errors"),
        ("one carrier wrong", faults.features_of_the_moment, wrong, faults.live_changed_feed, "loss"),
    ):
        demo.view.say(f"{faults.STORIES[features.__name__]} {faults.STORIES[fault.__name__]}")
        expected = "blessed; shadow or canary rolls it back; no caller gets an error"
        with demo.changed_features(features), demo.step("bad-release", name, expected) as found:
            champion, fallbacks = demo.champion, demo.fallbacks
            run = demo.retrain(JUNE, requests)
            verdict = run.artifact(Verdict)
            found.require(_outcome(verdict) == "blessed", f"version {run.version} {_outcome(verdict)}")
            last = run.releases[-1][1] if run.releases else None
            harmed = last is not None and last.state == "rolled_back" and _on(metric, last.reason)
            why = metric if harmed else last.reason if last else "never released"
            after = f"after {run.trial_seconds:.0f} s" if run.trial_seconds else "in its shadow, unheard"
            found.see(harmed, f"version {run.version} rolled back on {why} {after}")
            _see_requests(found, run)
            rescued = demo.fallbacks - fallbacks
            if metric == "errors":
                found.see(rescued > 0, f"{rescued} by fallback")
            _require_answers(found, demo, champion)


def _on(metric: str, reason: str) -> bool:
    """Does this reason say that a metric showed harm, in the shadow or in the canary?"""
    return reason.startswith("harm ") and f": {metric}:" in reason


# -- 6 ---------------------------------------------------------------------------------------------------------


def rollback(demo: Demo) -> None:
    """Back by hand while requests come, with one command."""
    ledger = demo.stack.site.ledger(PIPELINE)
    expected = "the version before answers in a second; no request fails"
    with demo.step("rollback", "rollback by hand", expected) as found:
        old = demo.champion
        demo.view.doing("retrain rollback")
        with Traffic(demo.stack.gateway_url, live(6), name="rollback", rate=RATE) as traffic:
            _await(lambda: len(traffic.answers) > RATE, "the gateway did not answer the live traffic")
            typed = time.time()
            done = _retrain_command(demo.stack, "rollback", PIPELINE, "--reason", "the demo returns by hand")
            demo.view.line("said", "retrain rollback", done, time.time() - typed)
            _await(lambda: traffic.answers[-1].version not in {None, old}, "the old version still answers")
            time.sleep(1)
        ledger.poll()
        new, written = demo.champion, next(ledger.of(Release))[0].at.timestamp()
        last = max(answer.at for answer in traffic.answers if answer.version == old)
        found.see(new is not None and new != old, f"version {old} → {new}")
        took = f"last answer {last - typed:.2f} s after the command, {last - written:.2f} s after its ledger entry"
        found.see(last - written < 1, took)
        found.see(traffic.tally.failed == 0, f"{traffic.tally.failed} of {len(traffic.answers):,} failed")


def _retrain_command(stack: Stack, *arguments: str) -> str:
    """Run ``retrain …`` as a user would, and return what it says."""
    command = [str(Path(sys.executable).with_name("retrain")), *arguments]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise StackError(f"`retrain {' '.join(arguments)}` failed with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


def _await(is_so: Callable[[], bool], otherwise: str, *, patience: float = 20) -> None:
    if not any(is_so() for _ in looks(patience)):
        raise StackError(f"{otherwise} within {patience:g} s.")


# -- what several of them look at ------------------------------------------------------------------------------


def _require_green(found: Findings, run: Retraining) -> None:
    failed = [task for task, state in run.states.items() if state == "failed"]
    found.require(run.state == "success", f"the Dag run is {run.state} at {', '.join(failed) or 'no task'}")


def _see_requests(found: Findings, run: Retraining) -> None:
    """Did every caller get an answer?"""
    tally = run.tally
    if tally is None:
        found.require(False, "there was no live traffic")
        return
    asked = tally.answered + tally.failed
    why = f" ({run.first_error})" if run.first_error else ""
    found.see(tally.answered > 0 and tally.failed == 0, f"{tally.failed} of {asked:,} failed{why}")


def _require_answers(found: Findings, demo: Demo, version: int | None) -> None:
    """Is this version the champion, and does the gateway answer everything by it?"""
    found.require(demo.champion == version, f"the champion is version {demo.champion}")
    found.require(version is not None and demo.answering(version), f"version {version} does not answer everything")


def _outcome(verdict: Verdict | None) -> str:
    return verdict.outcome if verdict else "not judged"


def _gates(verdict: Verdict | None, outcome: str) -> list[str]:
    return [gate.gate for gate in verdict.gates if gate.outcome == outcome] if verdict else []


SCENARIOS = (
    Scenario("first-model", "First model: January to March, and no champion yet", first_model),
    Scenario("retraining", "Retraining: April has arrived", retraining, ("first-model",)),
    Scenario("bad-data", "Bad data: May arrives with a fault", bad_data, ("first-model",)),
    Scenario("bad-model", "Bad model: the data pass, the model must not", bad_model, ("first-model", "retraining")),
    Scenario("bad-release", "Bad release: sound offline, wrong in service", bad_release, ("first-model", "retraining")),
    Scenario("rollback", "Rollback by hand", rollback, ("first-model", "retraining")),
)
