"""Text of others is harmless, whatever it is; judged by a real Markdown renderer."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from retrain.markdown import LONGEST, inert, plain, unlinked, visible

# What remark-gfm, with which Airflow renders, makes links of in text that is already unescaped.
LINKED = re.compile(r"https?://[-.\w]+|www\.[-.\w]+|[-.\w+]+@[-\w]+(\.[-\w]+)+", re.IGNORECASE)
HOSTILE = [
    "![x](http://evil.example/p.png)",
    "![x][y]",
    "[x]: http://evil.example 'y'",
    "[click](javascript:alert(1))",
    "<http://evil.example>",
    "http://evil.example",
    "HTTPS://evil.example/a_b?c=d",
    "www.evil.example",
    "mail someone@evil.example now",
    "<img src=http://evil.example onerror=alert(1)>",
    "<script>alert(1)</script>",
    "&lt;b&gt; &#60;img&#62; &amp;",
    "# heading",
    "- item",
    "1. item",
    "2) item",
    "> quote",
    "=====",
    "    code",
    "`code` ``code``",
    "a\n\n| x |\n|---|\n| y |",
    "**bold** _it_ __b__ ~~gone~~ ***",
    "a\\![x](y)",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200e\u200f",
    "nul\x00nul \ud800",
    "x" * 10_000,
    "<" * 10_000,
    "\u2028line\u2029\x85\r\n\tend",
]
PIECES = st.sampled_from(
    [*HOSTILE[:26], "http", "://", "www", ".", "@", "\\", "`", "_", "a", " ", "\n", "|", "!", "[", "]("]
)


def rendered(markdown: str) -> tuple[set[str], str]:
    """The kinds of tokens a renderer finds, and the text it shows."""
    reader = MarkdownIt("gfm-like")
    reader.linkify.set({"fuzzy_link": False})
    tokens = reader.parse(markdown)
    inside = [child for token in tokens for child in token.children or ()]
    return {token.type for token in [*tokens, *inside]}, "".join(child.content for child in inside)


def harmless(text: str) -> None:
    kinds, shown = rendered(inert(text))
    assert kinds <= {"paragraph_open", "inline", "paragraph_close", "text", "text_special"}, kinds
    assert not LINKED.search(shown)
    assert shown == unlinked(plain(text)) or len(inert(text)) > LONGEST - 10
    assert len(inert(text)) <= LONGEST
    kinds, _ = rendered(f"**{inert(text)}.**\n\n| a | b |\n|---|---|\n| {inert(text)} | end |\n")
    assert not {"link_open", "image", "html_inline", "html_block", "code_inline", "heading_open", "em_open"} & kinds
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
    ["error_rate 0.1 (n=20)", "version 3 blessed: log_loss 0.52 < 0.61", "p - q; a+b = c, 12.5 % #3", "Müller & Co."],
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
