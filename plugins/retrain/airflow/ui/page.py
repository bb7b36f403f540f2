"""HTML, made by the server, escaped, complete in itself: no script, no font, no address of another host."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from retrain.markdown import shortened, visible

LONGEST = 2000
"""Characters of one text on a page, at most."""

STYLE = """
:root { color-scheme: light dark; --line: #d5dbe3; --soft: #f3f6f9; --good: #18794e; --bad: #c62a2f; --dim: #60646c;
        --ink: #1c2024; --paper: #fff; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --line: #363a41; --soft: #1f2329; --good: #4cc38a; --bad: #ff6369;
        --dim: #a0a6b1; --ink: #eceef1; --paper: #14171b; --accent: #6cb2ff; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; background: var(--paper); color: var(--ink); }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p.summary { font-size: 1.05rem; margin: .25rem 0 1rem; } .dim { color: var(--dim); }
a { color: var(--accent); } nav { margin-bottom: 1rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; min-width: 24rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; overflow-wrap: anywhere; max-width: 48rem;
        padding: .35rem .75rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; background: var(--soft); } tbody th { width: 12rem; }
thead + tbody td.number { text-align: right; } .good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
code, pre { font: .87em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: 1rem;
        overflow-x: auto; } tr.mine td { background: var(--soft); }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
GOOD = frozenset({"blessed", "passed", "promoted", "success", "done", "met"})
BAD = frozenset({"vetoed", "failed", "undecided", "rolled back", "rolled_back", "broken", "stale", "upstream_failed"})


def escape(said: str, *, longest: int = LONGEST) -> str:
    """Text of others as text of a page: nothing in it is HTML, or turns the reading direction, or is endless."""
    return html.escape(shortened(visible(said), longest))


def page(title: str, *parts: str) -> str:
    """A whole page. ``parts`` are HTML already; ``title`` is text."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>"
    )


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of text."""
    return f'<p class="{escape(kind)}">{escape(text)}</p>'


def link(text: str, href: str) -> str:
    """A link to another of our own pages, or to Airflow's."""
    return f'<a href="{html.escape(href, quote=True)}">{escape(text)}</a>'


def facts(values: Mapping[str, Any]) -> str:
    """Names and values, one a line."""
    rows = "".join(f"<tr><th>{escape(spoken(name))}</th>{cell(value)}</tr>" for name, value in values.items())
    return f'<div class="scroll"><table><tbody>{rows}</tbody></table></div>' if rows else ""


def table(rows: Sequence[Mapping[str, Any]], *, mine: Iterable[int] = ()) -> str:
    """A table with a column for every key. ``mine`` names the rows to mark."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    marked = set(mine)
    head = "".join(f"<th>{escape(spoken(name))}</th>" for name in columns)
    body = "".join(
        f"<tr{' class=mine' if index in marked else ''}>{''.join(cell(row.get(name)) for name in columns)}</tr>"
        for index, row in enumerate(rows)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def cell(value: Any) -> str:
    """One value in a table."""
    if isinstance(value, bool):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    if isinstance(value, float):
        return f'<td class="number">{value:.6g}</td>'
    if isinstance(value, str):
        kind = "good" if value in GOOD else "bad" if value in BAD else ""
        return f'<td class="{kind}">{escape(value)}</td>' if kind else f"<td>{escape(value)}</td>"
    return f"<td>{escape(text(value))}</td>"


def text(value: Any) -> str:
    """A value in words: lists joined, mappings as ``name value``."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{spoken(str(name))} {text(inner)}" for name, inner in value.items()) or "–"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(text(inner) for inner in value) or "–"
    return str(value)


def spoken(name: str) -> str:
    """A key as a reader would say it."""
    return name.replace("_", " ")


def source(value: str) -> str:
    """The raw JSON, for those who want it."""
    return f"<details><summary>As JSON</summary><pre>{escape(value, longest=len(value))}</pre></details>"
