"""What the operators do around the stages."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped, TaskDeferred

from hostile import DANGEROUS, HOSTILE, rendered
from retrain.artifacts import Drift, Freshness, Ref, Rehearsal, Report, Snapshot, Validation, Verdict
from retrain.errors import DataError, ReleaseError, SpecError, StoreError, UsageError, ValidationFailed
from retrain.ledger.release import Release
from retrain.rollout.canary import Canary
from retrain.rollout.progress import progress

SNAPSHOT = Ref(kind="snapshot", key="s", pipeline="visits")
LATER = {"release.rehearse", "release.shadow", "release.canary", "release.promote", "release.roll_back"}


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces stages: ``stages("validate.validate", result)``."""

    def replace(name: str, result: Any) -> list[Any]:
        calls: list[Any] = []

        def stage(*inputs: Any) -> Any:
            calls.append(inputs)
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(f"retrain.stages.{name}", stage)
        return calls

    return replace


@pytest.fixture(autouse=True)
def read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs need not lie in the store where a stage is replaced anyway."""
    from retrain.airflow.operators.base import Run

    real = Run.read
    monkeypatch.setattr(Run, "read", lambda self, kind, given: given if given == "any" else real(self, kind, given))


def artifact(kind: type[Any], **values: Any) -> Any:
    return kind.model_construct(key="k", pipeline="visits", **values)


def verdict(outcome: str) -> Verdict:
    found: Verdict = artifact(Verdict, version=2, outcome=outcome, reason="because", gates=(), candidate=SNAPSHOT)
    return found


def test_every_template_field_is_an_argument(world: Any) -> None:
    for task in world.dag.tasks:
        arguments = {name for kind in type(task).__mro__ for name in inspect.signature(kind.__init__).parameters}
        assert set(task.template_fields) <= arguments, task.task_id


def test_a_stage_hands_on_its_reference_and_its_note(world: Any, stages: Any) -> None:
    made = artifact(Validation, success=True, rows=5, results=(), quarantine=None)
    stages("validate.validate", made)
    stages("validate.require_valid", None)
    context = world.context()
    world.task("data.validate", snapshot="any").execute(context)
    named = {"kind": "validation", "key": "k", "pipeline": "visits", "sha256": made.fingerprint}
    assert context["ti"].pushed["return_value"] == named
    assert context["ti"].note == made.summary


def test_an_input_may_be_a_template_in_json_a_dict_or_missing(world: Any, stages: Any) -> None:
    task = world.task("data.drift", snapshot="null")
    with pytest.raises(AirflowFailException, match="needs a snapshot and was given nothing"):
        task.execute(world.context())
    task.snapshot = {"kind": "drift", "key": "k", "pipeline": "visits"}
    with pytest.raises(AirflowFailException, match="was given a drift"):
        task.execute(world.context())
    world.site.store.create(Snapshot.path("visits", "s"), b"{}")
    task.snapshot = SNAPSHOT.model_dump_json()
    with pytest.raises(Exception, match="validation error"):
        task.execute(world.context())


def test_bad_data_shows_its_evidence_and_then_fails_without_a_retry(world: Any, stages: Any) -> None:
    stages("validate.validate", artifact(Validation, success=False, rows=5, results=(), quarantine=None))
    stages("validate.require_valid", ValidationFailed("2 rows are broken", where="quarantine/x"))
    context = world.context()
    with pytest.raises(AirflowFailException, match="2 rows are broken"):
        world.task("data.validate", snapshot="any").execute(context)
    assert context["ti"].order[:2] == ["return_value", "retrain_note"]
    assert "2 rows are broken" in context["ti"].note


def test_what_may_come_back_is_retried(world: Any, stages: Any) -> None:
    stages("collect.collect", StoreError("the store is away"))
    context = world.context(run_type="scheduled")
    with pytest.raises(StoreError):
        world.task("data.collect").execute(context)
    assert "the store is away" in context["ti"].note


def test_a_mistake_that_airflow_has_not_seen_yet_is_tried_again_until_its_tasks_wait(world: Any, stages: Any) -> None:
    stages("collect.collect", SpecError("`canry` is no key", file="visits/pipeline.yaml", line=7))
    context = world.context(run_type="scheduled")
    with pytest.raises(SpecError):
        world.task("data.collect").execute(context)
    assert "canry" in context["ti"].note


def test_skipping_the_canary_without_a_reason_fails_at_the_first_task(world: Any) -> None:
    with pytest.raises(AirflowFailException, match="gives no reason"):
        world.task("data.collect").execute(world.context(params={"skip_canary": True}))


@pytest.mark.parametrize(
    ("task_id", "stage", "made", "skipped"),
    [
        ("verdict.bless", "bless.bless", verdict("vetoed"), {"verdict.freshness", *LATER}),
        ("verdict.bless", "bless.bless", verdict("undecided"), {"verdict.freshness", *LATER}),
        ("verdict.bless", "bless.bless", verdict("blessed"), None),
        ("verdict.freshness", "freshness.freshness", artifact(Freshness, version=2, fresh=False, reason="old"), LATER),
        ("verdict.freshness", "freshness.freshness", artifact(Freshness, version=2, fresh=True, reason="new"), None),
    ],
)
def test_a_decision_against_skips_all_that_follows_but_the_report(
    world: Any, stages: Any, task_id: str, stage: str, made: Any, skipped: set[str] | None
) -> None:
    stages(stage, made)
    context = world.context()
    task = world.task(task_id, scorecard="any", candidate="any")
    if skipped is None:
        task.execute(context)
        return
    with pytest.raises(DownstreamTasksSkipped) as found:
        task.execute(context)
    assert set(found.value.tasks) == skipped
    assert context["ti"].note == made.summary


def test_a_failed_rehearsal_ends_the_run(world: Any, stages: Any) -> None:
    stages("rehearse.rehearse", artifact(Rehearsal, version=1, passed=False, reason="it raised"))
    with pytest.raises(DownstreamTasksSkipped) as found:
        world.task("release.rehearse", candidate=world.candidate().ref().model_dump()).execute(world.context())
    assert set(found.value.tasks) == LATER - {"release.rehearse"}


def test_a_fresh_champion_without_drift_ends_a_run_early(world: Any, stages: Any) -> None:
    stages("drift.drift", artifact(Drift, reference=None, champion=None, columns=(), drifted=False))
    stages("drift.fresh_enough", "the champion is 3 days old")
    context = world.context()
    with pytest.raises(DownstreamTasksSkipped) as found:
        world.task("data.drift", snapshot="any").execute(context)
    assert "model.train" in found.value.tasks
    assert "report" not in found.value.tasks
    assert "3 days old" in context["ti"].note


def test_releasing_a_version_again_goes_straight_to_the_release(world: Any, stages: Any) -> None:
    world.candidate(1)
    collected = stages("collect.collect", None)
    with pytest.raises(DownstreamTasksSkipped) as found:
        world.task("data.collect").execute(world.context(params={"redeploy": 1}))
    assert not collected
    assert {task.partition(".")[0] for task in found.value.tasks} == {"data", "model", "verdict"}

    rehearsed = stages("rehearse.rehearse", artifact(Rehearsal, version=1, passed=True, reason="fine"))
    world.task("release.rehearse", candidate="null").execute(world.context(params={"redeploy": 1}))
    assert rehearsed[0][2].version == 1


@pytest.mark.parametrize(("version", "why"), [(7, "no version 7"), (1, "it is vetoed")])
def test_a_version_that_is_unknown_or_vetoed_is_not_released_again(world: Any, version: int, why: str) -> None:
    world.candidate(1, outcome="vetoed")
    with pytest.raises(AirflowFailException, match=why):
        world.task("data.collect").execute(world.context(params={"redeploy": version}))


# -- shadow and canary -----------------------------------------------------------------------------------------


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces what a phase does: ``looking(Canary, "begin", progress)``."""

    def replace(phase: Any, what: str, answer: Any) -> list[Any]:
        calls: list[Any] = []

        def look(self: Any) -> Any:
            calls.append(self)
            return answer

        monkeypatch.setattr(phase, what, look)
        return calls

    return replace


