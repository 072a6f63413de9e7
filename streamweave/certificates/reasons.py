"""Why a file must stay at the source, in a word and in a sentence. Pure."""

from datetime import timedelta
from enum import StrEnum

from streamweave.fixity.quota import INTERVAL

LOOK_WITHIN = timedelta(days=1)
"""A complete look that ended longer ago says nothing about today."""
REREAD_WITHIN = INTERVAL
"""A copy that was last re-read longer ago than the nightly sweeps promise may have been damaged since."""


class Reason(StrEnum):
    """Why a file must stay. The order is that in which people should read them."""

    NEVER_ARCHIVED = "never_archived"
    NOT_FINISHED = "not_finished"
    NOT_DECIDED = "not_decided"
    COPY_PENDING = "copy_pending"
    COPY_FAILED = "copy_failed"
    UNFINISHED = "unfinished"
    WITH_RESERVATION = "with_reservation"
    NO_DESTINATION = "no_destination"
    LOCATION_DISABLED = "location_disabled"
    LOCATION_HELD = "location_held"
    NO_COPY = "no_copy"
    LOCATION_NOT_THERE = "location_not_there"
    LOCATION_UNREACHABLE = "location_unreachable"
    COPY_MISSING = "copy_missing"
    COPY_SIZE_DIFFERS = "copy_size_differs"
    COPY_MODIFIED = "copy_modified"
    COPY_NOT_SEEN = "copy_not_seen"
    COPY_DAMAGED = "copy_damaged"
    COPY_NOT_PROVEN = "copy_not_proven"
    NOT_REREAD = "not_reread"
    NO_COMPLETE_LOOK = "no_complete_look"
    LOOK_TOO_OLD = "look_too_old"
    OTHER_ADDRESS = "other_address"
    SHARE_DOUBTED = "share_doubted"
    FOLDER_NOT_LISTED = "folder_not_listed"
    NOT_SEEN_SINCE = "not_seen_since"
    SOURCE_NOT_REREAD = "source_not_reread"
    SOURCE_DIFFERS = "source_differs"
    ARCHIVE_NOT_REREAD = "archive_not_reread"


SENTENCES = {
    Reason.NEVER_ARCHIVED: "was never archived, and won't be as things stand",
    Reason.NOT_FINISHED: "is not finished: the instrument may still be writing",
    Reason.NOT_DECIDED: "waits for the decision whether and where it is archived",
    Reason.COPY_PENDING: "waits for a copy",
    Reason.COPY_FAILED: "could not be copied",
    Reason.UNFINISHED: "was archived while the instrument may still have been writing it",
    Reason.WITH_RESERVATION: "was archived with a reservation",
    Reason.NO_DESTINATION: "is meant for no storage location: no enabled schedule names one",
    Reason.LOCATION_DISABLED: "is meant for a storage location that is out of use",
    Reason.LOCATION_HELD: "has a copy where too much is damaged at once: nobody has looked at that location yet",
    Reason.NO_COPY: "has no copy in a storage location that it is meant for",
    Reason.LOCATION_NOT_THERE: "has a copy in a storage location that is not there, or not the place that was marked",
    Reason.LOCATION_UNREACHABLE: "has a copy in a storage location that can't be reached at present",
    Reason.COPY_MISSING: "has a copy that is not at its place",
    Reason.COPY_SIZE_DIFFERS: "has a copy with another size than was archived",
    Reason.COPY_MODIFIED: "has a copy that was modified after it was archived",
    Reason.COPY_NOT_SEEN: "has a copy that can't be asked for at present",
    Reason.COPY_DAMAGED: "has a damaged copy",
    Reason.COPY_NOT_PROVEN: "has a copy whose proof is not that of this content",
    Reason.NOT_REREAD: f"has a copy that was not re-read in the last {REREAD_WITHIN.days} days",
    Reason.NO_COMPLETE_LOOK: "was on a share that was never seen as a whole",
    Reason.LOOK_TOO_OLD: f"was last looked at more than {LOOK_WITHIN // timedelta(hours=1)} hours ago",
    Reason.OTHER_ADDRESS: "was last looked at where the instrument's files no longer are",
    Reason.SHARE_DOUBTED: "is on a share that has looked wrong since (empty, or far smaller than what is known)",
    Reason.FOLDER_NOT_LISTED: "lies in a folder that the last look could not list",
    Reason.NOT_SEEN_SINCE: "has not been seen unchanged since it was archived: the next complete look tells",
    Reason.SOURCE_NOT_REREAD: "could not be read again at the source",
    Reason.SOURCE_DIFFERS: "has another content at the source than in the archive",
    Reason.ARCHIVE_NOT_REREAD: "has a copy that could not be read again",
}
"""Each goes on from "the file …"."""
