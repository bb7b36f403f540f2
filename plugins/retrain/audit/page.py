"""What was measured, as text: a table's cells, JSON, and a page of Markdown that says of what and when."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import retrain
from retrain.audit.claim import Claim
from retrain.audit.measured import Measured
from retrain.audit.suite import SECTIONS
from retrain.errors import UsageError

TITLES = ("claim", "stated", "measured", "±", "runs", "verdict")

HEAD = """\
# Our claims, measured

Written by `make audit`: {of}, {at:%Y-%m-%d}, seed {seed}, {hours}.

Every figure comes of runs of the shipped code. ± is one standard error; a claim holds if what is measured is as good as
what is stated, or off by two of them at most. `retrain audit` measures all of it on your machine.

**{holding} of {all} claims hold.**
"""


def cells(one: Measured) -> tuple[str, str, str, str, str, str]:
    """A row of the table."""
    sign = "≤" if one.claim.holds == "at most" else "≥"
    return (
        one.claim.name,
        f"{sign} {_figure(one.claim, one.claim.stated)}",
        _figure(one.claim, one.figure),
        _figure(one.claim, one.error) if math.isfinite(one.error) else "",
        f"{one.runs:,}",
        one.verdict if one.broke is None else f"{one.verdict}: {one.broke}",
    )


def _figure(claim: Claim, value: float) -> str:
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "never"
    if claim.measure == "share":
        return f"{value:.1%}".replace("%", " %")
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plain(one: Measured) -> dict[str, Any]:
    """The same for a program; what is not a finite number is null."""
    return {
        "section": one.claim.section,
        "claim": one.claim.name,
        "measure": one.claim.measure,
        "sense": one.claim.holds,
        "stated": one.claim.stated,
        "measured": one.figure if math.isfinite(one.figure) else None,
        "standard_error": one.error if math.isfinite(one.error) else None,
        "never": math.isinf(one.figure),
        "runs": one.runs,
        "seconds": round(one.seconds, 1),
        "verdict": one.verdict,
        "broke": one.broke,
    }


def by_section(found: Sequence[Measured]) -> Iterator[tuple[str, list[Measured]]]:
    """What was measured under each heading that has something."""
    for section in SECTIONS:
        if mine := [one for one in found if one.claim.section == section]:
            yield section, mine


def markdown(found: Sequence[Measured], *, of: str, at: datetime, seed: int) -> str:
    """The whole page.

    :param of: what was measured: a release and its commit.
    """
    hours = f"{sum(one.seconds for one in found) / 3600:.1f} hours of one core"
    holding = sum(one.verdict == "holds" for one in found)
    lines = [HEAD.format(of=of, at=at, seed=seed, hours=hours, holding=holding, all=len(found))]
    for section, mine in by_section(found):
        lines += [
            f"## {section[0].upper()}{section[1:]}",
            "",
            _line(TITLES),
            "| --- | ---: | ---: | ---: | ---: | --- |",
        ]
        lines += [_line([_marked(cell) for cell in cells(one)]) for one in mine]
        lines.append("")
    return "\n".join(lines)


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def _marked(cell: str) -> str:
    return cell if cell == "holds" or not cell.startswith(("does not", "broke")) else f"**{cell}**"


def source() -> str:
    """What is measured: the release, and the commit of a working tree.

    :raises UsageError: the working tree holds changes that no commit has, so nobody could measure the same.
    """
    package = Path(retrain.__file__).parent
    commit = _git(package, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return f"airflow-retrain {retrain.__version__}"
    if _git(package, "status", "--porcelain", "--", "."):
        raise UsageError(
            "The page is not written: what would be measured is in no commit.",
            where=package,
            do="commit or stash the changes; without --out all is measured and printed as it stands.",
        )
    return f"airflow-retrain {retrain.__version__}, commit {commit}"


def _git(where: Path, *command: str) -> str | None:
    """What Git says; None where there is no Git, or no working tree of this package."""
    try:
        said = subprocess.run(["git", "-C", str(where), *command], capture_output=True, text=True, check=True)
        tracked = subprocess.run(["git", "-C", str(where), "ls-files", "--", "__init__.py"], capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip() if tracked.stdout else None
