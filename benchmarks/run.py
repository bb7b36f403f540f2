"""``make bench``: every benchmark, each a ratio against a named peer measured in the same run.

``make bench ARGS="parse rollback"`` runs those only. Medians of several runs; the machine may be noisy, so the
smallest and the largest stand beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from measure import Figure
from rich.console import Console
from rich.table import Table

BENCHMARKS = ("parse", "rollback", "serving", "overhead")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which ones; default: all")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    figures: list[Figure] = []
    for name in arguments.names or BENCHMARKS:
        console.print(f"[dim]measuring {name} …[/]")
        figures += __import__(name).measure()
    console.print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps([figure.__dict__ for figure in figures], indent=2))
    return 0


def table(figures: list[Figure]) -> Table:
    """All figures, one a row."""
    shown = Table(title="airflow-retrain: benchmarks", title_justify="left", expand=False)
    for heading in ("what", "median", "min – max", "goal", "beside it, in the same run"):
        shown.add_column(heading, overflow="fold")
    for figure in figures:
        span = f"{figure.low:.3g} – {figure.high:.3g}"
        shown.add_row(figure.what, f"{figure.median:.3g} {figure.unit}", span, figure.goal, figure.peer)
    return shown


if __name__ == "__main__":
    sys.exit(main())
