"""Doubt: why a look at a whole share is not to be believed. Pure.

What counts is how many of the known files stand where they stood: new ones make up for nothing, or a share that was
exchanged for another would pass. Archived files that were called gone within the last day still count as known, so
that a share that shrinks in steps is held against what it was before the first of them. (Files that were never
archived don't: many an instrument writes under a temporary name first.)
"""

from streamweave.catalog.tables import Instrument
from streamweave.share_guard.expectations import LATELY, Expectations

FEW_FILES = 10
"""Below this many known files a share may shrink (but not to nothing) without an alarm."""
NOTHING_CONCLUDED = "nothing was concluded from this"


def doubt(instrument: Instrument, expectations: Expectations, *, seen: int) -> str | None:
    """Why a complete look that saw so many files is not to be believed; or None."""
    if instrument.shrink_threshold == 0 or not expectations.missing:
        return None
    if seen == 0:
        return f"the share is empty, but {expectations.known} files are known on it: {NOTHING_CONCLUDED}"
    standing, before = expectations.known - expectations.missing, expectations.known + expectations.gone_lately
    if before < FEW_FILES or standing >= before * instrument.shrink_threshold:
        return None
    hours = LATELY.total_seconds() / 3600
    lately = f", of which {expectations.gone_lately} went within {hours:.0f} h" if expectations.gone_lately else ""
    return f"only {standing} of {before} known files stand on the share{lately}: {NOTHING_CONCLUDED}"
