"""What a human is asked to approve, as Markdown: the champion beside the challenger, worst first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retrain.artifacts import Score, Scorecard, SliceScore, Verdict
from retrain.markdown import inert
from retrain.words import number

MOST_SLICES = 12
LONGEST_CELL = 200


def question(verdict: Verdict, scorecard: Scorecard, facts: Sequence[str]) -> str:
    """The whole body of the question.

    :param facts: further paragraphs, as Markdown of ours.
    """
    rows = f"{scorecard.holdout_rows:,} rows of {scorecard.holdout_days} days"
    against = "no champion" if verdict.champion is None else f"version {verdict.champion}"
    parts = [f"**{inert(verdict.summary)}**", *facts, f"Held out: {rows}. Challenger: version {verdict.version}."]
    parts.append(_scores(against, ((inert(score.metric), score) for score in scorecard.scores)))
    worst = sorted(scorecard.slices, key=_harm, reverse=True)
    if worst:
        left = len(worst) - MOST_SLICES
        parts.append(
            _scores(against, ((_slice(one), one.score) for one in worst[:MOST_SLICES]), of="slice, worst first")
        )
        parts += [f"{left} further slices, less bad, are in the evidence."] if left > 0 else []
    gates = [(gate.gate, gate.outcome, gate.reason) for gate in verdict.gates]
    parts.append(_table(("gate", "outcome", "why"), gates))
    return "\n\n".join(parts) + "\n"


def _slice(one: SliceScore) -> str:
    return f"{one.column} = {one.value} ({one.score.metric}, {one.score.rows:,} rows)"


def _harm(one: SliceScore) -> float:
    """By how much the challenger is worse; what cannot be told comes last."""
    if one.score.difference is None:
        return float("-inf")
    return one.score.difference if one.score.better == "lower" else -one.score.difference


def _scores(against: str, scores: Iterable[tuple[str, Score]], *, of: str = "metric") -> str:
    lines = [(name, _number(s.champion), _number(s.challenger), _said(s)) for name, s in scores]
    return _table((of, f"champion ({against})", "challenger", "challenger is"), lines)


def _said(score: Score) -> str:
    """The difference in words, with its interval."""
    if score.difference is None:
        return "not compared"
    worse = (score.difference > 0) == (score.better == "lower")
    word = (
        "as good" if score.difference == 0 else f"{'worse' if worse else 'better'} by {_number(abs(score.difference))}"
    )
    if score.difference_lower is None or score.difference_upper is None:
        return word
    return f"{word} (difference {_number(score.difference_lower)} to {_number(score.difference_upper)})"


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles)]
    shown = [*lines, *([inert(cell, LONGEST_CELL) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)
