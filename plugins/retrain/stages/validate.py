"""Validate: the snapshot against the pipeline's Great Expectations suite; rows that break it go to quarantine.

The suite is applied to the whole window and, where the spec asks for it, to the newest stretch alone. One check is
built in: no two rows share the row key. A failed suite is a result, with its evidence in the store;
:func:`require_valid` turns it into an error.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from retrain.artifacts import FileRef, Request, Snapshot, Validation, canonical, digest_file, identity
from retrain.artifacts.validation import REASON
from retrain.data.expectations import Finding, judge, read_suite, row_key_unique
from retrain.data.frames import keep_frame, load_parts, scratch
from retrain.errors import ValidationFailed
from retrain.site import Site
from retrain.spec import Spec

if TYPE_CHECKING:
    from pandas import DataFrame


def validate(spec: Spec, request: Request, snapshot: Snapshot, site: Site) -> Validation:
    """Apply the suite. The result may be a failure: see :func:`require_valid`.

    :raises SpecError: the suite cannot be read, or one of its expectations makes no sense.
    """
    key = identity(
        "validation",
        snapshot=snapshot.key,
        validate=spec.fragment("validate"),
        row_key=spec.source.row_key,
        suite=_suite_digest(spec),
        great_expectations=version("great-expectations"),
    )
    validation = site.once(Validation, spec.name, key, lambda: _make(spec, site, key, snapshot))
    site.ledger(spec.name).record_stage("validate", validation, request)
    return validation


def require_valid(spec: Spec, _request: Request, validation: Validation, _site: Site) -> None:
    """Stop here unless the data met its expectations.

    :raises ValidationFailed: names the broken expectations, how many rows broke them, and where those rows are.
    """
    failed = [result for result in validation.results if not result.success]
    if not failed:
        return
    shown = "; ".join(
        f"{r.expectation}{f'({r.column})' if r.column else ''}{' in the newest rows' if r.scope == 'last' else ''}: "
        f"{r.message or r.observed}"
        for r in failed[:5]
    )
    more = f"; and {len(failed) - 5} more" if len(failed) > 5 else ""
    bad = validation.quarantine
    raise ValidationFailed(
        f"{len(failed)} of {len(validation.results)} expectations of pipeline '{spec.name}' are broken by "
        f"{validation.rows:,} rows. {shown}{more}.",
        where=f"{bad.path} ({bad.rows:,} rows, each with its {REASON})" if bad else f"suite {spec.suite_file}",
        do="nothing was trained and the champion still serves. Mend the data at its source and run again; if the data "
        f"is right, change {spec.suite_file.name}.",
    )


def _make(spec: Spec, site: Site, key: str, snapshot: Snapshot) -> Validation:
    frame = load_parts(site, snapshot.parts)
    expectations = read_suite(spec)
    findings = judge(expectations, frame, "window") + row_key_unique(spec, frame)
    if spec.validate_.last is not None:
        newest = frame[frame[spec.source.timestamp] >= snapshot.newest - spec.validate_.last]
        findings += judge(expectations, newest, "last")
    folder = f"{spec.name}/data/validation/{key}"
    return Validation(
        key=key,
        pipeline=spec.name,
        snapshot=snapshot.ref(),
        success=all(finding.result.success for finding in findings),
        rows=len(frame),
        results=tuple(finding.result for finding in findings),
        quarantine=_quarantine(site, f"{folder}/quarantine.parquet", frame, findings),
        evidence=_keep_evidence(site, f"{folder}/evidence.json", findings),
    )


def _suite_digest(spec: Spec) -> str:
    spec.require_file(spec.suite_file, "validate.expectations", "a Great Expectations suite")
    return digest_file(spec.suite_file)


def _quarantine(site: Site, path: str, frame: DataFrame, findings: list[Finding]) -> FileRef | None:
    """Every row that broke a failed expectation, with all its reasons."""
    reasons: dict[int, dict[str, None]] = {}
    for finding in findings:
        for row in finding.rows:
            reasons.setdefault(row, {})[finding.reason] = None
    if not reasons:
        return None
    rows = sorted(reasons)
    return keep_frame(site, path, frame.loc[rows].assign(**{REASON: ["; ".join(reasons[row]) for row in rows]}))


def _keep_evidence(site: Site, path: str, findings: list[Finding]) -> FileRef:
    with scratch() as folder:
        file = folder / "evidence.json"
        file.write_bytes(canonical({"results": [finding.evidence for finding in findings]}))
        return site.keep(path, file)
