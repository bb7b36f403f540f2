"""``make bench``: every benchmark, each a ratio against a named peer measured in the same run.

``make bench ARGS="parse rollback"`` runs those only. Medians of several runs; the machine may be noisy, so the
smallest and the largest stand beside them. ``make bench ARGS=--short`` goes every way once, so that no benchmark rots;
its figures mean little. The status is 1 if something could not be measured, or what is measured went wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from measure import Figure
from rich.console import Console
from rich.table import Table

BENCHMARKS = ("canary", "parse", "rollback", "serving", "overhead", "page")
LONG = ("verdict",)
"""Those that take half an hour are run if they are named, or in short."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*BENCHMARKS, *LONG, []], help="which ones; default: all but the long ones"
    )
    parser.add_argument("--short", action="store_true", help="few runs, small sizes: does every benchmark work?")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    figures: list[Figure] = []
    failed: list[str] = []
    for name in arguments.names or (*BENCHMARKS, *(LONG if arguments.short else ())):
        begin = time.monotonic()
        try:
            figures += __import__(name).measure(short=arguments.short)
        except Exception:
            console.print_exception()
            failed.append(name)
        console.print(f"[dim]{name}: {time.monotonic() - begin:.0f} s[/]")
    console.print(table(figures, short=arguments.short))
    if arguments.json:
        arguments.json.write_text(json.dumps([figure.__dict__ for figure in figures], indent=2))
    if failed:
        console.print(f"[red]failed: {', '.join(failed)}[/]")
    return 1 if failed else 0


def table(figures: list[Figure], *, short: bool) -> Table:
    """All figures, one a row."""
    title = "airflow-retrain: benchmarks" + (", in short: every way once, the figures mean little" if short else "")
    shown = Table(title=title, title_justify="left", expand=False)
    for heading in ("what", "median", "min – max", "goal", "beside it, in the same run"):
        shown.add_column(heading, overflow="fold")
    for figure in figures:
        span = f"{figure.low:.3g} – {figure.high:.3g}"
        shown.add_row(figure.what, f"{figure.median:.3g} {figure.unit}", span, figure.goal, figure.peer)
    return shown


if __name__ == "__main__":
    sys.exit(main())
