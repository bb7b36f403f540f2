"""What ``pipeline.yaml`` says, read again only when the file is another."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from retrain.artifacts import now
from retrain.errors import SpecError
from retrain.site import Site
from retrain.spec import FILE, Spec

MOST = 1024
"""So many files, and so many schedules, are kept."""

_specs: dict[Path, tuple[tuple[int, int, int], Spec]] = {}
_next: dict[str, tuple[datetime, datetime | None]] = {}


def spec_of(pipeline: str, site: Site) -> tuple[Spec | None, str | None]:
    """What ``pipeline.yaml`` says, or why it cannot be read. An API server, say, need not have it.

    A mistake is looked for anew each time: it may lie in a package that the file names.
    """
    folder = site.settings.pipelines / pipeline
    try:
        found = (folder / FILE).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, f"{FILE} cannot be read: {error.strerror}. Where: {folder / FILE}."
    stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
    known = _specs.get(folder)
    if known is not None and known[0] == stamp:
        return known[1], None
    try:
        spec = Spec.load(folder)
    except SpecError as error:
        return None, str(error)
    except OSError as error:
        return None, f"{FILE} cannot be read: {error.strerror}. Where: {folder / FILE}."
    if len(_specs) >= MOST:
        _specs.clear()
    _specs[folder] = stamp, spec
    return spec, None


def next_run(schedule: str | None) -> datetime | None:
    """When a schedule comes next; None by hand, or if it cannot be read."""
    if schedule is None:
        return None
    moment, known = now(), _next.get(schedule)
    if known is not None and known[0] <= moment and (known[1] is None or moment < known[1]):
        return known[1]
    if len(_next) >= MOST:
        _next.clear()
    _next[schedule] = moment, _following(schedule, moment)
    return _next[schedule][1]


def _following(schedule: str, moment: datetime) -> datetime | None:
    from croniter import CroniterError, croniter  # type: ignore[import-untyped]

    try:
        found: datetime = croniter(schedule, moment).get_next(datetime)
    except CroniterError:
        return None
    return found
