"""What is over is not run again: after ^C, after kill -9, and by no second audit at once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from retrain.audit.claim import Claim
from retrain.audit.kept import keeping
from retrain.audit.pool import Batch, Done
from retrain.errors import UsageError

ONE = Claim("one", "canary", lambda _: 0.0, "at most", 0.5)
OF = {"source": "commit abc", "seed": 0}


def batch(first: int) -> Batch:
    return Batch(ONE, first, first + 2)


def test_what_came_of_a_batch_is_read_as_it_was(tmp_path: Path) -> None:
    page = tmp_path / "audit.md"
    done = Done((0.1 + 0.2, math.inf), 1.5)
    with keeping(page, OF) as kept:
        assert kept.get(batch(0)) is None
        kept.add(batch(0), done)
    with keeping(page, OF) as kept:
        assert kept.get(batch(0)) == done
        assert kept.get(batch(2)) is None
        kept.forget()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", [{**OF, "seed": 1}, {**OF, "source": "commit def"}])
def test_another_seed_or_commit_begins_anew(tmp_path: Path, other: dict[str, object]) -> None:
    page = tmp_path / "audit.md"
    with keeping(page, OF) as kept:
        kept.add(batch(0), Done((1.0,), 1.0))
    with keeping(page, other) as kept:
        assert kept.get(batch(0)) is None


def test_a_line_that_was_half_written_is_run_again(tmp_path: Path) -> None:
    page, file = tmp_path / "audit.md", tmp_path / "audit.md.runs"
    with keeping(page, OF) as kept:
        kept.add(batch(0), Done((1.0, 0.0), 1.0))
        kept.add(batch(2), Done((1.0, 1.0), 1.0))
    file.write_text(file.read_text()[:-5])
    with keeping(page, OF) as kept:
        assert kept.get(batch(0)) == Done((1.0, 0.0), 1.0)
        assert kept.get(batch(2)) is None
        kept.add(batch(2), Done((0.0, 0.0), 1.0))
    with keeping(page, OF) as kept:
        assert kept.get(batch(2)) == Done((0.0, 0.0), 1.0)


def test_what_broke_is_asked_again(tmp_path: Path) -> None:
    page = tmp_path / "audit.md"
    with keeping(page, OF) as kept:
        kept.add(batch(0), Done((1.0,), 1.0, broke="ZeroDivisionError"))
    with keeping(page, OF) as kept:
        assert kept.get(batch(0)) is None


def test_two_audits_do_not_write_one_page(tmp_path: Path) -> None:
    page = tmp_path / "audit.md"
    with keeping(page, OF), pytest.raises(UsageError, match="Another audit"), keeping(page, OF):
        pass


def test_a_page_that_cannot_be_written_is_refused_before_hours_of_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No page can be written"), keeping(tmp_path / "none" / "audit.md", OF):
        pass
