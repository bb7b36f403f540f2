"""Labels: which rows have one, whether it fits the task, and where the holdout begins."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Part, Snapshot
from retrain.data.frames import load_parts
from retrain.errors import DataError
from retrain.site import Site
from retrain.spec import FILE, Spec
from retrain.spec.durations import spell

if TYPE_CHECKING:
    from pandas import DataFrame, Series

LABEL, TIME, ENTITY, ROW = "__label__", "__time__", "__entity__", "__row__"


@dataclass(frozen=True)
class LabelledRows:
    """The usable rows of a snapshot, in the order of time.

    :param known: label, time and entity of each row, and its position in the snapshot.
    :param cut: the position of the first held-out row among them.
    """

    known: DataFrame
    cut: int

    def __len__(self) -> int:
        return len(self.known)

    def by_part(self, parts: Iterable[Part]) -> Iterator[tuple[Part, DataFrame]]:
        """Each part that has some, with what is known of them; their position is that in the part."""
        first = 0
        for part in parts:
            begin, end = self.known[ROW].searchsorted([first, first + part.rows])
            if begin < end:
                known = self.known.iloc[begin:end].reset_index(drop=True)
                yield part, known.assign(**{ROW: known[ROW] - first})
            first += part.rows


def labelled_rows(spec: Spec, snapshot: Snapshot, site: Site) -> LabelledRows:
    """The rows whose label is known, split by time at (newest of them - holdout).

    What is decided over all rows (the type of the label, its classes, the split) is decided here, on the few columns
    that it takes.

    :raises DataError: there are none, their label does not fit the task, or one side of the split has one class only.
    """
    import pandas as pd

    from retrain.model.rows import TEXT

    source = spec.source
    frame = load_parts(site, snapshot.parts, _columns(spec, snapshot))
    label = _label(spec, snapshot, frame)
    settled = frame[source.timestamp] < snapshot.end - source.label_delay
    usable = label.notna() & settled
    if not usable.any():
        raise DataError(
            f"No row of pipeline '{spec.name}' can be trained on: of {len(frame):,} rows, {label.isna().sum():,} have "
            f"no label and {(~settled).sum():,} are newer than source.label_delay ({spell(source.label_delay)}) "
            "allows.",
            where=snapshot.path(spec.name, snapshot.key),
            do="check `source.label` and its expression; or take a longer window.",
        )
    positions = usable.to_numpy().nonzero()[0]
    frame = frame[usable].reset_index(drop=True)
    label = _fitting(spec, label[usable].reset_index(drop=True))
    entity = _text(frame[source.entity]) if source.entity else pd.Series(pd.NA, index=frame.index, dtype=TEXT)
    known = pd.DataFrame({LABEL: label, TIME: frame[source.timestamp], ENTITY: entity, ROW: positions})
    cut = int((known[TIME] < known[TIME].max() - spec.train.holdout).sum())
    _refuse_poor_split(spec, known, cut)
    return LabelledRows(known, cut)


def known_labels(spec: Spec, snapshot: Snapshot, frame: DataFrame) -> Series[Any]:
    """The label of each of some rows of a snapshot; null where it is not known yet.

    :raises DataError: the label cannot be read.
    """
    settled = frame[spec.source.timestamp] < snapshot.end - spec.source.label_delay
    return _label(spec, snapshot, frame).where(settled)


def _columns(spec: Spec, snapshot: Snapshot) -> list[str]:
    """The columns that say when a row happened, whom it is about and what came of it."""
    source = spec.source
    wanted = {source.timestamp, source.entity, *source.label_columns}
    return [name for name in snapshot.columns if name in wanted]


def _label(spec: Spec, snapshot: Snapshot, frame: DataFrame) -> Series[Any]:
    """The label of each row; null where a column it is read from is null."""
    import pandas as pd

    source = spec.source
    if not source.label_expression:
        return frame[source.label]
    columns = sorted(source.label_columns - {source.label} | (source.label_columns & set(frame.columns)))
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        near = difflib.get_close_matches(missing[0], list(snapshot.columns), n=1)
        raise DataError(
            f"The label of pipeline '{spec.name}' is read from column '{missing[0]}', which the data does not have."
            + (f" Did you mean '{near[0]}'?" if near else f" It has: {', '.join(snapshot.columns)}."),
            where=spec.folder / FILE,
            do="correct `source.label_expression`.",
        )
    try:
        label = frame.eval(source.label_expression, engine="python")
    except Exception as error:  # whatever the expression makes pandas raise
        raise _no_label(spec, f"{type(error).__name__}: {error}") from error
    if not isinstance(label, pd.Series) or len(label) != len(frame):
        raise _no_label(spec, f"it gives {type(label).__name__}, not a value for each row")
    return label.where(frame[columns].notna().all(axis=1))


def _no_label(spec: Spec, why: str) -> DataError:
    return DataError(
        f"The label of pipeline '{spec.name}' cannot be computed by `{spec.source.label_expression}`: {why}.",
        where=spec.folder / FILE,
        do="correct `source.label_expression`; it is evaluated by pandas' DataFrame.eval.",
    )


def _fitting(spec: Spec, label: Series[Any]) -> Series[Any]:
    """The labels in the one type that fits the task: numbers to regress on; truth values, integers or text else."""
    import numpy as np
    import pandas as pd

    from retrain.model.rows import TEXT

    kind = pd.api.types.infer_dtype(label, skipna=False)
    if spec.task == "regression":
        if kind not in {"integer", "floating", "mixed-integer-float", "decimal"}:
            raise _misfit(spec, f"a regression needs numbers, and these are {kind}, e.g. {_shown(label.iloc[0])}")
        numbers = label.astype("float64")
        if not np.isfinite(numbers).all():
            raise _misfit(spec, f"{(~np.isfinite(numbers)).sum():,} are infinite")
        return numbers
    if kind in {"integer", "floating", "mixed-integer-float"}:
        if not (label.astype("float64") % 1 == 0).all():
            raise _misfit(spec, f"classes cannot be fractions, e.g. {_shown(label[label % 1 != 0].iloc[0])}")
        label = label.astype("int64")
    elif kind in {"boolean", "string"}:
        label = label.astype("bool" if kind == "boolean" else TEXT)
    else:
        raise _misfit(spec, f"classes must be text, integers or truth values, and these are {kind}")
    if spec.task == "binary" and label.nunique() > 2:
        some = ", ".join(map(_shown, label.drop_duplicates().head(5)))
        raise _misfit(spec, f"a binary task has two classes, and these are {label.nunique():,}: {some} …")
    return label


def _misfit(spec: Spec, why: str) -> DataError:
    return DataError(
        f"The label of pipeline '{spec.name}' (`{spec.source.label_expression or spec.source.label}`) does not fit "
        f"its task, {spec.task}: {why}.",
        where=spec.folder / FILE,
        do="correct `source.label`, `source.label_expression` or `task`.",
    )


def _refuse_poor_split(spec: Spec, known: DataFrame, cut: int) -> None:
    """Refuse a split of which a part cannot teach or judge anything."""
    first, last = known[TIME].iloc[0], known[TIME].iloc[-1]
    if cut == 0:
        raise DataError(
            f"Pipeline '{spec.name}' has nothing to train on: its labelled rows lie between {first:%Y-%m-%d %H:%M} and "
            f"{last:%Y-%m-%d %H:%M} UTC, and all of that is held out (train.holdout {spell(spec.train.holdout)}).",
            where=spec.folder / FILE,
            do="take a longer `source.window`, bring more history, or hold out less.",
        )
    if spec.task == "regression":
        return
    parts = {"training rows": known[LABEL].iloc[:cut], "held-out rows": known[LABEL].iloc[cut:]}
    for part, labels in parts.items():
        if labels.nunique() < 2:
            raise DataError(
                f"The label of pipeline '{spec.name}' has one class only in the {len(labels):,} {part}: "
                f"{_shown(labels.iloc[0])}. There is nothing to learn or to judge.",
                where=spec.folder / FILE,
                do="check `source.label` and its expression, the join that brings the outcome, and whether the "
                "window and `train.holdout` are long enough.",
            )
    unknown = sorted(set(parts["held-out rows"]) - set(parts["training rows"]))
    if unknown:
        raise DataError(
            f"The held-out rows of pipeline '{spec.name}' have a class that no training row has: {_shown(unknown[0])}.",
            where=spec.folder / FILE,
            do="take a longer `source.window`, or wait until the class is part of the training rows.",
        )


def classes(spec: Spec, label: Series[Any]) -> tuple[str, ...]:
    """The classes in order, as JSON would have them as keys; the second of two is the positive one."""
    if spec.task == "regression":
        return ()
    found = sorted(label.unique().tolist())
    return tuple(value if isinstance(value, str) else json.dumps(value) for value in found)


def _text(column: Series[Any]) -> Series[Any]:
    """Entities as text; whole numbers that became floats beside a null are whole numbers again."""
    from retrain.model.rows import TEXT

    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype(TEXT)


def _shown(value: Any) -> str:
    """A value as Python writes it, whether numpy holds it or not."""
    return repr(value.item() if hasattr(value, "item") else value)
