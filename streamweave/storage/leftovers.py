"""Leftovers: staged files that no transfer under way is writing. Interrupted runs leave them behind."""

from collections.abc import Callable, Container
from typing import NamedTuple

from streamweave.storage.base import Storage


class Leftovers(NamedTuple):
    """Staged names. ``early`` ones are from when all catalogs shared one staging area: they may belong to another."""

    own: list[str]
    early: list[str]


def find_leftovers(storage: Storage, names_under_way: Callable[[], Container[str]]) -> Leftovers:
    """All staged files but those under way, whose names are asked for last: a file is claimed before it is staged."""
    own, early = storage.staged_names(), storage.early_staged_names()
    under_way = names_under_way()
    return Leftovers(*([name for name in names if name not in under_way] for names in (own, early)))


def discard_leftovers(storage: Storage, leftovers: Leftovers) -> int:
    """Remove these; returns how many they are."""
    for name in leftovers.own:
        storage.discard(name)
    for name in leftovers.early:
        storage.discard_early(name)
    return len(leftovers.own) + len(leftovers.early)
