"""^C and SIGTERM in a real ``retrain run``: it says where it stopped, leaves nothing unwatched, and goes on later."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from retrain.demo.waiting import looks
from retrain.status import status

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in looks(300, pause=0.05):
        assert process.poll() is None, process.communicate()
        if true():
            return


def test_interrupted_in_its_shadow_it_drops_the_challenger_and_says_so(here: Any) -> None:
    assert here.retrain("first") == "promoted"
    here.visits.write_visits(here.settings.data, seed=1)
    with here.running() as process:
        wait_until(lambda: here.site.ledger("visits").release().state == "shadowing", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert "✗ shadow" in out
    assert "visits: interrupted at shadow; version 2 rolled back: the run was interrupted, so nobody watches it" in out
    assert "Next: retrain run visits, which goes on from what is made" in out
    standing = here.site.ledger("visits").release()
    assert (standing.state, standing.champion and standing.champion.version) == ("rolled_back", 1)
    shown = here.typed("status", "visits")
    assert "the last retraining ended: interrupted" in shown
    assert "interrupted at shadow" in shown


def test_told_to_stop_while_it_trains_it_goes_on_later_with_what_is_made(here: Any) -> None:
    with here.running() as process:
        assert process.stdout
        said = iter(process.stdout.readline, "")
        assert any("✓ features" in line for line in said)
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(60) == 130
    assert "visits: interrupted at " in rest
    made = status("visits", here.site).stages["features"]
    assert here.retrain("second") == "promoted"
    found = status("visits", here.site)
    assert found.stages["features"] > made, "it is found, which is written down for this run, too"
    assert [run.outcome for run in found.runs] == ["promoted", "interrupted"]


def test_of_a_killed_run_it_is_said_when_it_was_last_heard_of(here: Any) -> None:
    with here.running() as process:
        wait_until(lambda: "features" in status("visits", here.site).stages, process)
        process.kill()
        process.wait()
    (run,) = status("visits", here.site).runs
    assert run.outcome is None
    assert "has not ended; last heard of" in here.typed("status", "visits")
