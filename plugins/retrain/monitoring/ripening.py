"""Answers that wait for their labels, until they are old enough to be counted without them.

When a label comes may depend on what it says: a flight that is late is known late, a chargeback comes in weeks. So
answers are compared at equal age: one *ripens* when it is as old as ``source.label_delay`` says labels take, or, where
that says nothing, twice as old as any label so far was late. Labels are shipped as predictions are, not at once: an
answer's age is counted up to the newest label that is known. One that comes later is counted, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from retrain.metrics.label_loss import losses
from retrain.metrics.task import Task
from retrain.monitoring.answers import Answers
from retrain.monitoring.register import Register, hashed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MICROSECOND = timedelta(microseconds=1)

EARLY = timedelta(minutes=10) // MICROSECOND
"""How long a label waits for its prediction, which another gateway may ship later. Most wait for one that is none of
the arms': where pairs are compared, those of half the traffic."""

EARLY_FROM = 10_000
"""So many labels may wait before those that have waited too long are looked for."""

FORGET_FROM = 100_000
"""Ids are forgotten when so many, and most of all, are of answers that have ripened."""


@dataclass
class _Chunk:
    """Answers that came together; their losses, NaN until their labels come, shape (rows, k); which have ripened."""

    rows: Answers
    loss: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    ripe: NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """Labels in the order in which they came: microseconds since 1970, ids hashed, labels as JSON."""

    at: NDArray[np.int64]
    id: NDArray[np.uint64]
    label: NDArray[np.object_]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Labels:
        """Rows of the log."""
        import numpy as np

        rows = rows.sort_values(["at", "id", "label"], kind="stable")
        at = rows["at"].dt.tz_localize(None).to_numpy(dtype="datetime64[us]").astype(np.int64)
        return cls(at, hashed(rows["id"].to_numpy(dtype=object)), rows["label"].to_numpy(dtype=object))


