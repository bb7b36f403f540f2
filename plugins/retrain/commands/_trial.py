"""What ``retrain status`` says of a release under way, by the looks that its driver keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrain.rollout.looks import TrialStory

ENDS = {"pause": "then it is paused", "rollback": "then it is rolled back"}


def trial_lines(pipeline: str, story: TrialStory | None) -> Iterator[tuple[str, str]]:
    """What was seen last, until when, and whether anybody looks; nothing where nothing is under way."""
    from retrain.rollout.looks import unwatched
    from retrain.words import moment, second

    if story is None or story.ended is not None:
        return
    if story.looked_at is not None:
        yield "last look", f"{second(story.looked_at)}: {story.summary}"
    if story.patience_ends is not None and story.on_patience is not None:
        yield "patience", f"until {moment(story.patience_ends)}; {ENDS[story.on_patience]}"
    if (alone := unwatched(pipeline, story)) is not None:
        yield "unwatched", alone
