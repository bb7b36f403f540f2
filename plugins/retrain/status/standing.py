"""One pipeline in one word and one sentence, so that many can be read at a glance, the worst first.

A pure function of its :class:`~retrain.status.pipeline.PipelineStatus`: the worst of its parts gives the word, and the
sentence says what somebody has to know to act: which file and line, for whom until when, which version, since when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from retrain.artifacts import Moment, Value
from retrain.status.health import RUN_LEVELS, too_old
from retrain.status.pipeline import PipelineStatus, UnderWay
from retrain.status.runs import last_ended
from retrain.words import duration, moment, share

Word = Literal["UNREAD", "BROKEN", "FAILED", "WAITING", "STALE", "DRIFTED", "CANARY", "NEW", "OK"]
WORDS: tuple[Word, ...] = ("UNREAD", "BROKEN", "FAILED", "WAITING", "STALE", "DRIFTED", "CANARY", "NEW", "OK")
"""The worst first."""


class Standing(Value):
    """How one pipeline stands.

    :param dag_id: the Dag that retrains it; None where that is not known.
    :param said: the word's reason in one sentence. Names in it may come from data: it is text.
    :param champion: the version that serves. :param since: since when.
    :param age: of the champion's data, in seconds. :param limit: what that may be; None where it is not known here.
    :param challenger: the version that is tried. :param share: of live entities that it answers, 0 to 1.
    :param phase: of its trial, or what it was paused in.
    :param step: of ``steps``, counted from 1; 0 in shadow.
    :param ends: when patience ends, or when an answer that is waited for is a rejection.
    """

    pipeline: str
    dag_id: str | None = None
    word: Word
    said: str
    champion: int | None = None
    since: Moment | None = None
    age: float | None = None
    limit: float | None = None
    next_run: Moment | None = None
    challenger: int | None = None
    phase: Literal["shadow", "canary"] | None = None
    share: float | None = None
    step: int | None = None
    steps: int | None = None
    ends: Moment | None = None


def standing(status: PipelineStatus, dag_id: str | None = None) -> Standing:
    """The word, the sentence, and the numbers beside them."""
    word, said = next((word, said) for word, tell in _PARTS if (said := tell(status)))
    champion, age, trial = status.champion, next(iter(status.ages), None), status.under_way
    deadlines = (one.until for one in status.waiting if one.until is not None)
    return Standing(
        pipeline=status.pipeline,
        dag_id=dag_id,
        word=word,
        said=said,
        champion=champion.version if champion else None,
        since=champion.since if champion else None,
        age=age.age if age else None,
        limit=age.limit if age else None,
        next_run=status.next_run,
        challenger=trial.version if trial else None,
        phase=trial.phase if trial else None,
        share=trial.share if trial else None,
        step=trial.step if trial else None,
        steps=len(trial.steps) if trial else None,
        ends=trial.ends if trial and trial.ends else next(deadlines, None),
    )


def unread(pipeline: str, why: str) -> Standing:
    """What is said of a pipeline whose ledger cannot be read."""
    return Standing(pipeline=pipeline, word="UNREAD", said=why)


def worst_first(standings: Iterable[Standing]) -> tuple[Standing, ...]:
    """The worst word first; alike ones by name."""
    return tuple(sorted(standings, key=lambda one: (WORDS.index(one.word), one.pipeline)))


# -- the parts -----------------------------------------------------------------------------------------------------


def _broken(status: PipelineStatus) -> str | None:
    return status.spec_problem and status.spec_problem.partition(" What to do: ")[0]


def _failed(status: PipelineStatus) -> str | None:
    ended = last_ended(status.runs)
    if ended is None or ended.outcome is None or RUN_LEVELS.get(ended.outcome) != "bad":
        return None
    what = ended.what.removeprefix("report: ").removeprefix(f"{status.pipeline}: ")
    return f"the retraining {ended.run} of {moment(ended.last)}: {what}"


def _waiting(status: PipelineStatus) -> str | None:
    return "; ".join(
        f"waits for {one.who}{f' until {moment(one.until)}' if one.until else ''}: {one.what}" for one in status.waiting
    )


def _stale(status: PipelineStatus) -> str | None:
    return "; ".join(too_old(age) for age in status.ages if age.stale)


def _drifted(status: PipelineStatus) -> str | None:
    return status.drift if status.drift_matters else None


def _tried(status: PipelineStatus) -> str | None:
    if (trial := status.under_way) is None:
        return None
    ends = f"; ends by {moment(trial.ends)}" if trial.ends else ""
    return f"version {trial.version} {_where(trial)}: {trial.reason}{ends}"


def _where(trial: UnderWay) -> str:
    if trial.state == "shadowing":
        return f"in shadow of {share(trial.shadow)} of the requests"
    return f"at {share(trial.share)}, step {trial.step} of {len(trial.steps)}"


def _new(status: PipelineStatus) -> str | None:
    return "nothing has been released yet" if status.champion is None else None


def _fine(status: PipelineStatus) -> str | None:
    if (champion := status.champion) is None:
        return "nothing is known of the champion"
    aged = "".join(f", data {duration(age.age)} old" for age in status.ages)
    coming = f", next run {moment(status.next_run)}" if status.next_run else ""
    return f"version {champion.version} since {moment(champion.since)}{aged}{coming}"


_PARTS: tuple[tuple[Word, Callable[[PipelineStatus], str | None]], ...] = (
    ("BROKEN", _broken),
    ("FAILED", _failed),
    ("WAITING", _waiting),
    ("STALE", _stale),
    ("DRIFTED", _drifted),
    ("CANARY", _tried),
    ("NEW", _new),
    ("OK", _fine),
)
