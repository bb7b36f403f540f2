"""Who answers: champion or challenger, by a hash, so that one entity always sees one model."""

from __future__ import annotations

import hashlib
from typing import Any

from retrain.ledger.release import Release


def unit(salt: str, name: str) -> float:
    """A number in [0, 1) that looks random over names and is always the same for one salt and one name.

    The first 53 bits of BLAKE2b, as many as a float holds exactly.
    """
    hashed = hashlib.blake2b(f"{salt}\0{name}".encode(), digest_size=8).digest()
    return (int.from_bytes(hashed, "big") >> 11) / (1 << 53)


def goes_to_challenger(release: Release, name: str) -> bool:
    """Is this entity (or, for a row without one, this request) in the challenger's share?

    The salt is the challenger's model digest: a larger share only adds entities, and another challenger gets other
    entities.
    """
    if release.challenger is None or release.share <= 0:
        return False
    return unit(release.challenger.model.digest, name) < release.share


def is_shadowed(release: Release, request_id: str) -> bool:
    """Is this request also put to the challenger, unheard?"""
    if release.challenger is None or release.shadow <= 0:
        return False
    return unit(f"shadow {release.challenger.model.digest}", request_id) < release.shadow


def entity_name(value: Any) -> str | None:
    """An entity's value as text, the same however JSON spelled it: ``12``, ``12.0`` and ``"12"`` are one entity.

    None for a missing value, and for values that name nobody (lists, objects).
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if value != value:
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) and value else None
