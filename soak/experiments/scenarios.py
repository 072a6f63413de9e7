"""Scenarios: every fault of ``simlab.faults`` under a harvest, and what must come out of it.

During the fault, what is reported must be true, and name the reason. Once it has gone, the next harvest recovers from
it: then archives and share are compared as after any crash.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from simlab.faults import SCENARIOS, Stage, server_options_for, set_stage
from soak.data import MIB
from soak.evidence import Evidence, sha256
from soak.ledger import Ledger, Run, judged
from soak.orders import End
from soak.site import PASSWORD, SHARE, Site
from soak.trial import Trial, trial
from soak.victims import Victims
from streamweave.catalog.session import catalog_sessions
from streamweave.catalog.tables import FileVersion, Scan, User, VersionState
from streamweave.files.commands import try_again

NOT_REPORTED = "not reported"
PATIENCE_SECONDS = 3
LONGEST_SECONDS = 1_800.0  # for a hundred thousand files


@dataclass(frozen=True)
class Expectation:
    """``reported`` are patterns: each must be found in what the harvest under the fault, the scan and the files say.

    With ``known``, all was harvested before. If the fault ``lapses`` a content, that need not be archived any more.
    With ``needs_a_person``, somebody asks for another try afterwards. ``instrument`` are fields of its row.
    """

    reported: Sequence[str]
    known: bool = False
    lapses: bool = False
    needs_a_person: bool = False
    instrument: Mapping[str, Any] = field(default_factory=dict)


def _loses(path: str) -> str:
    return rf"^{SHARE}/{path}: "


def _unlisted(path: str, reason: str) -> str:
    return rf"^not listed: {SHARE}/{path}: .*{reason}"


LIMITS = {"transfer_config": {"folder_entries": 20_000, "folder_depth": 20, "folders": 1_500}}

FIRST_NAME, LARGEST_NAME = "a_first.csv", "stack.raw"
FIRST, LARGEST = map(re.escape, (FIRST_NAME, LARGEST_NAME))
UNREACHABLE = "source_unreachable"
NO_ANSWER = "(silent|did not answer|nothing answered)"

EXPECTATIONS: Mapping[str, Expectation] = {
    "freezes": Expectation([rf"^scan failed: {UNREACHABLE}: .*{NO_ANSWER}"]),
    "freezes-during-copy": Expectation(
        [rf"^harvest: {UNREACHABLE}: .*{NO_ANSWER}", _loses(LARGEST) + f"pending .*{NO_ANSWER}"]
    ),
    "drops-mid-file": Expectation(["^harvest: .*archived", "^scan complete"]),
    "drops-again-and-again": Expectation(["^harvest: .*archived", "^scan complete"]),
    "drops-always": Expectation([rf"^scan failed: {UNREACHABLE}: "], known=True),
    "vanishes": Expectation(["^scan failed: share_missing: .*has no share"], known=True),
    "denies-one-file": Expectation(
        [_loses(FIRST) + r"failed \(the service account 'labuser' may not read", "archived"], needs_a_person=True
    ),
    "comes-back-empty": Expectation(["^scan suspect: .*the share is empty"], known=True),
    "comes-back-shrunken": Expectation(["^scan suspect: .*only 2 of .* known files"], known=True),
    "swaps-a-content": Expectation(
        [_loses(FIRST) + "settling .*read again at the source: another content"],
        known=True,
        instrument={"rehash_share": 1.0},
    ),
    "appends-during-copy": Expectation([_loses(LARGEST) + "settling .*changed while it was copied"], lapses=True),
    "rewrites-during-copy": Expectation([_loses(LARGEST) + "settling .*changed while it was copied"], lapses=True),
    "renames-during-copy": Expectation(["^harvest: .*archived", "^scan complete"], lapses=True),
    "deletes-during-copy": Expectation(["^harvest: .*archived", "^scan complete"], lapses=True),
    "holds-a-file-open": Expectation(
        [_loses(FIRST) + "settling .*still open for writing"], instrument={"probe_open_writer": True}
    ),
    "locks-a-file": Expectation([_loses(FIRST) + "pending .*held by another program"]),
    "clock-ahead": Expectation(["^harvest: .*archived", "^clocks: files up to 48 h ahead"]),
    "clock-jumps": Expectation(["^harvest: .*archived", "^clocks: files up to 38 h ahead"]),
    "hard-names": Expectation(["^harvest: .*archived", "^scan complete"]),
    "endless-folder": Expectation(
        ["^harvest: .*archived", _unlisted("trap", "more than 20,000 files")], instrument=LIMITS
    ),
    "repeated-names": Expectation(
        ["^harvest: .*archived", _unlisted("trap", "more than 20,000 files")], instrument=LIMITS
    ),
    "endless-nesting": Expectation(
        ["^harvest: .*archived", _unlisted("trap(/again){20}", "more than 20 folders")], instrument=LIMITS
    ),
    "endless-folders": Expectation(["^harvest: .*archived", _unlisted("trap.*", "too many")], instrument=LIMITS),
    "huge-names": Expectation(
        [
            "^harvest: .*archived",
            _loses(r"trap/h+… \([0-9a-f]+\)") + "unreadable",
            _unlisted(r"trap/d+… \([0-9a-f]+\)", "longer than 255"),
        ]
    ),
    "impossible-sizes": Expectation(
        ["^harvest: .*archived", _loses("size_2_64.raw") + "unreadable .*18446744073709551615"]
    ),
    "silent-listing": Expectation(["^harvest: .*archived", _unlisted("trap", "no answer")]),
    "crowded-folder": Expectation([r"^harvest: 200,?0\d\d archived", "^scan complete"]),
}
"""By the scenario's name."""


