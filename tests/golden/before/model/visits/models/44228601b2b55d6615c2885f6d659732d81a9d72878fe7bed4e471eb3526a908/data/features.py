"""Features of one visit."""

from pandas import DataFrame


def build(frame: DataFrame) -> DataFrame:
    """Row by row."""
    if (frame["pages"] > 1000).any():
        raise ValueError("more than 1000 pages")
    return DataFrame({"pages": frame["pages"], "late": (frame["hour"] >= 12).astype(int)})
