"""Names as an enemy would choose them, for whatever shows what data and people say."""

from __future__ import annotations

HOSTILE = {
    "Markdown": "![x](http://evil.example/pixel)",
    "HTML": "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "ANSI": "\x1b[2J\x1b]0;owned\x07\x1b[31mred",
    "right to left": "safe\u202egpj.exe\u2066\u200f",
    "10 kB": "long " * 2048,
    "NUL": "be\x00fore",
    "lines": "one\r\ntwo\u2028three\x0b",
    "markup": "[bold]not bold[/bold] [link=http://evil.example]x[/link]",
    "formula": "=cmd|' /C calc'!A0",
}
