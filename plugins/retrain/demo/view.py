"""What the demo shows: a line for everything that is over, and on a terminal a moving line for what is not.

Both are the same story. Without a terminal the moving part is left out and nothing is coloured.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

Mark = Literal["success", "failed", "said"]
NARROWEST, WIDEST, WITHOUT_TERMINAL = 60, 120, 100
INDENT, NAME, SECONDS = 4, 18, 8
MARKS: dict[Mark, tuple[str, str]] = {"success": ("✓", "green"), "failed": ("✗", "red"), "said": ("→", "cyan")}


@dataclass(frozen=True)
class Step:
    """One thing the demo set out to show.

    :param seconds: wall time.
    """

    scenario: str
    name: str
    expected: str
    happened: str
    as_expected: bool
    seconds: float


class View:
    """Writes the story down; use it as a context.

    :param console: where to; None for this process's terminal, or its plain output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _console()
        self._quiet = False
        self._now = _Now()
        self._live = Live(self._now, console=self.console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        if self.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """In the block only titles and steps are told."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    @property
    def is_terminal(self) -> bool:
        """Does a person watch?"""
        return self.console.is_terminal

    # -- what is over ----------------------------------------------------------------------------------------

    def title(self, text: str) -> None:
        """A scenario begins."""
        self._print("")
        self._print(Text(text, style="bold"))

    def say(self, text: str) -> None:
        """A sentence of the story."""
        for line in [] if self._quiet else textwrap.wrap(text, self._width - 2):
            self._print(Text(f"  {line}", style="dim"))

    def line(self, mark: Mark, name: str, text: str, seconds: float | None = None, *, lines: int = 2) -> None:
        """Something is over: its name, what came of it, how long it took.

        :param lines: how many lines the text may have; what is beyond is cut.
        """
        if self._quiet:
            return
        sign, colour = MARKS[mark]
        took = "" if seconds is None else f"{seconds:.1f} s"
        told = self._wrapped(text, lines)
        first = Text.assemble("  ", (sign, colour), f" {name:<{NAME}} {told[0]}")
        if took:
            first.append(" " * max(1, self._width - first.cell_len - len(took)) + took)
        self._print(first)
        for further in told[1:]:
            self._print(" " * (INDENT + NAME + 1) + further)

    def step(self, step: Step) -> None:
        """A step is over: was it as expected?"""
        sign, colour = MARKS["success" if step.as_expected else "failed"]
        told = textwrap.wrap(f"{step.name}, {step.seconds:.1f} s: {step.happened}", self._width - INDENT)
        self._print(Text.assemble("  ", (sign, colour), " ", (told[0], "bold")))
        for further in told[1:]:
            self._print(Text(" " * INDENT + further, style="bold"))

    def summary(self, steps: Sequence[Step], seconds: float, places: Sequence[tuple[str, str]]) -> None:
        """The end: every step in one table, the wall time of it all, and where everything is."""
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold", expand=True)
        table.add_column("", width=1)
        table.add_column("step", width=NAME, no_wrap=True)
        table.add_column("expected", ratio=5)
        table.add_column("happened", ratio=7)
        table.add_column("seconds", justify="right", width=7)
        for step in steps:
            sign, colour = MARKS["success" if step.as_expected else "failed"]
            table.add_row(Text(sign, style=colour), step.name, step.expected, step.happened, f"{step.seconds:.1f}")
        good = sum(step.as_expected for step in steps)
        self._print("")
        self._print(table)
        self._print(Text(f"{good} of {len(steps)} steps went as expected; {seconds:.0f} s in all.", style="bold"))
        for name, where in places:
            self.console.print(Text.assemble((f"{name:<9}", "bold"), where), soft_wrap=True)

    # -- what is under way -----------------------------------------------------------------------------------

    def doing(self, name: str, text: str = "") -> None:
        """Something is under way. Says nothing without a terminal."""
        self._now.set(name, text)

    def traffic(self, text: str) -> None:
        """How the live traffic fares; empty if there is none."""
        self._now.traffic = text

    def rest(self) -> None:
        """Nothing is under way any more."""
        self._now.set("", "")
        self._now.traffic = ""
        self._live.stop()

    # -- inside ----------------------------------------------------------------------------------------------

    @property
    def _width(self) -> int:
        return self.console.width

    def _wrapped(self, text: str, lines: int) -> list[str]:
        width = self._width - INDENT - NAME - 1 - SECONDS - 1
        return textwrap.wrap(text, width, max_lines=lines, placeholder=" …") or [""]

    def _print(self, what: RenderableType) -> None:
        if self.is_terminal:
            self.console.print(what)
            return
        with self.console.capture() as captured:
            self.console.print(what)
        for line in captured.get().splitlines():
            self.console.file.write(line.rstrip() + "\n")
        self.console.file.flush()


class _Now:
    """The moving lines: what is under way, since when, and the live traffic."""

    def __init__(self) -> None:
        self.name = self.text = self.traffic = ""
        self.since = 0.0
        self._spinner = Spinner("dots")

    def set(self, name: str, text: str) -> None:
        if name != self.name:
            self.since = time.monotonic()
        self.name, self.text = name, text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.name:
            return
        row = Table.grid(padding=(0, 1, 0, 0), expand=True)
        row.add_column(width=3, justify="right")
        row.add_column(width=NAME, no_wrap=True)
        row.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        row.add_column(width=SECONDS - 1, justify="right", no_wrap=True)
        spinner = self._spinner.render(console.get_time())
        row.add_row(spinner, self.name, Text(self.text), f"{time.monotonic() - self.since:.0f} s")
        if self.traffic:
            row.add_row("", Text("traffic", style="dim"), Text(self.traffic, style="dim"), "")
        yield row


def _console() -> Console:
    """The terminal, not wider than is easy to read; or plain lines of a fixed width, without colours."""
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        return Console(highlight=False, markup=False, width=max(NARROWEST, min(console.width, WIDEST)))
    return Console(highlight=False, markup=False, width=WITHOUT_TERMINAL, color_system=None)
