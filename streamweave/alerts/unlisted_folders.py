"""Which shares hold folders that can't be listed: what stands in them is not seen, and not archived."""

from collections.abc import Iterable

from streamweave.alerts.condition import Condition, Findings, about_instrument
from streamweave.alerts.looks import Looks
from streamweave.catalog.tables import AlertKind, Scan
from streamweave.harvest.scan_record import FOLDERS_IN_A_SENTENCE, unlisted_sentence


def unlisted_folders(looks: Iterable[Looks]) -> Findings:
    """One condition for each share of which folders could not be listed for longer than the grace."""
    return Findings([condition for each in looks if (condition := _condition(each)) is not None])


def _condition(looks: Looks) -> Condition | None:
    last, earlier = looks.last_whole, looks.earlier_whole
    if not (_lacks_folders(last) and _lacks_folders(earlier)) or looks.saw_every_folder or last is None:
        return None
    told = unlisted_sentence(last.unreadable_folders, last.folders_not_listed)
    sentence = f"On the share of {looks.instrument.name} {told}"
    first = dict(sorted(last.folders_not_listed.items())[:FOLDERS_IN_A_SENTENCE])
    details = {"scan_id": str(last.id), "unreadable_folders": last.unreadable_folders, "first": first}
    return about_instrument(AlertKind.UNLISTED_FOLDERS, looks.instrument, sentence, details)


def _lacks_folders(scan: Scan | None) -> bool:
    return scan is not None and scan.unreadable_folders > 0
