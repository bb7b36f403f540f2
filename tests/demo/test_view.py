"""The view: plain lines without a terminal, the same story with one, and nothing wider than it may be."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from retrain.demo.view import Step, View

LONG = "brier 0.1554 against the champion's 0.1591: shown to be better by at least 0.0005; " * 6
STEPS = [
    Step("first-model", "first model", "blessed without a champion", "version 1 blessed", True, 61.25),
    Step(
        "bad-data", "delays in seconds", "validation stops the run", "NOT AS EXPECTED: version 2 was trained", False, 9
    ),
]


def tell(view: View) -> None:
    with view:
        view.title("1  First model")
        view.say("A loader that timed out was started again and landed 8% of the rows twice. " * 3)
        view.doing("data.collect", "reading")
        view.line("success", "data.collect", "80,687 rows", 5.04)
        view.doing("model.train")
        view.traffic("300 requests/s")
        view.line("failed", "data.validate", LONG, 12.3)
        view.line("said", "canary at 10%", "", None)
        view.step(STEPS[0])
        view.summary(
            STEPS, 225.6, [("Airflow", "http://127.0.0.1:8080  (login admin / secret)"), ("log", "/a/" + "b" * 200)]
        )


def told(width: int, *, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, highlight=False, legacy_windows=False)
    if not terminal:
        console = Console(file=stream, width=width, color_system=None, highlight=False)
    tell(View(console))
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 100, 120])
def test_plain_lines(width: int) -> None:
    text = told(width, terminal=False)
    assert "\x1b" not in text
    assert "\r" not in text
    lines = text.splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert all(len(line) <= width for line in lines if "bbb" not in line)
    assert "300 requests/s" not in text  # what moves is for terminals
    assert "reading" not in text


def test_what_is_over_is_told() -> None:
    lines = told(100, terminal=False).splitlines()
    assert f"{'  ✓ data.collect       80,687 rows':<95}5.0 s" in lines
    failed = next(n for n, line in enumerate(lines) if "data.validate" in line)
    assert lines[failed].startswith("  ✗ data.validate      brier 0.1554")
    assert lines[failed].endswith("12.3 s")
    assert lines[failed + 1].startswith(" " * 23)
    assert lines[failed + 1].endswith("…")
    assert lines[failed + 2] == "  → canary at 10%"
    assert "  ✓ first model, 61.2 s: version 1 blessed" in lines


def test_summary_holds_every_step_and_place_whole() -> None:
    text = told(100, terminal=False)
    words = " ".join(text.split())
    assert "NOT AS EXPECTED" in words
    assert "1 of 2 steps went as expected; 226 s in all." in words
    assert "/a/" + "b" * 200 in text  # an address can be copied: it is not broken
    rows = [line for line in text.splitlines() if line.startswith(("✓", "✗"))]
    assert [row[0] for row in rows] == ["✓", "✗"]
    assert rows[0].split()[-1] == "61.2"


def test_terminal_has_colours_and_ends_clean() -> None:
    text = told(100, terminal=True)
    assert "\x1b[32m✓" in text
    assert text.rstrip().endswith("\x1b[?25h") or text.count("\x1b[?25l") == text.count("\x1b[?25h")


def test_what_is_under_way_is_shown_on_a_terminal() -> None:
    stream = io.StringIO()
    view = View(Console(file=stream, width=100, force_terminal=True, highlight=False))
    with view:
        view.doing("model.train", "best of 3")
        view.traffic("300 requests/s")
        deadline = time.monotonic() + 10
        while "300 requests/s" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
    assert "model.train" in stream.getvalue()
    assert "300 requests/s" in stream.getvalue()


def test_name_of_any_length_and_markup_are_shown_as_they_are() -> None:
    stream = io.StringIO()
    view = View(Console(file=stream, width=80, color_system=None))
    with view:
        view.line("success", "a.very.long.name.of.a.task", "[bold]not markup[/bold] {x} $HOME", 1)
    assert "[bold]not markup[/bold] {x} $HOME" in stream.getvalue()
