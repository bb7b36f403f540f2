"""What the data say of themselves: the task, the columns worth using, the span, the bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from retrain.errors import DataError, UsageError
from retrain.scaffold.examples import examples
from retrain.spec import Task

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MOST_CLASSES = 50
MOST_CATEGORIES = 50
WHOLE_CLASSES = 10
# A canary compares arms by entity, and needs a hundred entities in the smaller one (retrain.stats).
MIN_ENTITIES = 400
ID_NAME = re.compile(r"(^|_)(id|uuid|guid|key|index)$", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """One column beside timestamp, entity and label.

    :param values: the most frequent texts, the most frequent first.
    :param missing: the share of rows without a value.
    :param left_out: why the model should not see it; empty if it should.
    """

    name: str
    kind: Literal["number", "truth", "text", "time", "nothing"]
    missing: float
    distinct: int
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    sd: float = 0.0
    whole: bool = False
    left_out: str = ""


@dataclass(frozen=True)
class Profile:
    """The data, as far as a pipeline's first draft needs to know them.

    :param start, newest: the first and the last timestamp.
    :param moments: every labelled row's timestamp, in order (seconds since 1970), for cutting the data by time.
    :param codes: every labelled row's class as a number; empty for a regression.
    :param step: the usual time between two moments.
    :param gap: the longest time between two.
    :param classes: a classification's labels as text, the most frequent first.
    :param label: the label's own column.
    """

    rows: int
    start: datetime
    newest: datetime
    moments: tuple[float, ...]
    codes: tuple[int, ...]
    step: timedelta
    gap: timedelta
    timestamp: str
    label: Column
    task: Task
    classes: tuple[Any, ...]
    entity: str | None
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns the model sees."""
        return tuple(column for column in self.columns if not column.left_out)

    @property
    def rows_per_day(self) -> float:
        """How many rows a day brings."""
        return self.rows / max(1.0, (self.newest - self.start).total_seconds() / 86_400)


def profile(
    frame: DataFrame, *, timestamp: str, label: str, entity: str | None, key: tuple[str, ...], task: Task | None
) -> Profile:
    """Look at every column of a file.

    :param frame: the rows as the pipeline will read them, in the order of time.
    :param task: what is predicted; found from the label if None.
    :raises DataError: nothing can be learnt from this label, or nothing names a row.
    """
    labelled = frame[frame[label].notna()]
    notes: list[str] = []
    task = task or _task(labelled[label], label, notes)
    classes = _classes(labelled[label], label, task)
    if len(labelled) < len(frame):
        notes.append(f"{len(frame) - len(labelled):,} rows have no label yet; they are checked but not trained on.")
    routed = entity
    if entity is not None and (distinct := frame[entity].nunique()) < MIN_ENTITIES:
        routed = None
        notes.append(
            f"'{entity}' has {distinct} values: too few to try a challenger on a share of them. It names rows and is "
            "an input, but requests are routed one by one, not by it."
        )
    columns = tuple(
        _judged(_column(frame[name]), labelled[name], labelled[label], task, len(frame))
        for name in frame.columns
        if name not in {timestamp, label, routed}
    )
    moments = labelled[timestamp]
    gaps = frame[timestamp].drop_duplicates().diff().dropna()
    return Profile(
        rows=len(frame),
        start=frame[timestamp].iloc[0].to_pydatetime(),
        newest=frame[timestamp].iloc[-1].to_pydatetime(),
        moments=tuple(moment.timestamp() for moment in moments),
        codes=tuple(labelled[label].factorize()[0].tolist()) if classes else (),
        step=timedelta(seconds=float(gaps.dt.total_seconds().median()) if len(gaps) else 0),
        gap=timedelta(seconds=float(gaps.dt.total_seconds().max()) if len(gaps) else 0),
        timestamp=timestamp,
        label=_column(frame[label]),
        task=task,
        classes=classes,
        entity=routed,
        key=key or _key(frame, timestamp, entity, columns),
        columns=columns,
        notes=tuple(notes),
    )


# -- the label -------------------------------------------------------------------------------------------------


def _task(label: Series[Any], name: str, notes: list[str]) -> Task:
    import pandas as pd

    distinct = label.nunique()
    if distinct == 2:
        return "binary"
    if not pd.api.types.is_numeric_dtype(label.dtype) or pd.api.types.is_bool_dtype(label.dtype):
        return "multiclass"
    if 2 < distinct <= WHOLE_CLASSES and (label % 1 == 0).all():
        notes.append(
            f"`{name}` is one of {distinct} whole numbers: taken for classes. If they are amounts: --task regression."
        )
        return "multiclass"
    return "regression"


