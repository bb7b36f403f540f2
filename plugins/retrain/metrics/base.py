"""What a metric is: a statistic of weighted rows, so that rows can be left out by weight.

One of your own is a :class:`Metric` in a module of yours, named by ``bless: {metric: "my_package.metrics:pinball"}``::

    def _loss(target, predicted):
        short = target - predicted
        return abs(short) * (0.1 + 0.8 * (short > 0))

    def _ninth_decile(target):
        import numpy as np

        return float(np.quantile(target, 0.9))

    pinball = Metric("pinball", ("regression",), mean_of(_loss), constant=_ninth_decile)

Airflow imports that module when it parses the Dag: what is heavy is imported inside functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from retrain.errors import MetricError
from retrain.metrics.task import Task

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")
Better = Literal["lower", "higher"]
Statistic = Callable[["np.ndarray"], float]
"""From row weights, shape (rows,), to a number; NaN where it is not defined."""


def mean(target: np.ndarray) -> float:
    """The constant answer with the least squared error."""
    return float(target.mean())


@dataclass(frozen=True)
class Metric:
    """What models are judged by.

    :param name: how scorecards, verdicts and MLflow call it: letters, digits and underscores.
    :param tasks: those it is made for.
    :param statistic: of a target and answers, the metric as a function of row weights, which it must heed: without
        them no bound is honest. :func:`mean_of` makes it of a loss per row. The target, shape (rows,), is the class's
        position or the number; the answers are probabilities, shape (rows, classes), or numbers, shape (rows,).
        Both are read-only.
    :param better: which way is good. Where it is ``higher``, 1 is perfect.
    :param constant: of a regression, the best constant answer to a training target; a baseline.
    :param two_classes: is it undefined unless rows of both classes are there?
    :raises ValueError: for a name, task or direction that does not exist.
    """

    name: str
    tasks: tuple[Task, ...]
    statistic: Callable[[np.ndarray, np.ndarray], Statistic]
    better: Better = "lower"
    constant: Callable[[np.ndarray], float] = mean
    two_classes: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"a metric's name has letters, digits and underscores only, not '{self.name}'")
        if not self.tasks or not set(self.tasks) <= set(get_args(Task)):
            raise ValueError(f"the metric '{self.name}' is for some of {', '.join(get_args(Task))}")
        if self.better not in get_args(Better):
            raise ValueError(f"of the metric '{self.name}', lower or higher is better")

    def of(self, target: np.ndarray, answers: np.ndarray) -> Statistic:
        """The metric of fixed answers, as a function of row weights. NaN where it is not defined.

        :raises MetricError: its own code fails, here or in the function that is returned.
        """
        import numpy as np

        if not np.isfinite(answers).all() or not len(target):
            return lambda _: float("nan")
        statistic = self._tried(lambda: self.statistic(_read_only(target), _read_only(answers)))
        return lambda weights: self._tried(lambda: float(statistic(weights)))

    def point(self, target: np.ndarray, answers: np.ndarray) -> float:
        """The metric of some answers, all rows alike."""
        import numpy as np

        return self.of(target, answers)(np.ones(len(target)))

    def loss(self, target: np.ndarray, answers: np.ndarray) -> float:
        """The same turned so that less is better: 1 − score where more is better."""
        value = self.point(target, answers)
        return 1.0 - value if self.better == "higher" else value

    def centre(self, target: np.ndarray) -> float:
        """The best constant answer to a target of numbers."""
        return self._tried(lambda: float(self.constant(_read_only(target))))

    def defined(self, target: np.ndarray) -> bool:
        """Can it be computed on these rows at all, whoever answers?"""
        return not self.two_classes or len(set(target.tolist())) == 2

    def _tried(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:  # whatever somebody's metric raises
            raise MetricError(
                f"The metric '{self.name}' cannot be computed: {type(error).__name__}: {error}.",
                do="mend it, or name another one as `bless.metric`; until then nothing is judged by it.",
            ) from error


def mean_of(row_loss: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], Statistic]:
    """The weighted mean of what each row adds.

    :param row_loss: of a target and answers, one number a row, shape (rows,).
    """

    def statistic(target: np.ndarray, answers: np.ndarray) -> Statistic:
        import numpy as np

        losses = np.asarray(row_loss(target, answers), dtype=np.float64)
        if losses.shape != target.shape:
            raise ValueError(f"its losses have shape {losses.shape}, not one number for each of {len(target)} rows")

        def weighted(weights: np.ndarray) -> float:
            total = float(weights.sum())
            return float(weights @ losses) / total if total else float("nan")

        return weighted

    return statistic


def _read_only(values: np.ndarray) -> np.ndarray:
    """The same numbers, safe from whoever would sort or scale them in place."""
    view = values.view()
    view.flags.writeable = False
    return view
