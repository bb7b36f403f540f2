"""Where a command works: the site, the pipeline it names, and who types."""

from __future__ import annotations

import difflib
import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from retrain.commands._output import say
from retrain.errors import UsageError

if TYPE_CHECKING:
    from retrain.ledger import Ledger
    from retrain.remote import Airflow
    from retrain.settings import Settings
    from retrain.site import Site
    from retrain.spec import Spec

FILE = "pipeline.yaml"


def airflow() -> Airflow | None:
    """The Airflow through which everything is looked at and steered; None: the store is reached from here."""
    from retrain import remote

    address = os.environ.get(remote.URL)
    return remote.Airflow(address) if address else None


def open_site() -> Site:
    """The site of the settings in force."""
    from retrain.site import Site

    return Site()


def actor() -> str:
    """Who types, as the ledger names them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return f"cli:uid-{os.getuid()}"


def pipelines(settings: Settings) -> list[str]:
    """The names of every pipeline folder, sorted."""
    return sorted(file.parent.name for file in settings.pipelines.glob(f"*/{FILE}"))


def folder_of(name: str, settings: Settings) -> Path:
    """The folder of a pipeline. Raises :class:`~retrain.errors.UsageError` if there is none."""
    folder = settings.pipelines / name
    if "/" in name or name in {"", ".", ".."} or not folder.is_dir():
        raise unknown(name, settings)
    return folder


def open_spec(name: str, site: Site) -> Spec:
    """The spec of a pipeline."""
    from retrain.spec import Spec

    return Spec.load(folder_of(name, site.settings))


def open_ledger(name: str, site: Site) -> Ledger:
    """The ledger of a pipeline, which need not have a folder any more."""
    if "/" in name or name in {"", ".", ".."}:
        raise unknown(name, site.settings)
    ledger = site.ledger(name)
    if not (site.settings.pipelines / name / FILE).is_file() and not _begun(ledger, site):
        raise unknown(name, site.settings)
    return ledger


def _begun(ledger: Ledger, site: Site) -> bool:
    return site.store.exists(ledger.path(1))


def follow(ledger: Ledger, site: Site) -> bool:
    """Let target and aliases follow a decision that is written and printed already; slow, and allowed to fail.

    :return: whether all of them follow.
    """
    import logging

    from retrain.rollout.routing import reconcile

    logging.getLogger("retrain.tracking.aliases").addHandler(logging.NullHandler())
    problems = reconcile(ledger.pipeline, site)
    for problem in problems:
        say(f"Note: {problem}", err=True)
    return not problems


def unknown(name: str, settings: Settings) -> UsageError:
    """The error for a pipeline nobody knows."""
    known = pipelines(settings)
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        do = f"did you mean `{near[0]}`?"
    elif known:
        do = f"name one of: {', '.join(known)}."
    else:
        do = "make one with `retrain init NAME --from FILE --label COL --timestamp COL`, or set RETRAIN_PIPELINES."
    return UsageError(f"There is no pipeline '{name}'.", where=settings.pipelines, do=do)


def moment(text: str, option: str) -> datetime:
    """A moment as ISO 8601 writes it; without a zone it is UTC; ``now`` is now."""
    if text.strip().lower() == "now":
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{option} is '{text}', which is no moment.", do="write it like 2024-04-13 or 2024-04-13T07:00:00Z."
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
