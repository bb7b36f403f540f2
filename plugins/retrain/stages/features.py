"""Features: turn the raw columns of labelled rows into numbers, by the pipeline's own function.

The function runs chunk by chunk here and row by row in the gateway; :mod:`~retrain.data.parity` proves on every run
that both come to the same numbers. Each part of the snapshot becomes one part of the feature set, which is named by
everything it is made of: the parts that two snapshots share are made once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from retrain.artifacts import (
    FeaturePart,
    FeatureSet,
    FileRef,
    Part,
    Request,
    Snapshot,
    Validation,
    digest_file,
    identity,
)
from retrain.artifacts.code import imported
from retrain.data.feature_function import RESERVED, compute, load_function
from retrain.data.frames import as_typed, keep_once, load_parts, scratch, write_frame
from retrain.data.labels import LABEL, ROW, TIME, LabelledRows, classes, labelled_rows
from retrain.data.parity import Drawn, not_row_wise, positions, prove_row_wise
from retrain.site import Site
from retrain.spec import Spec
from retrain.spec.durations import spell
from retrain.stages.validate import require_valid

if TYPE_CHECKING:
    from pandas import DataFrame

    from retrain.data.feature_function import Function

CHUNK = 200_000


def features(spec: Spec, request: Request, snapshot: Snapshot, validation: Validation, site: Site) -> FeatureSet:
    """Make the feature set of a valid snapshot.

    :raises ValidationFailed: the snapshot is not valid.
    :raises DataError: no row has a label, the label does not fit the task, or one side of the split has one class
        only.
    :raises FeatureError: the feature function fails, returns something else than a number for each row and feature,
        or is not row-wise.
    """
    require_valid(spec, request, validation, site)
    code = spec.code_digest()
    key = identity(
        "features",
        snapshot=snapshot.key,
        validation=validation.key,
        source=spec.fragment("source"),
        task=spec.task,
        features=spec.features,
        code=code,
        holdout=spell(spec.train.holdout),
        seed=spec.train.seed,
    )
    feature_set = site.once(FeatureSet, spec.name, key, lambda: _make(spec, site, key, snapshot, validation, code))
    site.ledger(spec.name).record_stage("features", feature_set, request)
    return feature_set


def _make(spec: Spec, site: Site, key: str, snapshot: Snapshot, validation: Validation, code: str) -> FeatureSet:
    function = load_function(spec, code)
    rows = labelled_rows(spec, snapshot, site)
    parts, drawn = _make_parts(spec, site, function, snapshot, rows, code)
    proved = prove_row_wise(spec, function, drawn)
    return FeatureSet(
        key=key,
        pipeline=spec.name,
        snapshot=snapshot.ref(),
        validation=validation.ref(),
        parts=tuple(parts),
        train_rows=rows.cut,
        holdout_rows=len(rows) - rows.cut,
        split_at=rows.known[TIME].iloc[-1].to_pydatetime() - spec.train.holdout,
        features=tuple(drawn.features.columns),
        inputs=tuple(drawn.raw.columns),
        classes=classes(spec, rows.known[LABEL]),
        code=code,
        parity_rows=proved,
    )


def _make_parts(
    spec: Spec, site: Site, function: Function, snapshot: Snapshot, rows: LabelledRows, code: str
) -> tuple[list[FeaturePart], Drawn]:
    """The parts, and the rows among all of them that are to be proved."""
    work = {"code": code, "libraries": _libraries(spec)}
    sample, begin = positions(len(rows), spec.train.seed), 0
    parts: list[FeaturePart] = []
    drawn: list[Drawn] = []
    for part, known in rows.by_part(snapshot.parts):
        key = _part_key(spec, snapshot, part, known, work)
        raw, names = _inputs(spec, site, snapshot, part, known)
        data = _found(spec, site, key) or _make_part(spec, site, key, _pieces(spec, function, raw, names, known))
        parts.append(FeaturePart(start=part.start, end=part.end, data=data, source=part.data))
        chosen = sample[(sample >= begin) & (sample < begin + len(known))] - begin
        made = load_parts(site, parts[-1:]).drop(columns=list(RESERVED)).iloc[chosen]
        drawn.append(Drawn(raw.iloc[chosen], names.iloc[chosen], made))
        _refuse_other_columns(spec, drawn[0].features.columns, made.columns)
        begin += len(known)
    return parts, Drawn.below(drawn)


# -- one part --------------------------------------------------------------------------------------------------


def _libraries(spec: Spec) -> dict[str, str]:
    """The packages whose work the features are, too: those that the feature file imports, and those that call it."""
    called = {name: version(name) for name in ("numpy", "pandas")}
    return called | imported(spec.feature_file.read_text(encoding="utf-8"))


def _part_key(spec: Spec, snapshot: Snapshot, part: Part, known: DataFrame, work: dict[str, Any]) -> str:
    """The name of a part of the features: everything that goes into it.

    :param known: of its usable rows. What the spec says of labels, their delay and their type shows in it.
    :param work: the code that makes it.
    """
    with scratch() as folder:
        write_frame(folder / "known.parquet", known)
        labels = digest_file(folder / "known.parquet")
    return identity(
        "feature part",
        rows=part.data.sha256,
        labels=labels,
        inputs=[[name, snapshot.columns[name]] for name in spec.source.input_columns(snapshot.columns)],
        features=spec.features,
        **work,
    )


def _inputs(spec: Spec, site: Site, snapshot: Snapshot, part: Part, known: DataFrame) -> tuple[DataFrame, DataFrame]:
    """What the function sees of a part's usable rows, with the dtypes of the whole snapshot; and what names them."""
    raw = list(spec.source.input_columns(snapshot.columns))
    names = list(spec.source.row_key or (spec.source.timestamp,))
    frame = as_typed(load_parts(site, [part], list(dict.fromkeys(raw + names))), snapshot.columns)
    usable = frame.iloc[known[ROW]].reset_index(drop=True)
    return usable[raw], usable[names]


def _found(spec: Spec, site: Site, key: str) -> FileRef | None:
    """A part that was made before, if it still lies in the store."""
    path = _record(spec, key)
    if not site.store.exists(path):
        return None
    found = FileRef.model_validate_json(site.store.get(path))
    return found if site.store.exists(found.path) else None


def _make_part(spec: Spec, site: Site, key: str, pieces: Iterator[DataFrame]) -> FileRef:
    made = keep_once(site, f"{spec.name}/data/features", pieces)
    site.store.put(_record(spec, key), made.model_dump_json().encode())
    return made


def _record(spec: Spec, key: str) -> str:
    return f"{spec.name}/data/features/{key}.json"


def _pieces(spec: Spec, function: Function, raw: DataFrame, names: DataFrame, known: DataFrame) -> Iterator[DataFrame]:
    """Features of some rows, chunk by chunk, with what is known of each row."""
    import pandas as pd

    first: list[str] | None = None
    for begin in range(0, len(raw), CHUNK):
        chunk = slice(begin, begin + CHUNK)
        piece = compute(spec, function, raw.iloc[chunk].reset_index(drop=True), names.iloc[chunk])
        first = first or list(piece.columns)
        _refuse_other_columns(spec, first, piece.columns)
        yield pd.concat([piece, known.iloc[chunk].reset_index(drop=True)], axis=1)


def _refuse_other_columns(spec: Spec, first: Iterable[str], columns: Iterable[str]) -> None:
    if list(columns) != list(first):
        only = sorted(set(columns) ^ set(first)) or ["their order"]
        raise not_row_wise(spec, f"its columns depend on the rows it is given ({', '.join(only[:5])})")