def scenarios(site: Site, victims: Victims, say: Callable[[str], None], names: Sequence[str]) -> Ledger:
    """Harvest under each fault, and after it."""
    ledger = Ledger("Scenarios", "the share", shows_reports=True)
    for name in names:
        ledger.runs.append(play(site, victims, name))
        say(name)
    return ledger


def play(site: Site, victims: Victims, name: str) -> Run:
    """One run."""
    expectation, fault = EXPECTATIONS[name], SCENARIOS[name]
    transfer_config = {"timeout_seconds": PATIENCE_SECONDS, **expectation.instrument.get("transfer_config", {})}
    config = {**expectation.instrument, "transfer_config": transfer_config}
    with _stage(site, name) as (stage, there), trial(there, victims, on_all_of_the_share=True, **config) as one:
        one.write(some_files())
        if expectation.known:
            one.harvest()
        with fault(stage):
            if name not in AWAY:
                one.take_stock()
            end = one.harvest(patience_seconds=LONGEST_SECONDS)
            reported = reports_of(one, end)
        if expectation.lapses:
            one.lapse(LARGEST_NAME)
        one.take_stock()
        if expectation.needs_a_person:
            ask_for_another_try(one)
        recovery = one.recover()
        run = judged(name, f"scenario {name}", [end], recovery, _evidence(one, name), _in_short(reported, expectation))
        missing = [
            pattern for pattern in expectation.reported if not any(re.search(pattern, line) for line in reported)
        ]
        unreported = tuple(f"nothing like {pattern!r} in {reported}" for pattern in missing)
        return replace(run, breaches={**run.breaches, NOT_REPORTED: unreported})


AN_ADMIN = User(email="admin@example.org", role="admin")

AWAY = {"vanishes", "comes-back-empty", "comes-back-shrunken"}
"""Faults while which files that are known are not there."""


@contextmanager
def _stage(site: Site, name: str) -> Iterator[tuple[Stage, Site]]:
    """A share of its own, and the site as it is with that share."""
    work = site.work / "stages" / name
    (work / "share").mkdir(parents=True)
    options = server_options_for(SCENARIOS[name])
    with set_stage(work / "share", work / "samba", password=PASSWORD, options=options) as stage, ExitStack() as nothing:
        yield stage, replace(site, work=work, server=stage, _serving=nothing)


def some_files() -> dict[str, bytes]:
    """A dozen small files, and one that is large enough to be caught on its way."""
    files = {f"run/scan_{number:02}.csv": b"frame,%d\n" % number * 100 for number in range(12)}
    return files | {FIRST_NAME: b"time,value\n0,1\n", LARGEST_NAME: bytes(range(256)) * (24 * MIB // 256)}


def ask_for_another_try(one: Trial) -> None:
    """As a person does by ``POST /api/files/{id}/retry``."""
    with catalog_sessions(one.engine).begin() as session:
        for version in session.scalars(select(FileVersion).where(FileVersion.state == VersionState.FAILED)):
            try_again(session, AN_ADMIN, version.file_id)


def reports_of(one: Trial, end: End) -> list[str]:
    """What is reported: by the harvest, by the scan, by each file that is not archived, and of clocks."""
    lines = [f"harvest: {end.said}"]
    with catalog_sessions(one.engine)() as session:
        scan = session.scalars(select(Scan).order_by(Scan.started_at.desc()).limit(1)).one()
        lines.append(f"scan {scan.outcome}: {scan.error_kind}: {scan.error_message}")
        lines += [f"not listed: {folder}: {reason}" for folder, reason in scan.folders_not_listed.items()]
    versions = one.evidence().versions
    skews = [version.clock_skew_seconds for version in versions if version.clock_skew_seconds]
    lines += [f"clocks: files up to {max(skews) / 3600:.0f} h ahead"] if skews else []
    open_ends = [each for each in versions if each.is_newest and each.state != VersionState.ARCHIVED]
    return lines + [f"{each.source_path}: {each.state} ({each.reason})" for each in open_ends]


def _in_short(reported: Sequence[str], expectation: Expectation) -> str:
    return next((line for line in reported if re.search(expectation.reported[0], line)), reported[0])[:120]


def _evidence(one: Trial, name: str) -> Evidence:
    """What is to be judged; where the server shows names of its own, files are known by their contents."""
    evidence = one.evidence()
    if name != "hard-names":
        return evidence
    shown = {version.sha256: version.source_path for version in evidence.versions}
    contents = {shown.get(sha256(known[-1]), path): [sha256(known[-1])] for path, known in one.contents.items()}
    return replace(evidence, contents=contents, on_share=frozenset(contents))