def test_a_canary_that_is_decided_at_once_never_defers(world: Any, looking: Any) -> None:
    looking(Canary, "begin", progress("canary", "done", "no champion"))
    context = world.context()
    with pytest.raises(DownstreamTasksSkipped) as found:
        world.task("release.canary", candidate=world.candidate().ref().model_dump()).execute(context)
    assert found.value.tasks == ["release.roll_back"]
    assert context["ti"].pushed["return_value"]["state"] == "done"


def test_a_canary_leaves_every_look_to_the_triggerer(world: Any, looking: Any) -> None:
    looking(Canary, "begin", progress("canary", "waiting", "step 1"))
    looks = looking(Canary, "look", progress("canary", "done", "days of the log were read"))
    candidate = world.candidate()
    context = world.context()
    with pytest.raises(TaskDeferred) as found:
        world.task("release.canary", candidate=candidate.ref().model_dump()).execute(context)
    assert not looks
    assert found.value.method_name == "execute_complete"
    assert found.value.trigger.candidate == candidate.ref().model_dump()
    assert context["ti"].note == "step 1"
    watched = context["ti"].pushed["return_value"]
    assert (watched["version"], watched["state"], watched["decided"]) == (candidate.version, "waiting", False)


def test_a_canary_may_wait_in_its_worker_instead(world: Any, looking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looking(Canary, "begin", progress("canary", "waiting", "step 1"))
    answers = iter(["waiting", "waiting", "rolled_back"])
    monkeypatch.setattr(Canary, "look", lambda _: progress("canary", next(answers), "looked"))
    monkeypatch.setattr("time.sleep", lambda _: None)
    task = world.task("release.canary", candidate=world.candidate().ref().model_dump())
    task.deferrable = False
    with pytest.raises(DownstreamTasksSkipped) as found:
        task.execute(world.context())
    assert found.value.tasks == ["release.promote"]


@pytest.mark.parametrize(
    ("task_id", "state", "skipped"),
    [
        ("release.shadow", "done", None),
        ("release.shadow", "rolled_back", {"release.canary", "release.promote"}),
        ("release.canary", "done", {"release.roll_back"}),
        ("release.canary", "rolled_back", {"release.promote"}),
    ],
)
def test_what_the_trigger_saw_decides_which_tasks_follow(
    world: Any, task_id: str, state: str, skipped: set[str] | None
) -> None:
    phase = task_id.rpartition(".")[2]
    event = progress(phase, state, "seen").model_dump(mode="json")  # type: ignore[arg-type]
    context = world.context()
    if skipped is None:
        world.task(task_id).execute_complete(context, event)
    else:
        with pytest.raises(DownstreamTasksSkipped) as found:
            world.task(task_id).execute_complete(context, event)
        assert set(found.value.tasks) == skipped
    assert context["ti"].note == "seen"


def test_a_pause_is_told_and_waited_for(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("retrain.alerts.tell", lambda alerts, event: sent.append(event))
    candidate, context = world.candidate(), world.context()
    event = {**progress("canary", "paused", "version 1 is paused: 1h are over").model_dump(mode="json"), "pause": 7}
    with pytest.raises(TaskDeferred) as found:
        world.task("release.canary", candidate=candidate.ref().model_dump()).execute_complete(context, event)
    assert (found.value.trigger.told, found.value.method_name) == (7, "execute_complete")
    assert context["ti"].note == "version 1 is paused: 1h are over"
    assert context["ti"].pushed["return_value"]["version"] == candidate.version
    (told,) = sent
    assert (told.kind, told.on, told.version) == ("paused", "decision", candidate.version)
    assert told.headline == "visits: version 1 is paused: 1h are over"
    assert "retrain resume visits" in told.do


def test_a_trigger_that_gave_up_makes_the_task_try_again_and_say_why(world: Any) -> None:
    from retrain.errors import GatewayError

    context, event = world.context(), {"error": "the store is away", "where": "s3://bucket", "do": "bring it back"}
    with pytest.raises(GatewayError) as caught:
        world.task("release.canary").execute_complete(context, event)
    assert str(caught.value) == "the store is away Where: s3://bucket. What to do: bring it back"
    assert context["ti"].note == str(caught.value)


def test_promote_and_roll_back_say_what_the_ledger_says(world: Any, stages: Any) -> None:
    candidate = world.candidate().ref().model_dump()
    stages("promote.promote", Release(state="promoted", reason="the canary passed"))
    stages("roll_back.roll_back", Release(state="rolled_back", reason="harm"))
    for task_id, said in (("release.promote", "is the champion: the canary passed"), ("release.roll_back", "harm")):
        context = world.context()
        world.task(task_id, candidate=candidate).execute(context)
        assert said in context["ti"].note
    stages("promote.promote", ReleaseError("its canary has not passed"))
    with pytest.raises(AirflowFailException, match="has not passed"):
        world.task("release.promote", candidate=candidate).execute(world.context())


# -- the report ------------------------------------------------------------------------------------------------


def ended(context: Any, **states: str) -> Any:
    """How the tasks before the report ended; group names may be left out."""
    dag = context["dag"]
    names = {task.task_id.rpartition(".")[2]: task.task_id for task in dag.tasks}
    context["ti"].states = {names[stage]: state for stage, state in states.items()}
    return context


def test_the_report_is_written_whatever_happened(world: Any) -> None:
    context = ended(world.context(), collect="failed", validate="upstream_failed")
    world.task("report", candidate="null").execute(context)
    assert "failed at collect" in context["ti"].note
    assert context["ti"].pushed["retrain_run_note"] == context["ti"].note
    assert context["ti"].pushed["return_value"]["kind"] == "report"


def test_a_release_that_nobody_watches_any_more_is_rolled_back(world: Any, stages: Any) -> None:
    candidate = world.candidate(2)
    ledger = world.site.ledger("visits")
    served = ledger.version(2).served
    under_way = Release(state="ramping", champion=served, challenger=served, share=0.5, step=1, steps=(0.5,))
    ledger.append(under_way, actor="canary", run="manual__1")
    rolled = stages("roll_back.roll_back", Release(state="rolled_back", reason="x"))
    made = artifact(Report, run="manual__1", outcome="failed", headline="failed", stages={"canary": "failed"})
    stages("report.report", made)
    context = ended(world.context(), canary="failed", promote="upstream_failed")
    world.task("report", candidate=candidate.ref().model_dump()).execute(context)
    assert len(rolled) == 1
    assert "nobody watches" in rolled[0][-1]


def test_the_report_leaves_the_release_of_another_run_alone(world: Any, stages: Any) -> None:
    world.candidate(2)
    mine = world.candidate(3, outcome="vetoed")
    ledger = world.site.ledger("visits")
    served = ledger.version(2).served
    ledger.append(Release(state="ramping", champion=served, challenger=served), actor="canary", run="other")
    rolled = stages("roll_back.roll_back", Release())
    world.task("report", candidate=mine.ref().model_dump()).execute(ended(world.context(), bless="success"))
    assert not rolled


SENT: list[Any] = []


class Notifier:
    """An alert that is only kept."""

    def __init__(self, to: str) -> None:
        self.to = to

    def __call__(self, context: Any) -> None:
        assert context["retrain_event"]["pipeline"] == "visits"
        SENT.append(self.to)


@pytest.mark.parametrize(
    ("states", "sent"),
    [
        ({"promote": "success"}, ["all"]),
        ({"bless": "success", "promote": "skipped"}, ["all", "decision"]),
        ({"collect": "failed"}, ["all", "failure"]),
    ],
)
def test_alerts_go_to_those_who_asked_for_them(
    world: Any, monkeypatch: pytest.MonkeyPatch, states: dict[str, str], sent: list[str]
) -> None:
    from retrain.spec import Notifier as Named
    from retrain.spec import Spec

    alerts = (
        Named(notifier="not.there.Notifier"),
        Named(notifier="tests.Notifier", arguments={"to": "all"}, on=("success", "decision", "failure")),
        Named(notifier="tests.Notifier", arguments={"to": "decision"}, on=("decision",)),
        Named(notifier="tests.Notifier", arguments={"to": "failure"}, on=("failure",)),
    )
    load = Spec.load
    monkeypatch.setattr(Spec, "load", lambda folder: load(folder).model_copy(update={"alerts": alerts}))
    monkeypatch.setattr("retrain.airflow.notifier.import_string", {"tests.Notifier": Notifier}.__getitem__)
    SENT.clear()
    world.task("report", candidate="null").execute(ended(world.context(), **states))
    assert sent == sorted(SENT)


def test_a_sender_of_the_core_is_told_by_a_task_too(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrain.alerts.base import Sender
    from retrain.spec import Spec

    heard: list[Any] = []

    class Ear(Sender):
        def send(self, event: Any) -> None:
            heard.append(event)

    load = Spec.load
    alerts = (Ear(to="ear"),)
    monkeypatch.setattr(Spec, "load", lambda folder: load(folder).model_copy(update={"alerts": alerts}))
    world.task("report", candidate="null").execute(ended(world.context(), collect="failed"))
    assert [(event.kind, event.run, event.headline) for event in heard] == [
        ("run_failed", "manual__1", "visits: failed at collect")
    ]


def test_a_failure_is_told_even_if_no_report_can_be_written(
    world: Any, stages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    task = world.task("report", candidate="null")
    monkeypatch.setattr(type(task), "alert", lambda self, context, event: told.append(event.on))
    stages("report.report", StoreError("the store is away"))
    with pytest.raises(StoreError):
        task.execute(ended(world.context(), collect="failed"))
    assert told == ["failure"]


def test_a_connection_with_unknown_settings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from retrain.airflow.hooks.site import SiteHook

    def connection(extra: dict[str, str]) -> None:
        monkeypatch.setattr(SiteHook, "get_connection", lambda self, name: SimpleNamespace(extra_dejson=extra))

    monkeypatch.delenv("RETRAIN_STORE", raising=False)
    connection({"store": "s3://bucket/x"})
    assert SiteHook("retrain_default").settings.store == "s3://bucket/x"
    connection({"sotre": "s3://bucket/x"})
    with pytest.raises(UsageError, match="sotre"):
        _ = SiteHook("retrain_default").settings


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_from_the_data_is_only_text_in_a_note(world: Any, stages: Any, name: str) -> None:
    stages("validate.validate", artifact(Validation, success=True, rows=5, results=(), quarantine=None))
    stages("validate.require_valid", DataError(f"The column {name} is bad.", do="mend it."))
    context = world.context()
    with pytest.raises(AirflowFailException):
        world.task("data.validate", snapshot="any").execute(context)
    kinds, shown = rendered(context["ti"].note)
    assert not DANGEROUS & kinds
    assert shown.startswith("The column")
    assert shown.endswith("What to do: mend it.")
    assert len(context["ti"].note) <= 1000
