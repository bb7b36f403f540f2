"""The command line: what it prints, where, and the status it leaves with."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hostile_names import HOSTILE
from retrain import cli
from retrain.artifacts import ModelRef, Ref, Report, Request, canonical, now
from retrain.audit import page, suite
from retrain.audit.claim import Claim
from retrain.errors import UsageError
from retrain.ledger import Entry, Judged, Ledger, Trained
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.ledger.release import Served
from retrain.markdown import LONGEST, plain
from retrain.rollout.looks import Looks, path
from retrain.settings import Settings
from retrain.site import Site
from retrain.words import second

HEAVY = ("pandas", "numpy", "sklearn", "mlflow", "airflow", "great_expectations", "pyarrow", "boto3", "scipy")
SPEC = """\
name: p
task: binary
schedule: "0 6 * * *"
source: {files: "*.csv", timestamp: at, label: late}
train: {candidates: [{estimator: sklearn.dummy.DummyClassifier}]}
"""


@dataclass
class Result:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Typed = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The command line's own place; `p` is its pipeline."""
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RETRAIN_PIPELINES", str(tmp_path / "pipelines"))
    monkeypatch.delenv("RETRAIN_DEBUG", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "pipelines" / "p").mkdir(parents=True)
    (tmp_path / "pipelines" / "p" / "pipeline.yaml").write_text(SPEC)
    return Settings.load()


