"""Features of one visit."""

from pandas import DataFrame


def build(frame: DataFrame) -> DataFrame:
    """Row by row."""
    return DataFrame({"pages": frame["pages"], "evening": (frame["hour"] >= 18).astype(int)})
