"""``retrain check``: is a pipeline right? Without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retrain.commands._output import Json, console, escape, say, show_json
from retrain.commands._place import folder_of, open_site, pipelines
from retrain.errors import UsageError

if TYPE_CHECKING:
    from retrain.check import Finding

PANEL = "Start"


def check(
    name: Annotated[str | None, typer.Argument(help="The pipeline; all of them if none is named.")] = None,
    json: Json = False,
) -> None:
    """Check spec, files, data, features, suite, estimators, schedule and Dag; report every mistake at once."""
    from retrain.check import check as look

    settings = open_site().settings
    names = [name] if name is not None else pipelines(settings)
    if not names:
        raise UsageError("There is no pipeline to check.", where=settings.pipelines, do="make one with `retrain init`.")
    found = {each: look(folder_of(each, settings), settings) for each in names}
    if json:
        show_json({each: [vars(finding) for finding in findings] for each, findings in found.items()})
    else:
        for each, findings in found.items():
            _show(each, findings)
    if not all(finding.ok for findings in found.values() for finding in findings):
        raise typer.Exit(1)


def _show(name: str, findings: list[Finding]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, title=name, title_justify="left", title_style="bold")
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        table.add_row(mark, escape(finding.subject), escape(finding.what))
        if finding.where and not finding.ok:
            table.add_row("", "", escape(f"where: {finding.where}"))
        if finding.do:
            table.add_row("", "", escape(f"do: {finding.do}"))
    console().print(table)
    wrong = sum(not finding.ok for finding in findings)
    say(f"{wrong} of {len(findings)} checks failed." if wrong else f"All {len(findings)} checks passed.")
