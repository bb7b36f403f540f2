"""``retrain serve``: the gateway."""

from __future__ import annotations

from typing import Annotated

import typer

PANEL = "Run"


def serve(
    names: Annotated[list[str] | None, typer.Argument(help="The pipelines; all of them if none is named.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8600,
) -> None:
    """Answer predictions over HTTP, following the ledger. Stays until it is stopped."""
    from retrain.serving.server import serve as listen
    from retrain.settings import Settings

    listen(Settings.load(), names or [], host, port)
