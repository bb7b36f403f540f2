"""Text of others, made harmless: for Markdown of ours, for terminals and logs, for whoever reads an alert.

Names come from the data, and whoever writes the data may write anything into them. Airflow renders notes and approval
bodies as GitHub's Markdown, where an image is fetched before anybody clicks, and a terminal obeys what it is sent.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 1000
"""Characters of one text, at most: a note of Airflow's has room for no more."""

ADVICE = "What to do:"
"""Where the end of an error begins that is never cut off: see :class:`retrain.errors.RetrainError`."""

JOINER = "\u2060"
"""Has no width and is no part of an address: put into one, it is no longer taken for a link."""

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|\x9b[0-?]*[@-~]"
)
_ADDRESSES = re.compile(r"(?<=http:)(?=//)|(?<=https:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=[-\w])", re.IGNORECASE)
_MARKUP = re.compile(
    r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])"
    r"|^(?:[=>]|[-+:](?=[-+:\s]|$)|#(?=[#\s]|$)|\d+(?=[.)](?:\s|$)))"
)
_ENTITIES = re.compile(r"&(?=#?\w+;)")


def plain(text: str, longest: int = LONGEST) -> str:
    """One line without anything that steers a terminal, turns the reading direction or cannot be seen.

    :param longest: characters, at most; what is longer is left out in the middle.
    """
    return shortened(" ".join(visible(text).split()), longest)


def visible(text: str) -> str:
    """Text as it is, but for escape sequences, control characters and marks that turn the reading direction.

    Lines stay, and so do the joiners that some scripts are written with.
    """
    return "".join(_shown(letter) for letter in _SEQUENCES.sub("", text))


def _shown(letter: str) -> str:
    if letter in "\n\t\u200c\u200d" or unicodedata.category(letter) not in {"Cc", "Cf", "Cs"}:
        return letter
    return " " if letter.isspace() else ""


def unlinked(text: str) -> str:
    """Text whose addresses look as they are, and are taken for links by nobody."""
    return _ADDRESSES.sub(JOINER, text)


def inert(text: str, longest: int = LONGEST) -> str:
    """Text as Markdown that says just this: it stays in its line and its table cell, and is no link and no markup.

    Not for use between code ticks, where Markdown knows no escapes.

    :param longest: characters of the Markdown, at most; what is longer is left out in the middle.
    """
    line, room = plain(text, longest), longest
    while len(escaped := _escaped(shortened(line, room))) > longest:
        room = min(room - 1, room * longest // len(escaped))
    return escaped


def _escaped(line: str) -> str:
    escaped = _MARKUP.sub(lambda found: found[0] + "\\" if found[0].isdigit() else "\\" + found[0], line)
    return unlinked(_ENTITIES.sub("&amp;", escaped).replace("<", "&lt;"))


def shortened(text: str, longest: int) -> str:
    """Text with its middle left out if it is too long. What to do stands at the end of our errors and is kept."""
    if len(text) <= longest:
        return text
    if longest < 3:
        return text[: max(longest, 0)]
    tail = (longest - 3) // 3
    advice = text.rfind(ADVICE)
    if advice >= 0:
        tail = min(max(tail, len(text) - advice), (longest - 3) * 2 // 3)
    return f"{text[: longest - 3 - tail]} … {text[len(text) - tail :]}"
