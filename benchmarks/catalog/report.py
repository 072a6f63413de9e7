"""What came out, and whether the goals are met."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from benchmarks.catalog.benchmark import LOGIN, Measured
from benchmarks.catalog.plans import shortened
from benchmarks.catalog.questions import Goal, questions
from benchmarks.catalog.world import World

FAST_MS = 25.0
GROWS_BY = 2.0
BESIDE_DOWNLOADS_MS = 100.0
HAUL_GROWTH_MIB = 64.0
CATALOG_GROWTH_MIB = 32.0  # between the catalogs; what the same catalog takes varies by some


# whose plans are in the report
PLANNED = (
    "first page, admin",
    "page 30, admin",
    "first page, 5 % of all files",
    "first page, ten folders",
    "filter state failed, admin",
    "filter acquired in a month of the first year, admin",
    "filter metadata (one in a thousand), admin",
    "filter project and instrument, admin",
    "filter instrument (large), 5 % of all files",
    "filter state archived, 5 % of all files",
    "filter state failed, 5 % of all files",
    "filter acquired in a month of the first year, 5 % of all files",
    "filter size (common), 5 % of all files",
    "filter metadata (one in a thousand), 5 % of all files",
    "search common word, admin",
    "search old word, 5 % of all files",
    "one file, admin",
    "one file, one file",
    "transfers, 5 % of all files",
    "count of all, admin",
    "count of all, 5 % of all files",
    "summary of 30 days, admin",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal, what was measured, and whether that meets it."""

    goal: str
    measured: str
    met: bool


def verdicts(small: Measured, large: Measured) -> Iterator[Verdict]:
    """Every goal in turn, held against the larger catalog, and against the smaller one beside it."""
    for question in questions(World(large.files)):
        if question.goal is not Goal.FAST:
            continue
        now, then = large.times[question.name], small.times[question.name]
        name, ratio = question.name, now.p50 / then.p50
        yield Verdict(f"{name}: p99 under {FAST_MS:.0f} ms", f"{now.p99:.1f} ms", now.p99 < FAST_MS)
        yield Verdict(f"{name}: p50 at most twice the small catalog's", f"{ratio:.1f} times", ratio <= GROWS_BY)
    growth = large.resident_after_mib - small.resident_after_mib
    yield Verdict("memory does not grow with the catalog", f"{growth:+.0f} MiB", growth < CATALOG_GROWTH_MIB)
    if large.beside_slow_downloads is not None:
        late = large.beside_slow_downloads.p99
        goal = f"first page beside 50 slow downloads: p99 under {BESIDE_DOWNLOADS_MS:.0f} ms"
        yield Verdict(goal, f"{late:.1f} ms", late < BESIDE_DOWNLOADS_MS)
    if large.hauled is not None:
        goal = (
            f"a download of {large.hauled.bytes / 2**30:.1f} GiB: memory grows by less than {HAUL_GROWTH_MIB:.0f} MiB"
        )
        yield Verdict(goal, f"{large.hauled.growth_mib:.0f} MiB", large.hauled.growth_mib < HAUL_GROWTH_MIB)


def as_json(measured: list[Measured]) -> str:
    """All that was measured."""
    return json.dumps([asdict(one) for one in measured], indent=2)


def as_markdown(measured: list[Measured]) -> str:
    """For the documentation: a table with a row for each question, the goals, and the plans."""
    small, large = measured[0], measured[-1]
    lines = [
        *_times(small, large),
        "",
        *_remarks(small, large),
        "",
        *_goals(list(verdicts(small, large))),
        *_pages(small, large),
        *_plans(large),
    ]
    return "\n".join(lines) + "\n"


def _times(small: Measured, large: Measured) -> Iterator[str]:
    yield f"| one client, ms | p50 at {small.files:,} | p99 | p50 at {large.files:,} | p99 | requests/s |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, now in large.times.items():
        then = small.times[name]
        yield f"| {name} | {then.p50:.1f} | {then.p99:.1f} | {now.p50:.1f} | {now.p99:.1f} | {now.per_second:.0f} |"


def _pages(small: Measured, large: Measured) -> Iterator[str]:
    if not large.explained:
        return
    yield from ("", f"| question | statements | pages at {small.files:,} files | pages at {large.files:,} files |")
    yield "| --- | ---: | ---: | ---: |"
    for name, now in large.explained.items():
        yield f"| {name} | {len(now.plans)} | {small.explained[name].pages:,} | {now.pages:,} |"


def _plans(large: Measured) -> Iterator[str]:
    """Of one question of each kind, without the statements that recognise the viewer and say what is open to them."""
    for name in PLANNED:
        if (explained := large.explained.get(name)) is not None:
            yield from ("", f"**{name}**")
            for plan in explained.plans[1:]:
                yield from ("", "```", *shortened(plan), "```")


def _remarks(small: Measured, large: Measured) -> Iterator[str]:
    yield f"- Of a {LOGIN}, comparing the password (argon2) takes {large.argon2_ms:.0f} ms."
    for one in (small, large):
        before, after = one.resident_before_mib, one.resident_after_mib
        yield f"- The service's memory at {one.files:,} files: {before:.0f} MiB before the requests, {after:.0f} after."
    if large.beside_slow_downloads:
        yield f"- First page beside 50 slow downloads: p99 {large.beside_slow_downloads.p99:.1f} ms."
    if large.hauled:
        gib, speed, growth = large.hauled.bytes / 2**30, large.hauled.mib_per_second, large.hauled.growth_mib
        yield f"- A download of {gib:.1f} GiB: {speed:.0f} MiB/s, memory grew by {growth:.0f} MiB at most."


def _goals(found: list[Verdict]) -> Iterator[str]:
    missed = [verdict for verdict in found if not verdict.met]
    yield f"{len(found) - len(missed)} of {len(found)} goals met."
    for verdict in missed:
        yield f"- missed: {verdict.goal}: {verdict.measured}"