class Waiting:
    """The answers that wait; their losses have the shape (rows, k), k answers to one request.

    :param classes: of the model, the positive one last; empty where they are not known.
    :param delay: how late labels may be; zero where that is not said.
    :ivar late: labels that came for answers that had ripened.
    :ivar known: labels that came in time.
    """

    def __init__(self, task: Task, classes: tuple[str, ...], delay: timedelta) -> None:
        self.late = self.known = self._ripe = 0
        self._task, self._classes = task, classes
        self._said = delay // MICROSECOND
        self._longest = 0
        self._asked_until = self._labelled_until = 0
        self._ids = Register()
        self._chunks: dict[int, _Chunk] = {}  # by the number of their first id
        self._early: dict[int, tuple[int, str]] = {}
        self._room = EARLY_FROM

    @property
    def delay(self) -> timedelta:
        """How old an answer must be to be ripe."""
        return (self._said or 2 * self._longest) * MICROSECOND

    @property
    def unripe(self) -> int:
        """How many labels came in time and are of answers that have not ripened yet."""
        return self.known - self._ripe

    def add(self, rows: Answers) -> Labels:
        """Let answers wait; an id's first counts. Gives the labels of theirs that came before them."""
        import numpy as np

        _, first = np.unique(rows.id, return_index=True)
        first = np.sort(first[self._ids.find(rows.id[first]) < 0])
        rows = rows[first]
        if len(rows):
            self._asked_until = max(self._asked_until, int(rows.at.max()))
            begin = len(self._ids)
            self._ids.add(rows.id)
            no = np.zeros(len(rows), dtype=bool)
            self._chunks[begin] = _Chunk(rows, np.full(rows.answer.shape, np.nan), no, no.copy())
        early = [(one, *self._early.pop(one)) for one in rows.id.tolist() if one in self._early] if self._early else []
        return Labels(
            np.array([at for _, at, _ in early], dtype=np.int64),
            np.array([one for one, _, _ in early], dtype=np.uint64),
            np.array([label for _, _, label in early], dtype=object),
        )

    def label(self, labels: Labels) -> tuple[Answers, NDArray[np.float64]]:
        """Take up labels; an id's first counts. Gives the answers that they are of, with their losses."""
        import numpy as np

        self._labelled_until = max(self._labelled_until, int(labels.at.max(initial=0)))
        numbers = self._ids.find(labels.id)
        for row in np.flatnonzero(numbers < 0).tolist():
            self._early.setdefault(int(labels.id[row]), (int(labels.at[row]), str(labels.label[row])))
        found = [self._in_chunk(begin, numbers, labels) for begin in self._touched(numbers)]
        if len(self._early) > self._room:
            self._early = {one: it for one, it in self._early.items() if it[0] >= self._labelled_until - EARLY}
            self._room = max(EARLY_FROM, 2 * len(self._early))
        if not found:
            return Answers.none(), np.empty((0, 1))
        rows, loss, order = (_joined([part[place] for part in found]) for place in range(3))
        place = np.argsort(order, kind="stable")
        return rows[place], loss[place]

    def ripened(self) -> tuple[Answers, NDArray[np.float64]]:
        """The answers that have ripened since this was asked, in order of time, with their losses; NaN: no label."""
        import numpy as np

        if not self._said and not self.known:
            return Answers.none(), np.empty((0, 1))  # nobody knows how late labels are before the first
        horizon = min(self._asked_until, self._labelled_until) - self.delay // MICROSECOND
        found = []
        for chunk in self._chunks.values():
            now = ~chunk.ripe & (chunk.rows.at <= horizon)
            if now.any():
                found.append((chunk.rows[now], chunk.loss[now]))
                chunk.ripe |= now
        self._forget()
        if not found:
            return Answers.none(), np.empty((0, 1))
        rows, loss = _joined([rows for rows, _ in found]), _joined([loss for _, loss in found])
        self._ripe += int((~np.isnan(loss).any(axis=1)).sum())
        order = np.lexsort((rows.id, rows.at))
        return rows[order], loss[order]

    def _touched(self, numbers: NDArray[np.int64]) -> list[int]:
        """The chunks that some ids are of."""
        import numpy as np

        begins = np.array(list(self._chunks), dtype=np.int64)
        known = numbers[numbers >= 0]
        return [int(begins[one]) for one in np.unique(np.searchsorted(begins, known, "right") - 1)]

    def _in_chunk(
        self, begin: int, numbers: NDArray[np.int64], labels: Labels
    ) -> tuple[Answers, NDArray[np.float64], NDArray[np.int64]]:
        """The answers of one chunk that labels are of, their losses, and which labels they are."""
        import numpy as np

        chunk = self._chunks[begin]
        mine = np.flatnonzero((numbers >= begin) & (numbers < begin + len(chunk.rows)))
        _, first = np.unique(numbers[mine], return_index=True)
        mine = np.sort(mine[first])
        places = numbers[mine] - begin
        new = ~chunk.labelled[places]
        self.late += int((new & chunk.ripe[places]).sum())
        chunk.labelled[places] = True
        mine, places = mine[new & ~chunk.ripe[places]], places[new & ~chunk.ripe[places]]
        rows = chunk.rows[places]
        label = labels.label[mine]
        loss = np.empty(rows.answer.shape)
        for column, answer in enumerate(rows.answer.T):
            loss[:, column] = losses(self._task, answer, label, self._classes)
        chunk.loss[places] = loss
        usable = ~np.isnan(loss).any(axis=1)
        self.known += int(usable.sum())
        if usable.any():
            self._longest = max(self._longest, int((labels.at[mine] - rows.at)[usable].max()))
        return rows[usable], loss[usable], mine[usable]

    def _forget(self) -> None:
        """Let go of chunks that are ripe, and of their ids when those are most."""
        waiting = sum(len(chunk.rows) for chunk in self._chunks.values() if not chunk.ripe.all())
        if len(self._ids) < FORGET_FROM or waiting > len(self._ids) // 2:
            return
        kept = [chunk for chunk in self._chunks.values() if not chunk.ripe.all()]
        self._ids, self._chunks = Register(), {}
        for chunk in kept:
            self._chunks[len(self._ids)] = chunk
            self._ids.add(chunk.rows.id)


def _joined(parts: list[Any]) -> Any:
    """Parts of answers, or of arrays, as one."""
    import numpy as np

    if isinstance(parts[0], Answers):
        return Answers.joined(parts)
    return np.concatenate(parts)
