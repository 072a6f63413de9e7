"""The steps of a harvest at which it is killed: just before, and just after.

A step is a function of the product, by the name under which it is called; one that is renamed is missed by a test.
"""

from dataclasses import dataclass
from enum import StrEnum

from soak.orders import Point

MOMENTS = ("before", "after")


class Setting(StrEnum):
    """What the killed harvest finds."""

    FRESH = "nothing is known yet"
    CHANGED = "all was harvested, and has changed"
    LEFT_OVER = "a run died with files published and not catalogued, and others staged"


@dataclass(frozen=True, slots=True)
class Step:
    """``target`` as in ``Point``; it is killed at its ``call``-th call."""

    what: str
    target: str
    setting: Setting = Setting.FRESH
    call: int = 1

    def point(self, moment: str) -> Point:
        """Where that is."""
        return Point(self.target, moment, self.call)


HARVEST, STORAGE = "streamweave.harvest", "streamweave.storage"

PUBLISHED = Point(f"{STORAGE}.posix:move_without_replacing", "after", 5)
"""Where a run dies that leaves what ``Setting.LEFT_OVER`` says."""

STEPS = (
    Step("scan the share", f"{HARVEST}.run:discover"),
    Step("record new files (in the transaction)", f"{HARVEST}.record_changes:Recorder.record"),
    Step("record new files", f"{HARVEST}.scan:_Scan._record_differences"),
    Step("record changed files (in the transaction)", f"{HARVEST}.record_changes:record_changes", Setting.CHANGED),
    Step("call files gone (in the transaction)", f"{HARVEST}.record_changes:Recorder.conclude_gone", Setting.CHANGED),
    Step("conclude the scan", f"{HARVEST}.scan:_Scan.conclude"),
    Step("judge what has settled", f"{HARVEST}.run:settle", call=2),
    Step("hooks decide, transfers are planned (in the transaction)", f"{HARVEST}.plan:_write"),
    Step("hooks decide, transfers are planned", f"{HARVEST}.run:filter_files"),
    Step("free the claims of dead runs", f"{HARVEST}.transfer:free_claims_of_dead_runs", Setting.LEFT_OVER),
    Step("make the destinations ready", f"{HARVEST}.transfer:open_destinations"),
    Step("sweep what dead runs staged", f"{HARVEST}.transfer:sweep", Setting.LEFT_OVER),
    Step("claim transfers", f"{HARVEST}.transfer:claim_transfers"),
    Step("stage small files", f"{STORAGE}.posix:PosixStorage.stage_whole"),
    Step("bring small files to the device", f"{STORAGE}.flushing:Flushing.flush_new"),
    Step("compare a small file that was read back", f"{HARVEST}.copy_verify:_compare", call=5),
    Step("write a piece of a large file", f"{STORAGE}.staging:StagedFile.write", call=3),
    Step("bring a large file to the device", f"{STORAGE}.staging:StagedFile.flush"),
    Step("compare a large file that was read back", f"{HARVEST}.copy_verify:_Copy.prove"),
    Step("publish the first file", f"{STORAGE}.posix:move_without_replacing"),
    Step("publish the seventh file", f"{STORAGE}.posix:move_without_replacing", call=7),
    Step("give a second name, before the staged one goes", "os:link", call=3),
    Step("make names durable", f"{STORAGE}.posix:PosixStorage.make_durable"),
    Step("note what was archived in the journal", "streamweave.journal.keeping:JournalKeeper.note"),
    Step("flush the journal of the second location", f"{STORAGE}.posix:FolderJournal.append", call=2),
    Step("say how far the journals are (in the transaction)", f"{HARVEST}.commit:note_positions"),
    Step("take over what a dead run published", f"{HARVEST}.commit:_is_taken_over", Setting.LEFT_OVER),
    Step("drop a copy of what is archived already", f"{STORAGE}.posix:PosixStorage.discard", Setting.CHANGED),
    Step("catalogue (in the transaction)", f"{HARVEST}.commit:record_other_contents"),
    Step("catalogue", f"{HARVEST}.commit:catalogue"),
    Step("give back what was not worked on", f"{HARVEST}.transfer:give_back"),
    Step("enrich (in the transaction)", f"{HARVEST}.enrich:_Enriching.write"),
    Step("enrich", f"{HARVEST}.run:enrich_files"),
    Step("note the harvest", f"{HARVEST}.run:note_harvested"),
)
