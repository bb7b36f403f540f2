"""``retrain demo``: the whole story on real data."""

from __future__ import annotations

from typing import Annotated

import typer

PANEL = "Start"

SCENARIOS = "first-model, retraining, bad-data, bad-model, bad-release, rollback"


def demo(
    once: Annotated[bool, typer.Option("--once", help="Leave when done; status 0 only if all went as told.")] = False,
    scenario: Annotated[str | None, typer.Option(help=f"Only one of: {SCENARIOS}.")] = None,
) -> None:
    """Watch a real Airflow retrain, judge and release a model; refuse a bad one; roll a bad one back."""
    from retrain.demo.story import main

    raise typer.Exit(main(once=once, scenario=scenario))