def _classes(label: Series[Any], name: str, task: Task) -> tuple[Any, ...]:
    """The classes, the most frequent first; none for a regression."""
    import pandas as pd

    counts = label.value_counts()
    if len(counts) < 2:
        what = "no value at all" if counts.empty else f"one value only ({counts.index[0]!r})"
        raise DataError(
            f"The label '{name}' has {what}: there is nothing to learn.",
            do="use a file with more history, or name another column with --label.",
        )
    if task == "regression":
        if not pd.api.types.is_numeric_dtype(label.dtype):
            raise UsageError(
                f"The label '{name}' is text ({examples(counts.index)}); a regression needs numbers.",
                do="clean the column, or use --task binary or multiclass.",
            )
        return ()
    if task == "binary" and len(counts) != 2:
        raise UsageError(
            f"The label '{name}' has {len(counts)} values ({examples(counts.index)}), not two.",
            do="use --task multiclass or regression, or name another column with --label.",
        )
    if len(counts) > MOST_CLASSES:
        raise DataError(
            f"The label '{name}' has {len(counts):,} values ({examples(counts.index)}): too many for classes.",
            do="name another column with --label, group its values, or use --task regression if they are amounts.",
        )
    return tuple(value.item() if hasattr(value, "item") else value for value in counts.index)


# -- the columns -----------------------------------------------------------------------------------------------


def _column(values: Series[Any]) -> Column:
    """What a column is made of."""
    import pandas as pd

    name, present = str(values.name), values.dropna()
    missing = 1 - len(present) / len(values)
    distinct = (present.astype("str") if present.dtype == object else present).nunique()
    if present.empty:
        return Column(name, "nothing", missing, 0)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return Column(name, "time", missing, distinct)
    if pd.api.types.is_bool_dtype(present.infer_objects().dtype):
        return Column(name, "truth", missing, distinct)
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return Column(name, "text", missing, distinct, values=tuple(present.astype("str").value_counts().index))
    numbers = present.astype("float64")
    return Column(
        name,
        "number",
        missing,
        distinct,
        low=float(numbers.min()),
        high=float(numbers.max()),
        mean=float(numbers.mean()),
        sd=float(numbers.std(ddof=0)),
        whole=bool((numbers % 1 == 0).all()),
    )


def _judged(column: Column, values: Series[Any], label: Series[Any], task: Task, rows: int) -> Column:
    """The column with the reason why the model should not see it, if there is one."""
    from dataclasses import replace

    reason = _useless(column, values, rows) or _leaks(column, values, label, task)
    values_kept = column.values[: MOST_CATEGORIES if not reason else 0]
    return replace(column, left_out=reason, values=values_kept)


def _useless(column: Column, values: Series[Any], rows: int) -> str:
    import pandas as pd

    present = round(rows * (1 - column.missing))
    if column.kind == "nothing":
        return "it is empty"
    if column.distinct == 1:
        return "it never changes"
    if column.kind == "time":
        return "it is a second timestamp; make features of it by hand if it helps"
    if column.kind == "text":
        if pd.to_datetime(values.dropna(), format="ISO8601", errors="coerce", utc=True).notna().all():
            return "it is a second timestamp; make features of it by hand if it helps"
        if column.distinct > MOST_CATEGORIES and column.distinct > present / 2:
            return "nearly every row has a value of its own"
    if column.kind == "number" and column.whole and column.distinct == present and present > 2:
        if column.high - column.low + 1 == present:
            return "it is a row number"
        if ID_NAME.search(column.name):
            return "it is an id: every row has its own"
    return ""


def _leaks(column: Column, values: Series[Any], label: Series[Any], task: Task) -> str:
    """Does this column give the label away? Then it is probably known only afterwards."""
    reason = "it gives the label away by itself, so it is probably known only afterwards"
    both = values.notna()
    if both.sum() < 10:
        return ""
    values, label = values[both], label[both]
    if task == "regression":
        numeric = column.kind == "number" and column.sd > 0
        return reason if numeric and abs(values.astype("float64").corr(label.astype("float64"))) > 0.9999 else ""
    if column.distinct <= label.nunique():
        pairs = len(set(zip(values.astype("str"), label.astype("str"), strict=True)))
        return reason if pairs == column.distinct == label.nunique() else ""
    if task == "binary" and column.kind == "number" and label.nunique() == 2:
        (_, one), (_, other) = values.astype("float64").groupby(label)
        apart = one.max() < other.min() or other.max() < one.min()
        return reason if apart and min(len(one), len(other)) >= 10 else ""
    return ""


def _key(frame: DataFrame, timestamp: str, entity: str | None, columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The columns that name a row: an id if there is one, else entity and timestamp, else the timestamp alone."""
    ids = [column.name for column in columns if column.distinct == len(frame) and ID_NAME.search(column.name)]
    if ids:
        return (ids[0],)
    natural = (entity, timestamp) if entity else (timestamp,)
    twice = frame.duplicated(list(natural), keep=False)
    if not twice.any():
        return natural
    if entity is None:
        return ()
    pair = frame.loc[twice, list(natural)].iloc[0].tolist()
    raise DataError(
        f"{int(twice.sum()):,} rows share '{entity}' and '{timestamp}' with another, e.g. {pair[0]!r} at {pair[1]}.",
        do="remove the duplicates, name the columns that tell such rows apart with --key, or leave --entity away.",
    )
