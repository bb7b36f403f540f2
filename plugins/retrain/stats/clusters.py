"""Entities as a fixed number of buckets, so that clustered variance needs bounded memory.

Entities that share a bucket make one larger cluster; clusters of independent clusters are independent,
so the variance stays right (the random groups method, Wolter, "Introduction to Variance Estimation").
"""

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

BUCKETS = 4096


def bucket(clusters: ArrayLike) -> NDArray[np.int64]:
    """Return the bucket, 0 to BUCKETS - 1, of each entity id, shape (n,); the same in every process.

    :param clusters: integers, or anything whose `str()` names the entity.
    """
    ids = np.asarray(clusters)
    if ids.dtype.kind in "iu":
        mixed = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing
        return (mixed >> np.uint64(52)).astype(np.int64)
    return np.array([zlib.crc32(str(one).encode()) % BUCKETS for one in ids], dtype=np.int64)
