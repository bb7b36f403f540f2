"""Segments: owned by one living process, whole lines only."""

from __future__ import annotations

import resource
import threading
from pathlib import Path

import pytest

from retrain.log.segment import Segment


def test_a_segment_whose_owner_lives_is_not_adopted(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path)
    segment.append(b"1\n")
    assert Segment.adopt(segment.path) is None
    segment.close()
    adopted = Segment.adopt(segment.path)
    assert adopted is not None
    assert adopted.read(0, 100) == b"1\n"
    assert Segment.adopt(segment.path) is None


def test_a_segment_is_adopted_by_one_only_and_never_after_its_end(tmp_path: Path) -> None:
    """A second adopter that opened the file before it was deleted must not ship it again."""
    segment = Segment.create(tmp_path)
    segment.append(b"1\n")
    segment.close()
    found: list[Segment] = []
    start = threading.Barrier(8)

    def adopt_and_finish() -> None:
        start.wait()
        if (adopted := Segment.adopt(segment.path)) is not None:
            found.append(adopted)
            adopted.remove()

    threads = [threading.Thread(target=adopt_and_finish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


@pytest.mark.parametrize("torn", [b"", b"2", b'{"id": "x"', b"x" * 200_000])
def test_a_torn_last_line_is_left_out(tmp_path: Path, torn: bytes) -> None:
    segment = Segment.create(tmp_path)
    segment.append(b"1\n2\n")
    segment.close()
    with segment.path.open("ab") as stream:
        stream.write(torn)
    adopted = Segment.adopt(segment.path)
    assert adopted is not None
    assert adopted.size == 4
    assert adopted.read(0, 1 << 20) == b"1\n2\n"


def test_a_file_without_a_whole_line_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"x" * 100_000)
    adopted = Segment.adopt(tmp_path / "a.jsonl")
    assert adopted is not None
    assert adopted.size == 0


def test_reading_never_cuts_a_line(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path)
    segment.append(b"1234567890\n" * 10 + b"x" * 500 + b"\n")
    assert segment.read(0, 25) == b"1234567890\n" * 2
    assert segment.read(110, 25) == b"x" * 500 + b"\n"
    assert segment.read(611, 25) == b""


def test_a_full_disk_leaves_no_half_line_behind(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path)
    segment.append(b"first\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # the kernel itself writes only a part of what follows
    try:
        with pytest.raises(OSError, match=r"bytes|too large"):
            segment.append(b"second\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert segment.path.read_bytes() == b"first\n"
    segment.append(b"third\n")
    assert segment.path.read_bytes() == b"first\nthird\n"
