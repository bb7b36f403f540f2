"""Who answers: champion or challenger, by a hash, so that one entity always sees one model."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from retrain.ledger.release import Release, Served


def unit(salt: str, name: str) -> float:
    """A number in [0, 1) that looks random over names and is always the same for one salt and one name.

    The first 53 bits of BLAKE2b, as many as a float holds exactly.
    """
    hashed = hashlib.blake2b(f"{salt}\0{name}".encode(), digest_size=8).digest()
    return (int.from_bytes(hashed, "big") >> 11) / (1 << 53)


def goes_to_challenger(release: Release, name: str) -> bool:
    """Is this entity in the challenger's share?

    The salt is the trial's own: a larger share only adds entities, another trial draws others, also of the same model,
    and nobody can choose a name by the arm it gets.
    """
    if release.challenger is None or release.share <= 0:
        return False
    return unit(_salt(release, release.challenger), name) < release.share


def tossed(release: Release) -> bool:
    """Is a row that names no entity in the challenger's share? A coin of its own: a caller's id could be chosen."""
    return goes_to_challenger(release, secrets.token_hex(8))


def is_shadowed(release: Release, request_id: str) -> bool:
    """Is this request also put to the challenger, unheard?"""
    if release.challenger is None or release.shadow <= 0:
        return False
    return unit(f"shadow {_salt(release, release.challenger)}", request_id) < release.shadow


def _salt(release: Release, challenger: Served) -> str:
    """What the trial drew; trials of earlier versions of this package went by the model's digest."""
    return release.salt or challenger.model.digest


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
