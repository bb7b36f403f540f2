"""What our documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCUMENTS = ("docs/architecture.md", "docs/extending.md", "docs/operations.md", "CONTRIBUTING.md", "README.md")
PATH = re.compile(r"(?<![\w./:*{<$-])((?:[\w<>-]+/)+(?:[\w<>-]+(?:\.\w+)?)?|[\w<>]+\.(?:py|md|toml))(?![\w/:*{-])")
LINK = re.compile(r"\]\(([^)#:]+)(#[\w-]+)?\)")
TITLE = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
WOULD_BE = frozenset(
    {
        "gates/equal_rates.py",
        "sources/sqlite.py",
        "targets/fleet.py",
        "commands/versions.py",
        "alerts/journal.py",
        "serving/protocols/lines.py",
        "stages/weigh.py",
        "airflow/operators/weigh.py",
    }
)
"""Where examples would lie if they became ours."""


def code_of(text: str) -> str:
    """What stands in backticks or in a picture; fenced examples name files of somebody else's."""
    text = FENCED.sub("", text)
    pictures = [line for line in text.splitlines() if line.startswith("    ")]
    return "\n".join([*re.findall(r"`([^`\n]+)`", text), *pictures])


def is_there(named: str, root: Path) -> bool:
    """As seen from the repository or from the package; ``<name>`` stands for anything."""
    pattern = re.sub(r"<\w+>", "*", named).rstrip("/")
    return any(root.glob(pattern)) or any((root / "plugins").rglob(pattern))


@pytest.mark.parametrize("document", ["docs/architecture.md", "docs/extending.md", "CONTRIBUTING.md"])
def test_every_path_a_document_names_is_there(document: str, root: Path) -> None:
    named = set(PATH.findall(code_of((root / document).read_text(encoding="utf-8"))))
    assert len(named) >= 4
    assert {path for path in named - WOULD_BE if not is_there(path, root)} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str, root: Path) -> None:
    for target, title in LINK.findall((root / document).read_text(encoding="utf-8")):
        file = (root / document).parent / target
        assert file.exists(), target
        if title:
            assert title[1:] in titles(file), title


def test_the_table_of_extensions_links_to_their_sections(root: Path) -> None:
    text = (root / "docs/extending.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(#([\w-]+)\)", text)
    assert linked
    assert set(linked) <= titles(root / "docs/extending.md")


def titles(file: Path) -> set[str]:
    """The sections of a document, as links name them."""
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in TITLE.findall(file.read_text())}
