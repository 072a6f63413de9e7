"""The supply of a run: what it claims ahead of those who copy, and what it still holds of that."""

import uuid
from collections.abc import Callable, Collection, Iterable
from datetime import date

from streamweave.catalog.tables import Instrument
from streamweave.facility import Facility
from streamweave.harvest.agenda import Agenda
from streamweave.harvest.claims import Claim, claim_transfers, give_back

CLAIMED_AT_ONCE = 2_000
CLAIMED_AT_MOST = 10_000
"""More is claimed when fewer than ``CLAIMED_AT_ONCE`` small files or no large one waits for a reader, up to so many."""


class Supply:
    """Claims due transfers of an instrument, or of some acquisition days of it, and puts them on the agenda.

    ``held`` are the claims that nothing was handed over of yet, by their ids. What is still on an agenda that somebody
    has closed will not be begun: the next ``refill`` gives it back.
    """

    def __init__(
        self,
        facility: Facility,
        instrument: Instrument,
        run_id: uuid.UUID,
        days: Collection[date] | None,
        agenda: Agenda,
    ) -> None:
        self.held: dict[uuid.UUID, Claim] = {}
        self._facility = facility
        self._instrument = instrument
        self._run_id = run_id
        self._days = days
        self._agenda = agenda
        self._is_exhausted = False

    def refill(self, into: Collection[uuid.UUID], under_way: int) -> None:
        """Claim for these storage locations as much as there is room for.

        Once there was nothing more, what has become due meanwhile is asked for in the end only: when nothing is held,
        and of what was handed over nothing is ``under_way``.
        """
        if self._agenda.is_closed:
            self.withdraw()
        elif into and self._has_room(under_way):
            claims = claim_transfers(
                self._facility, self._instrument, self._run_id, into=into, limit=CLAIMED_AT_ONCE, days=self._days
            )
            self.held |= {claim.claim_id: claim for claim in claims}
            self._is_exhausted = len(claims) < CLAIMED_AT_ONCE
            self._agenda.add(claims)

    def _has_room(self, under_way: int) -> bool:
        if self._is_exhausted:
            return not self.held and not under_way
        small, large = self._agenda.waiting()
        return (small < CLAIMED_AT_ONCE or not large) and len(self.held) <= CLAIMED_AT_MOST - CLAIMED_AT_ONCE

    def hand_over(self, claims: Iterable[Claim]) -> None:
        """These are handed over: what becomes of them is somebody else's business."""
        for claim in claims:
            del self.held[claim.claim_id]

    def end(self) -> None:
        """Nothing more is begun. What is under way is finished: half a file is of no use."""
        self._agenda.close()
        self.withdraw()

    def withdraw(self, which: Callable[[Claim], bool] = lambda _: True) -> None:
        """Give back those that nobody has begun with."""
        claims = self._agenda.withdraw(which)
        if claims:
            give_back(self._facility, claims)
            self.hand_over(claims)

    def give_back_all(self) -> None:
        """Give everything back, be it begun or not: the run is over."""
        give_back(self._facility, self.held.values())
