"""What a candidate looks like on the held-out rows, as pictures beside its run: where it errs, and on what it leans."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Scorecard, SliceScore
from retrain.markdown import plain
from retrain.metrics.task import Task

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from pandas import DataFrame

BINS = 10
MOST = 20
LONGEST_NAME = 40
THRESHOLD = 0.5
"""From this probability on an answer counts as yes."""


def draw(
    scorecard: Scorecard, predictions: DataFrame, importance: Mapping[str, float], task: Task, classes: Sequence[Any]
) -> dict[str, bytes]:
    """Name → PNG.

    :param predictions: label and answers of each held-out row, as the scorecard keeps them.
    :param importance: feature → by how much the loss grows without it; may be empty.
    :param classes: the classes in order; empty for a regression.
    """
    pictures = {}
    if task != "multiclass":
        pictures["calibration"] = _picture(lambda axes: _calibration(axes, predictions, task))
    if task != "regression":
        pictures["confusion"] = _picture(lambda axes: _confusion(axes, predictions, task, classes))
    if compared := [one for one in scorecard.slices if one.score.challenger is not None]:
        pictures["slices"] = _picture(lambda axes: _slices(axes, compared))
    if importance:
        pictures["importance"] = _picture(lambda axes: _importance(axes, importance))
    return pictures


def _picture(drawn: Any) -> bytes:
    """A figure of its own: nothing here is shared with whoever else draws in this process."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    drawn(axes)
    FigureCanvasAgg(figure)
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()


def _calibration(axes: Axes, predictions: DataFrame, task: Task) -> None:
    """Mean label against mean answer, in bins of equally many rows."""
    label = predictions["label"].to_numpy(dtype=float)
    for name in ("champion", "challenger"):
        if name in predictions:
            x, y = _binned(predictions[name].to_numpy(dtype=float), label)
            axes.plot(x, y, marker="o", label=name)
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], color="grey", linestyle=":", label="as answered")
    axes.set(title="Calibration on the held-out days", ylabel="what was so, on average")
    axes.set_xlabel("probability answered" if task == "binary" else "number answered")
    axes.legend()


def _binned(answers: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    order = np.argsort(answers, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return np.array([answers[part].mean() for part in bins]), np.array([label[part].mean() for part in bins])


def _confusion(axes: Axes, predictions: DataFrame, task: Task, classes: Sequence[Any]) -> None:
    """Rows by their class and by the challenger's answer."""
    import numpy as np

    answers = predictions["challenger"].to_numpy()
    said = (answers >= THRESHOLD).astype(int) if task == "binary" else answers.astype(int)
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (predictions["label"].to_numpy().astype(int), said), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    if len(classes) <= MOST:
        for (row, column), count in np.ndenumerate(counts):
            shade = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=shade)
        names = [str(value) for value in classes]
        _name(axes, "x", names)
        _name(axes, "y", names)
    at = f" at {THRESHOLD:g}" if task == "binary" else ""
    axes.set(title=f"Confusion on the held-out days{at}", xlabel="the challenger's answer", ylabel="what was so")


def _slices(axes: Axes, slices: Sequence[SliceScore]) -> None:
    """The challenger's difference from the champion by slice, worst first; its own score where there is no champion."""
    score = slices[0].score
    sign = 1 if score.better == "lower" else -1
    against = any(one.score.difference is not None for one in slices)
    values = [((one.score.difference if against else one.score.challenger) or 0.0, one) for one in slices]
    worst = sorted(values, key=lambda pair: sign * pair[0], reverse=True)[:MOST]
    for place, (value, one) in enumerate(worst):
        lower = one.score.difference_lower if against else one.score.challenger_lower
        upper = one.score.difference_upper if against else one.score.challenger_upper
        axes.plot(value, place, marker="o", color="C0")
        if lower is not None and upper is not None:
            axes.plot([lower, upper], [place, place], color="C0")
    if against:
        axes.axvline(0, color="grey", linestyle=":")
    axes.invert_yaxis()
    _name(axes, "y", [f"{one.column} = {one.value}" for _, one in worst])
    good = "left" if score.better == "lower" else "right"
    what = "challenger − champion" if against else "challenger"
    axes.set(title=f"Slices, worst first ({good} is better)", xlabel=f"{score.metric}, {what}")


def _importance(axes: Axes, importance: Mapping[str, float]) -> None:
    """The features that cost most when they are missing."""
    most = sorted(importance.items(), key=lambda item: item[1], reverse=True)[:MOST]
    axes.barh(range(len(most)), [value for _, value in most])
    axes.invert_yaxis()
    _name(axes, "y", [name for name, _ in most])
    axes.set(title="What the challenger leans on", xlabel="loss more, with this feature dealt out anew")


def _name(axes: Axes, side: str, names: Sequence[str]) -> None:
    """Names from the data, as they are: a dollar sign in one is no formula."""
    shown = [plain(name, LONGEST_NAME) for name in names]
    set_ticks = axes.set_xticks if side == "x" else axes.set_yticks
    set_ticks(range(len(shown)), shown)
    for label in axes.get_xticklabels() if side == "x" else axes.get_yticklabels():
        label.set_parse_math(False)
