"""The beginning of a long list of which only some rows pass a filter.

Whether to walk the list in order until enough rows pass, or to begin with all that pass, is a guess for the planner. It
knows how many they are, but not where: looking for a month long ago, it would walk past everything that came since. So
the list is walked for a stretch only. What isn't found by then is found by the filter's own index, and sorted.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam
from sqlalchemy.orm import Session

from streamweave.pages import Place, Values

STRETCH = 10_000  # rows, which are walked in a few milliseconds

Ids = Select[tuple[uuid.UUID]]


@dataclass(frozen=True, slots=True)
class FilteredList:
    """The statements that ask for the first rows that pass: written once for lists of a kind, and asked with values.

    ``end`` asks where the stretch ends, ``within`` walks it, ``short`` walks a list that ends before, and ``every``
    collects all that pass.
    """

    end: Select[Any]
    within: Ids
    short: Ids
    every: Ids

    def first(self, session: Session, values: Values) -> Sequence[uuid.UUID]:
        """The ids of the first rows that pass, in order."""
        horizon = session.scalar(self.end, {**values, "stretch": STRETCH})
        if horizon is None:
            return session.scalars(self.short, values).all()
        found = session.scalars(self.within, {**values, "horizon": horizon}).all()
        return found if len(found) == values["page_rows"] else session.scalars(self.every, values).all()


def filtered_list(
    passing: Select[Any], whole: Select[Any], place: Place, *, walked: Select[Any] | None = None
) -> FilteredList:
    """How to find the first rows of ``passing`` from ``place`` on.

    ``passing`` is ``whole``, which an index has in the place's order, with filters. ``walked`` is the same as
    ``passing``, in words that suit a walk, if others do.
    """
    ids = (passing if walked is None else walked).with_only_columns(place.order.id)
    horizon = bindparam("horizon", type_=place.order.key.type)
    return FilteredList(
        end=end_of(whole, place, "stretch"),
        within=place.applied(ids.where(place.order.before(horizon))),
        short=place.applied(ids),
        every=first_of_every(passing, place),
    )


def end_of(rows: Select[Any], place: Place, after: str) -> Select[Any]:
    """The key of the row that comes ``after`` so many others, which is a parameter; nothing where there are fewer."""
    keys = place.in_order(place.beyond(rows.with_only_columns(place.order.key.label("key"))))
    return keys.limit(1).offset(bindparam(after))


def first_of_every(passing: Select[Any], place: Place) -> Ids:
    """The ids of the first rows of ``passing``, by collecting all that pass first."""
    keyed = passing.with_only_columns(place.order.id.label("id"), place.order.key.label("key"))
    return place.first_of(place.beyond(keyed).cte("every").prefix_with("MATERIALIZED"))
