"""Text of others is harmless, whatever it is; judged by a real Markdown renderer."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hostile import DANGEROUS, HOSTILE, LINKED, rendered
from retrain.markdown import LONGEST, inert, plain, unlinked, visible

PIECES = st.sampled_from(
    [*HOSTILE[:26], "http", "://", "www", ".", "@", "\\", "`", "_", "a", " ", "\n", "|", "!", "[", "]("]
)


def harmless(text: str) -> None:
    kinds, shown = rendered(inert(text))
    assert kinds <= {"paragraph_open", "inline", "paragraph_close", "text", "text_special"}, kinds
    assert not LINKED.search(shown)
    assert shown == unlinked(plain(text)) or len(inert(text)) > LONGEST - 10
    assert len(inert(text)) <= LONGEST
    kinds, _ = rendered(f"**{inert(text)}.**\n\n| a | b |\n|---|---|\n| {inert(text)} | end |\n")
    assert not DANGEROUS & kinds
    assert "table_open" in kinds


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_only_text(text: str) -> None:
    harmless(text)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=8).map("".join)))
@example("&lt;")
@example("_a_")
@example("é_a_é")
def test_any_text_is_only_text(text: str) -> None:
    harmless(text)


@pytest.mark.parametrize(
    "text",
    [
        "error_rate 0.1 (n=20)",
        "version 3 blessed: log_loss 0.52 < 0.61",
        "p - q; a+b = c, 12.5 % #3",
        "0.45",
        "-0.25 of 3",
        "#3 is late",
        "Müller & Co.",
    ],
)
def test_ordinary_text_reads_as_before(text: str) -> None:
    assert rendered(inert(text))[1] == text
    assert inert(text).replace("&lt;", "<") == text, "and nearly so where nothing renders it"


def test_the_advice_of_a_long_error_is_kept() -> None:
    said = inert(f"Column {'x' * 5000} is missing. Where: somewhere. What to do: bring it back.")
    assert said.startswith("Column xxx")
    assert said.endswith("What to do: bring it back.")
    assert len(said) <= LONGEST
    assert " … " in said


def test_lines_stay_where_they_may() -> None:
    assert visible("a\x1b[2J\n\tb\x07\u202e\rc") == "a\n\tb c"
    assert plain("a\x1b[2J\n\tb") == "a b"
