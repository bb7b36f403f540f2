"""Names that whoever writes the data may write into it, and what a real Markdown renderer makes of text."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

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

DANGEROUS = frozenset({"link_open", "image", "html_inline", "html_block", "code_inline", "heading_open", "em_open"})


def rendered(markdown: str) -> tuple[set[str], str]:
    """The kinds of tokens a renderer finds, and the text it shows."""
    reader = MarkdownIt("gfm-like")
    reader.linkify.set({"fuzzy_link": False})
    tokens = reader.parse(markdown)
    inside = [child for token in tokens for child in token.children or ()]
    return {token.type for token in [*tokens, *inside]}, "".join(child.content for child in inside)
