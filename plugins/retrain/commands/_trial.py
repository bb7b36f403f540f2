"""What ``retrain status`` says of a release under way, by the looks that its driver keeps."""

from __future__ import annotations

from collections.abc import Iterator

from retrain.commands._place import open_site

ENDS = {"pause": "then it is paused", "rollback": "then it is rolled back"}


def trial_lines(pipeline: str) -> Iterator[tuple[str, str]]:
    """What was seen last, until when, and whether anybody looks; nothing where nothing is under way."""
    from retrain.rollout.looks import trial_story, unwatched

    story = trial_story(pipeline, open_site())
    if story is None or story.ended is not None:
        return
    if story.looked_at is not None:
        yield "last look", f"{story.looked_at:%Y-%m-%d %H:%M:%S} UTC: {story.summary}"
    if story.patience_ends is not None and story.on_patience is not None:
        yield "patience", f"until {story.patience_ends:%Y-%m-%d %H:%M} UTC; {ENDS[story.on_patience]}"
    if (alone := unwatched(pipeline, story)) is not None:
        yield "unwatched", alone