@pytest.fixture
def typed(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command."""

    def type_in(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["retrain", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        code = left.value.code
        return Result(code if isinstance(code, int) else 0, out, err)

    return type_in


@pytest.fixture
def ledger(settings: Settings) -> Ledger:
    """Version 1 was champion, version 2 is; 3 was vetoed."""
    ledger = Site(settings).ledger("p")
    for number, outcome in ((1, "blessed"), (2, "blessed"), (3, "vetoed")):
        trained(ledger, number, outcome)
        if outcome == "blessed":
            release = machine.promote(ledger.release(), served(number), reason=f"version {number} is better")
            ledger.append(release, actor="airflow:schedule", run=f"run-{number}", after=ledger.head)
    return ledger


def served(number: int) -> Served:
    return Served(version=number, model=ModelRef(digest=f"{number:064x}", path=f"p/models/{number}", files={}))


def trained(ledger: Ledger, number: int, outcome: str) -> None:
    body = {
        "version": number,
        "candidate": Ref(kind="candidate", key=f"c{number}", pipeline="p").model_dump(),
        "model": served(number).model.model_dump(),
        "data_end": f"2013-0{number}-01T00:00:00Z",
        "snapshot": Ref(kind="snapshot", key="s", pipeline="p").model_dump(),
        "run_id": "r",
    }
    ledger.append(Trained.model_validate(body), actor="airflow:schedule", run=f"run-{number}")
    verdict = {"version": number, "outcome": outcome, "reason": "change gate", "verdict": None, "by": "gates"}
    ledger.append(Judged.model_validate(verdict), actor="airflow:schedule", run=f"run-{number}")


def champion(settings: Settings) -> int:
    found = Site(settings).ledger("p").champion()
    assert found is not None
    return found.version


# -- the frame ---------------------------------------------------------------------------------------------------


def test_version_and_help(typed: Typed) -> None:
    assert typed("--version").out.startswith("retrain 0.")
    shown = typed("--help")
    assert shown.status == 0
    commands = {
        "init",
        "check",
        "run",
        "status",
        "bless",
        "veto",
        "rollback",
        "pause",
        "resume",
        "abort",
        "ledger",
        "serve",
        "demo",
        "schema",
        "audit",
    }
    assert commands <= set(shown.out.replace("│", " ").split())


def test_every_command_is_a_file_under_a_heading_in_order(typed: Typed) -> None:
    for name in cli.OURS:
        module = importlib.import_module(f"retrain.commands.{name}")
        assert module.PANEL in cli.PANELS, name
        assert getattr(module, name).__doc__, name
    shown = typed("--help").out
    places = [shown.index(f"─ {panel} ─") for panel in cli.PANELS]
    assert places == sorted(places)
    assert shown.index("─ Steer ─") < shown.index("rollback") < shown.index("─ More ─")


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package, which brings a good command, a broken one, and one under a name of ours."""
    package = tmp_path / "theirs-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Name: theirs\nVersion: 1\n")
    (package / "entry_points.txt").write_text(
        "[retrain.commands]\nplot = theirs:plot\nsmash = theirs_broken:smash\nstatus = theirs:plot\n"
    )
    (tmp_path / "theirs.py").write_text(
        'import typer\ndef plot(name: str) -> None:\n    """Draw a pipeline."""\n    typer.echo(f"drawn: {name}")\n'
    )
    (tmp_path / "theirs_broken.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_another_package_may_bring_commands(typed: Typed, theirs: None) -> None:
    assert typed("plot", "p").out == "drawn: p\n"
    assert "Draw a pipeline." in typed("--help").out
    assert "drawn" not in typed("status", "p").out, "ours cannot be taken"


def test_a_broken_command_of_another_package_breaks_only_itself(typed: Typed, theirs: None) -> None:
    result = typed("smash")
    assert result.status == 2
    assert "`theirs_broken:smash` cannot be imported: ModuleNotFoundError" in result.err
    assert "Traceback" not in result.err
    shown = typed("--help")
    assert shown.status == 0
    assert "cannot be imported" in shown.out
    assert "retrain" in typed("--version").out


def test_other_packages_are_not_looked_at_for_a_command_of_ours(
    typed: Typed, theirs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.metadata, "entry_points", lambda **_: 1 / 0)
    assert typed("status", "p").status == 0


@pytest.mark.parametrize(
    "arguments", [["fly"], ["rollback"], ["rollback", "p", "--to", "two"], ["bless", "p", "1"], ["init", "x"]]
)
def test_wrong_use_leaves_with_2(typed: Typed, arguments: list[str]) -> None:
    result = typed(*arguments)
    assert result.status == 2
    assert result.out == ""
    assert result.err


def test_an_error_of_ours_says_what_where_and_what_to_do_without_a_traceback(typed: Typed) -> None:
    result = typed("status", "pp")
    assert result.status == 2
    assert "There is no pipeline 'pp'." in result.err
    assert "where: " in result.err
    assert "did you mean `p`?" in result.err
    assert "Traceback" not in result.err


def test_an_unexpected_error_is_short_and_says_how_to_see_more(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.commands.status.pipelines", lambda _: 1 / 0)
    result = typed("status")
    assert result.status == 3
    assert "ZeroDivisionError" in result.err
    assert "RETRAIN_DEBUG=1" in result.err
    assert "Traceback" not in result.err
    monkeypatch.setenv("RETRAIN_DEBUG", "1")
    assert "Traceback" in typed("status").err


def test_every_mistake_of_a_spec_is_printed(typed: Typed, settings: Settings) -> None:
    file = settings.pipelines / "p" / "pipeline.yaml"
    file.write_text(SPEC.replace("binary", "ranking") + "colour: red\n")
    result = typed("run", "p")
    assert result.status == 2
    assert f"{file}, line 2, key `task`" in result.err
    assert f"{file}, line 6, key `colour`" in result.err


@pytest.mark.parametrize("name", ["../p", "", ".", "a/b"])
def test_a_name_that_leaves_the_folder_is_refused(typed: Typed, name: str) -> None:
    for command in ("status", "check", "rollback", "ledger", "run"):
        assert typed(command, name).status == 2


@pytest.mark.parametrize(
    "arguments", [["--help"], ["rollback", "p"], ["ledger", "p"], ["veto", "p", "1", "--reason", "x"]]
)
def test_it_starts_light(settings: Settings, ledger: Ledger, arguments: list[str]) -> None:
    """A rollback is typed in a hurry: nothing that takes seconds to import may be in its way."""
    assert imported(arguments) == []


@pytest.mark.parametrize("command", ["pause", "resume", "abort"])
def test_steering_starts_light(typed: Typed, canary: Ledger, command: str) -> None:
    if command == "resume":
        typed("pause", "p", "--reason", "x")
    assert imported([command, "p", "--reason", "x"]) == []


def imported(arguments: list[str]) -> list[str]:
    """What of the heavy packages a command imports."""
    code = (
        "import sys, json, retrain.cli as cli\n"
        f"sys.argv = ['retrain', *{arguments!r}]\n"
        "try: cli.main()\n"
        f"finally: print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]), file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(run.stderr.splitlines()[-1])
    return found


# -- rollback, bless, veto ---------------------------------------------------------------------------------------


def test_rollback_returns_to_the_champion_before(typed: Typed, settings: Settings, ledger: Ledger) -> None:
    result = typed("rollback", "p")
    assert result.status == 0
    assert "version 2 is dropped; version 1 answers everything" in result.out
    assert champion(settings) == 1


def test_rollback_works_without_the_pipelines_folder_and_with_a_broken_spec(
    typed: Typed, settings: Settings, ledger: Ledger
) -> None:
    file = settings.pipelines / "p" / "pipeline.yaml"
    file.write_text("task: [")
    assert typed("rollback", "p").status == 0
    file.unlink()
    assert typed("rollback", "p", "--to", "2", "--reason", "it was not the model", "--json").json["release"][
        "reason"
    ] == ("it was not the model")
    assert champion(settings) == 2


def test_rollback_that_the_ledger_does_not_allow(typed: Typed, ledger: Ledger) -> None:
    result = typed("rollback", "p", "--to", "3")
    assert result.status == 2
    assert "never been the champion" in result.err


def test_a_broken_ledger_stops_everything_and_is_named(typed: Typed, settings: Settings, ledger: Ledger) -> None:
    file = Path(settings.store) / "p" / "ledger" / "00000002.json"
    entry = json.loads(file.read_bytes())
    file.write_bytes(canonical({**entry, "body": {**entry["body"], "reason": "another"}}))
    for command in (["rollback", "p"], ["ledger", "p", "--verify"], ["status", "p"]):
        result = typed(*command)
        assert result.status == 3
        assert "broken at entry 3" in result.err, "the altered entry is not the one the next one names"


def test_bless_and_veto(typed: Typed, settings: Settings, ledger: Ledger) -> None:
    blessed = typed("bless", "p", "3", "--reason", "the gate was wrong")
    assert blessed.status == 0
    assert "retrain run p --redeploy 3" in blessed.out
    assert typed("bless", "p", "3", "--reason", "again").status == 2
    vetoed = typed("veto", "p", "3", "--reason", "no", "--json")
    assert vetoed.json["body"]["outcome"] == "vetoed"
    assert vetoed.json["actor"].startswith("cli:")
    champion = typed("veto", "p", "2", "--reason", "no")
    assert champion.status == 2
    assert "retrain rollback p" in champion.err


# -- pause, resume, abort ----------------------------------------------------------------------------------------


@pytest.fixture
def canary(ledger: Ledger) -> Ledger:
    """Version 4 is at the second step of its canary."""
    trained(ledger, 4, "blessed")
    release = machine.start_shadow(ledger.release(), served(4), shadow=1.0, steps=(0.1, 0.125), reason="try")
    for step in (
        release,
        machine.ramp(release, reason="on"),
        machine.ramp(machine.ramp(release, reason=""), reason=""),
    ):
        ledger.append(step, actor="canary", run="run-4")
    return ledger


def test_a_canary_is_paused_resumed_and_aborted(typed: Typed, settings: Settings, canary: Ledger) -> None:
    paused = typed("pause", "p", "--reason", "the graph looks odd")
    assert paused.status == 0
    assert "p: version 4 is paused and gets no requests; version 2 answers everything" in paused.out
    assert "`retrain resume p --reason …`" in paused.out
    resumed = typed("resume", "p", "--reason", "it was the graph")
    assert resumed.status == 0
    assert "p: version 4 goes on at step 2 of 2 with 12.5 %" in resumed.out
    assert "nobody watches version 4 of 'p'" in resumed.err
    assert "`retrain run p --redeploy 4`" in resumed.err
    aborted = typed("abort", "p", "--reason", "enough", "--json")
    assert aborted.json["release"]["state"] == "rolled_back"
    assert champion(settings) == 2
    reasons = [body.reason for _, body in canary.of(machine.Release)][:3]
    assert reasons == ["enough", "it was the graph", "the graph looks odd"]


def test_status_tells_the_last_look_and_that_nobody_watches(
    typed: Typed, canary: Ledger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unseen = typed("status", "p").out
    assert "nobody watches version 4 of 'p' (no look at it is known)" in unseen
    assert "ends by" in unseen
    trial = trials.newest(canary)
    assert trial is not None
    kept = Looks(
        version=4, decision=canary.head, phase="canary", looked_at=now(), due=now(), alpha=0.05, on_patience="pause",
        patience_ends=now() + timedelta(hours=3), summary="step 2 of 2 at 12.5 %: 12 of 200 requests",
    )  # fmt: skip
    Site(settings).store.put(path("p", trial), canonical(kept))
    shown = typed("status", "p").out
    assert "UTC: step 2 of 2 at 12.5 %: 12 of 200 requests" in shown
    assert "then it is paused" in shown
    assert "ends by" not in shown, "patience is said once"
    assert "nobody watches" not in shown
    long_ago = {"looked_at": now() - timedelta(days=1), "due": now() - timedelta(days=1)}
    Site(settings).store.put(path("p", trial), canonical(kept.model_copy(update=long_ago)))
    assert "nobody watches version 4 of 'p' (the last look was at" in typed("status", "p").out


def test_a_shadow_is_paused_and_resumed_as_a_shadow(typed: Typed, ledger: Ledger) -> None:
    trained(ledger, 4, "blessed")
    ledger.append(
        machine.start_shadow(ledger.release(), served(4), shadow=1.0, steps=(0.1,), reason="try"), actor="shadow"
    )
    assert typed("pause", "p", "--reason", "x").status == 0
    assert "paused in its shadow, began" in typed("status", "p").out
    resumed = typed("resume", "p", "--reason", "x", "--json")
    assert (resumed.json["release"]["state"], resumed.json["release"]["shadow"]) == ("shadowing", 1.0)
    assert "nobody watches" in resumed.json["unwatched"]


@pytest.mark.parametrize("command", ["pause", "resume", "abort"])
def test_steering_needs_a_reason_and_something_to_steer(typed: Typed, ledger: Ledger, command: str) -> None:
    assert typed(command, "p").status == 2
    nothing = typed(command, "p", "--reason", "x")
    assert nothing.status == 2
    assert f"There is nothing to {command}: no version of pipeline 'p' is being released" in nothing.err


def test_who_comes_second_is_told_who_was_first(typed: Typed, canary: Ledger) -> None:
    typed("pause", "p", "--reason", "the graph looks odd")
    second = typed("pause", "p", "--reason", "me too")
    assert second.status == 2
    assert "paused already, by cli:" in second.err
    assert "the graph looks odd" in second.err


def test_mlflow_that_is_down_does_not_stop_a_rollback(
    typed: Typed, settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRAIN_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = typed("rollback", "p")
    assert result.status == 0
    assert "aliases" in result.err
    assert champion(settings) == 1


# -- ledger and status -------------------------------------------------------------------------------------------


def test_ledger_lists_what_happened_newest_last(typed: Typed, ledger: Ledger) -> None:
    lines = typed("ledger", "p").out.splitlines()
    assert "version 1 trained on data until 2013-01-01 00:00" in lines[1]
    assert "version 3 vetoed: change gate" in lines[-1]
    assert second(ledger.entries()[-1].at) in lines[-1]
    assert len(typed("ledger", "p", "--last", "2", "--json").json) == 2
    assert [entry["number"] for entry in typed("ledger", "p", "--json").json] == list(range(1, ledger.head + 1))


@pytest.mark.parametrize("command", [("ledger",), ("status",), ("ledger", "--json"), ("status", "--json")])
def test_what_others_wrote_does_not_steer_the_terminal(typed: Typed, ledger: Ledger, command: tuple[str, ...]) -> None:
    hostile = "[red]no[/red] \x1b[31m\x1b]8;;http://evil.example\x07 \u202egnp.exe \x9b2J \x00 \r \U000e0041 [/] end"
    verdict = {"version": 3, "outcome": "vetoed", "reason": hostile, "verdict": None, "by": "gates"}
    ledger.append(Judged.model_validate(verdict), actor="airflow:schedule", run="run-3")
    shown = typed(command[0], "p", *command[1:])
    assert shown.status == 0
    assert "[red]no[/red]" in shown.out
    assert "[/] end" in shown.out
    for letter in ("\x1b", "\x07", "\x9b", "\u202e", "\x00", "\r", "\U000e0041"):
        assert letter not in shown.out
    if "--json" in command:
        assert hostile in str(shown.json) or json.dumps(hostile)[1:-1] in json.dumps(shown.json)


def test_ledger_knows_what_was_served_at_a_time(typed: Typed, ledger: Ledger) -> None:
    first = next(entry for entry in ledger.entries() if entry.kind == "release")
    before = (first.at - timedelta(seconds=1)).isoformat()
    assert "nothing was served" in typed("ledger", "p", "--at", before).out
    assert typed("ledger", "p", "--at", first.at.isoformat(), "--json").json["release"]["champion"]["version"] == 1
    assert "version 2" in typed("ledger", "p", "--at", "now").out
    wrong = typed("ledger", "p", "--at", "yesterday")
    assert wrong.status == 2
    assert "2024-04-13" in wrong.err


def test_ledger_verify(typed: Typed, ledger: Ledger) -> None:
    assert typed("ledger", "p", "--verify", "--json").json == {"pipeline": "p", "entries": ledger.head, "whole": True}


def test_status_says_who_serves_and_what_comes(typed: Typed, settings: Settings, ledger: Ledger) -> None:
    trained(ledger, 4, "blessed")
    shadow = machine.start_shadow(ledger.release(), served(4), shadow=0.5, steps=(0.1, 0.5), reason="try it")
    ledger.append(shadow, actor="canary", after=ledger.head)
    ledger.append(machine.ramp(shadow, reason="no harm"), actor="canary", after=ledger.head)
    found = typed("status", "p", "--json").json
    assert found["champion"]["version"] == 2
    assert found["challenger"]["version"] == 4
    assert (found["state"], found["under_way"]["step"], found["under_way"]["share"]) == ("ramping", 1, 0.1)
    assert found["verdict"]["version"] == 4
    upcoming = datetime.fromisoformat(found["next_run"])
    assert upcoming.hour == 6
    assert timedelta(0) < upcoming - datetime.now(UTC) <= timedelta(days=1)
    text = typed("status", "p").out
    assert "version 2, data until 2013-02-01 00:00 UTC" in text
    assert "step 1 of 2, 10 % of entities" in text


def test_status_of_a_new_pipeline_and_of_all(typed: Typed, settings: Settings) -> None:
    found = typed("status", "--json").json["pipelines"]
    assert [(each["pipeline"], each["champion"], each["word"]) for each in found] == [("p", None, "NEW")]
    assert typed("status").out.split() == ["NEW", "p", "nothing", "has", "been", "released", "yet"]
    one = typed("status", "p", "--json").json
    assert (one["champion"], one["state"], one["standing"]) == (None, "nothing served", found[0])


def test_status_of_all_is_one_table_the_worst_first_and_one_that_is_broken_is_a_row(
    typed: Typed, settings: Settings, ledger: Ledger
) -> None:
    write_spec(settings, "fine")
    write_spec(settings, "broken", "task: [")
    (settings.home / "store/p/ledger/00000003.json").write_text("{}")
    shown = typed("status")
    rows = [line.split()[:2] for line in shown.out.splitlines() if not line.startswith(" ")]
    assert rows == [["UNREAD", "p"], ["BROKEN", "broken"], ["NEW", "fine"]]
    assert "broken at entry 3" in " ".join(shown.out.split())
    assert shown.status == 3, "as where only that one was asked for"
    found = typed("status", "--json")
    assert ([each["word"] for each in found.json["pipelines"]], found.status) == (["UNREAD", "BROKEN", "NEW"], 3)


@pytest.mark.parametrize("columns", [80, 60, 132])
def test_status_of_all_fits_the_terminal_and_cuts_nothing(
    typed: Typed, settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    long = "a" * 63
    write_spec(settings, long, "x" * 300)
    monkeypatch.setattr("retrain.commands.status.console", lambda: Console(width=columns, soft_wrap=True))
    out = typed("status").out
    assert max(map(len, out.splitlines())) <= columns
    assert "".join(out.split()).count("a") >= 63
    assert "…" not in out
    assert {"is", "not", "a", "mapping.", "line", "1."} <= set(out.split())


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_nothing_that_a_terminal_obeys_comes_out_of_a_status(
    typed: Typed, settings: Settings, ledger: Ledger, name: str
) -> None:
    shadow = machine.start_shadow(ledger.release(), served(3), shadow=0.5, steps=(0.1,), reason=name)
    ledger.append(shadow, actor=f"airflow:{name}", run=name, after=ledger.head)
    ledger.append(machine.pause(shadow, reason=name), actor=f"airflow:{name}", run=name, after=ledger.head)
    for arguments in (["status"], ["status", "p"]):
        out = typed(*arguments).out
        assert all(letter.isprintable() or letter == "\n" for letter in out)
        told = plain(name)[:500]
        assert "".join(told.split()) in "".join(out.split()), "and nothing of it is taken for markup"
        assert (" … " in out) == (len(name) > LONGEST), "only the middle of what nobody reads is left out"


def write_spec(settings: Settings, name: str, text: str | None = None) -> None:
    file = settings.pipelines / name / "pipeline.yaml"
    file.parent.mkdir()
    file.write_text(text or SPEC.replace("name: p", f"name: {name}"))


def test_status_of_a_broken_spec_still_says_who_serves(typed: Typed, settings: Settings, ledger: Ledger) -> None:
    (settings.pipelines / "p" / "pipeline.yaml").write_text("task: [")
    result = typed("status", "p")
    assert result.status == 0
    assert "version 2" in result.out
    assert "is not YAML" in result.out


def test_the_form_of_a_ledger_entry_stays_as_it_is(root: Path) -> None:
    """Ledgers live for years: a change of this file needs a way to read old entries."""
    golden = (root / "tests/golden/ledger_entry.json").read_bytes().rstrip(b"\n")
    entry = Entry.model_validate_json(golden)
    assert canonical(entry.model_dump(mode="json")) == golden
    assert isinstance(entry.body, machine.Release)
    assert canonical(entry.body) == canonical(json.loads(golden)["body"])


# -- run ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def retrained(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[Request]:
    """A retraining that only notes what it was asked for; its decision is the request's reason."""
    from retrain import retraining

    asked: list[Request] = []

    def retrain(spec: Any, request: Request, site: Site, *, on_stage: Any) -> retraining.Ended:
        asked.append(request)
        on_stage("collect", "running", "")
        on_stage("collect", "success", "10 rows")
        on_stage("canary", "waiting", "5 of 20 requests")
        decision = request.reason or "promoted"
        made = Report(
            key="k", pipeline="p", run=request.run, outcome=decision, headline=f"p: {decision}", markdown="", stages={}
        )
        return retraining.Ended(decision=decision, headline=made.headline, report=made)

    monkeypatch.setattr(retraining, "retrain", retrain)
    (settings.home / "data").mkdir(parents=True)
    (settings.home / "data" / "a.csv").write_text("at,late\n2024-01-01T10:20:00Z,1\n2024-01-03T07:00:00Z,0\n")
    return asked


def test_run_shows_its_stages_and_leaves_with_the_decision(typed: Typed, retrained: list[Request]) -> None:
    result = typed("run", "p")
    assert result.status == 0
    assert "✓ collect" in result.out
    assert "10 rows" in result.out
    assert "retrain serve p" in result.out
    for decision in ("vetoed", "undecided", "rolled back"):
        assert typed("run", "p", "--reason", decision).status == 1


def test_run_ends_its_data_after_the_newest_row_unless_told(typed: Typed, retrained: list[Request]) -> None:
    found = typed("run", "p")
    assert retrained[-1].data_end == datetime(2024, 1, 3, 8, tzinfo=UTC)
    assert "p: data until 2024-01-03 08:00 UTC, the end of the data; run cli__" in found.out
    told = typed("run", "p", "--data-end", "2024-01-02")
    assert "p: data until 2024-01-02 00:00 UTC; run cli__" in told.out
    assert retrained[-1].data_end == datetime(2024, 1, 2, tzinfo=UTC)
    typed("run", "p", "--data-end", "now")
    assert abs(now() - retrained[-1].data_end) < timedelta(minutes=5)
    assert typed("run", "p", "--data-end", "soon").status == 2


def test_a_version_is_released_again_without_its_source(
    typed: Typed, settings: Settings, retrained: list[Request]
) -> None:
    for file in settings.data.iterdir():
        file.unlink()
    result = typed("run", "p", "--redeploy", "2", "--reason", "promoted")
    assert (result.status, retrained[-1].redeploy) == (0, 2)
    assert "p: version 2 again" in result.out


def test_run_asks_for_what_was_typed(typed: Typed, retrained: list[Request]) -> None:
    typed("run", "p", "--force", "--redeploy", "2", "--skip-canary", "--reason", "promoted")
    request = retrained[-1]
    assert (request.force, request.redeploy, request.skip_canary, request.trigger) == (True, 2, True, "cli")
    assert request.actor.startswith("cli:")
    typed("run", "p")
    assert retrained[-1].run != request.run


def test_skipping_the_canary_needs_a_reason(typed: Typed, retrained: list[Request]) -> None:
    result = typed("run", "p", "--skip-canary")
    assert result.status == 2
    assert "--reason" in result.err
    assert retrained == []


def test_run_as_json_keeps_stdout_clean(typed: Typed, retrained: list[Request]) -> None:
    result = typed("run", "p", "--json")
    assert result.json["decision"] == "promoted"
    assert result.json["exit_status"] == 0
    assert "collect" in result.err


def test_run_without_data_says_where_it_looked(typed: Typed, settings: Settings) -> None:
    result = typed("run", "p")
    assert result.status == 3
    assert str(settings.data) in result.err


# -- schema ------------------------------------------------------------------------------------------------------


def test_schema_prints_or_writes(typed: Typed, tmp_path: Path) -> None:
    printed = typed("schema").json
    assert printed["title"] == "pipeline.yaml"
    typed("schema", "--out", str(tmp_path / "s.json"))
    assert json.loads((tmp_path / "s.json").read_text()) == printed


# -- audit -------------------------------------------------------------------------------------------------------


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> list[Claim]:
    """One claim that holds, one that does not."""
    made = [
        Claim("equal arms: rolled back", "canary", lambda _: 0.0, "at most", 0.05),
        Claim("honest: promoted", "canary, through the product", lambda _: 0.0, "at least", 0.8),
    ]
    monkeypatch.setattr(suite, "claims", lambda: tuple(made))
    return made


def test_audit_shows_what_is_stated_and_what_is_measured(typed: Typed, claims: list[Claim]) -> None:
    result = typed("audit", "--runs", "40", "--jobs", "1")
    assert (result.status, result.err) == (1, "")
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines == [
        "claim stated measured ± runs verdict",
        "Canary",
        "equal arms: rolled back ≤ 5.0 % 0.0 % 1.2 % 40 holds",
        "Canary, through the product",
        "honest: promoted ≥ 80.0 % 0.0 % 1.2 % 40 does not hold",
        "1 of 2 claims hold.",
    ]


def test_audit_leaves_with_0_if_all_that_was_asked_for_holds(typed: Typed, claims: list[Claim]) -> None:
    result = typed("audit", "--only", "EQUAL", "--runs", "40", "--jobs", "1")
    assert result.status == 0
    assert "honest" not in result.out
    assert "1 of 1 claims hold." in result.out
    assert typed("audit", "--only", "weather").status == 2


def test_audit_as_json(typed: Typed, claims: list[Claim]) -> None:
    result = typed("audit", "--runs", "40", "--jobs", "1", "--seed", "3", "--json")
    assert result.status == 1
    assert (result.json["seed"], result.json["holds"]) == (3, False)
    assert [one["verdict"] for one in result.json["claims"]] == ["holds", "does not hold"]
    assert result.json["claims"][0]["claim"] == "equal arms: rolled back"


def test_an_audit_that_is_stopped_shows_what_is_complete(typed: Typed, claims: list[Claim]) -> None:
    def stopped(random: Any) -> float:
        raise KeyboardInterrupt

    claims.append(Claim("it is stopped", "canary", stopped, "at most", 0.05))
    result = typed("audit", "--runs", "2", "--jobs", "1")
    assert result.status == 130
    assert "equal arms" in result.out
    assert "Interrupted: 2 of 3 claims are measured." in result.err


def test_audit_writes_a_page_only_of_what_is_in_a_commit(
    typed: Typed, claims: list[Claim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dirty() -> str:
        raise UsageError("what would be measured is in no commit")

    file = tmp_path / "audit.md"
    monkeypatch.setattr(page, "source", lambda: "airflow-retrain 0.1.0, commit abc")
    assert typed("audit", "--runs", "2", "--jobs", "1", "--out", str(file)).status == 1
    assert "commit abc" in file.read_text()
    file.unlink()
    monkeypatch.setattr(page, "source", dirty)
    refused = typed("audit", "--runs", "2", "--jobs", "1", "--out", str(file))
    assert (refused.status, refused.out, file.exists()) == (2, "", False)


def test_an_audit_that_was_stopped_goes_on_where_it_was(
    typed: Typed, claims: list[Claim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def counted(random: Any) -> float:
        runs.append("counted")
        return 0.0

    def stopped(random: Any) -> float:
        runs.append("stopped")
        if runs.count("stopped") == 1:
            raise KeyboardInterrupt
        return 0.0

    monkeypatch.setattr(page, "source", lambda: "airflow-retrain 0.1.0, commit abc")
    claims[:] = [
        Claim("counted", "canary", counted, "at most", 0.05),
        Claim("stops", "canary", stopped, "at most", 0.05),
    ]
    file, kept = tmp_path / "audit.md", tmp_path / "audit.md.runs"
    first = typed("audit", "--runs", "2", "--jobs", "1", "--out", str(file))
    assert (first.status, file.exists()) == (130, False)
    assert str(kept) in first.err.replace("\n", "")
    assert typed("audit", "--runs", "2", "--jobs", "1", "--out", str(file)).status == 0
    assert runs == ["counted"] * 2 + ["stopped"] * 3
    assert file.exists()
    assert not kept.exists()
