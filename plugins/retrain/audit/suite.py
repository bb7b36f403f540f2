"""Every claim there is: those of each file of this folder that states some, section by section."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import get_args

from retrain import audit
from retrain.audit.claim import Claim, Section
from retrain.errors import UsageError

SECTIONS: tuple[Section, ...] = get_args(Section)
"""In the order in which they are shown."""


@cache
def claims() -> tuple[Claim, ...]:
    """All of them, by section, as their files state them."""
    modules = [import_module(f"{audit.__name__}.{found.name}") for found in pkgutil.iter_modules(audit.__path__)]
    stated: list[Claim] = [claim for module in modules for claim in getattr(module, "CLAIMS", ())]
    return tuple(sorted(stated, key=lambda claim: SECTIONS.index(claim.section)))


def chosen(text: str) -> tuple[Claim, ...]:
    """The claims whose section and name hold a text, in whatever case.

    :raises UsageError: none does.
    """
    found = tuple(claim for claim in claims() if text.casefold() in f"{claim.section}: {claim.name}".casefold())
    if not found:
        raise UsageError(f"No claim speaks of '{text}'.", do="name part of a claim as `retrain audit` prints it.")
    return found


def named(section: str, name: str) -> Claim:
    """One claim, as another process of ours names it."""
    return next(claim for claim in claims() if (claim.section, claim.name) == (section, name))
