"""Requested sweeps: some copies of one storage location are re-read because somebody wants to know about them now."""

from dataclasses import dataclass
from datetime import datetime

from streamweave.catalog.tables import StorageLocation, SweepKind
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.fixity.conclusions import conclude
from streamweave.fixity.rereading import ArchivedCopy
from streamweave.fixity.sweeping import Sweep
from streamweave.fixity.turns import damaged_copies


@dataclass(frozen=True, slots=True)
class Answer:
    """What is on record of a copy since ``at``: its ``damage``, if any; ``held`` if its location is held by now."""

    at: datetime
    damage: str | None
    held: str | None


class RequestedSweep:
    """A sweep that is told copy by copy what to re-read. Begins when it is made; ``end`` it."""

    def __init__(self, facility: Facility, location: StorageLocation) -> None:
        self._facility = facility
        self._location = location
        self._sweep = Sweep(facility, location, SweepKind.COMPLETE)

    def reread(self, copy: ArchivedCopy) -> Answer:
        """Re-read a copy, and put on record what is found.

        Raises a ``StorageError`` when it is the location that can't be read; it is not tried again then, as each try
        takes long.
        """
        report = self._sweep.report
        if report.trouble is not None:
            raise report.trouble
        try:
            [finding], at = self._sweep.reread([copy])
        except StorageError as error:
            report.trouble = error
            raise
        return Answer(at, finding.found, report.held or None)

    def end(self) -> None:
        """Conclude as a nightly sweep does, if damage was found: what was known before is read once more first."""
        report = self._sweep.report
        found = report.damaged_files > 0
        if found and not report.trouble:
            self._sweep.run(iter(lambda: self._sweep.ask(damaged_copies), []))
        self._sweep.end()
        if found and not report.trouble and not report.held:
            conclude(self._facility, self._location)
