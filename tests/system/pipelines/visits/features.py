"""Features of one visit."""

from pandas import DataFrame


def build(frame: DataFrame) -> DataFrame:
    """Row by row."""
    return DataFrame({"pages": frame["pages"], "late": (frame["hour"] >= 12).astype(int)})
