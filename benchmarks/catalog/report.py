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
    """A table with a row for each question, and the goals that are missed."""
    small, large = measured[0], measured[-1]
    lines = [
        f"| one client, ms | p50 at {small.files:,} | p99 | p50 at {large.files:,} | p99 | requests/s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {small.times[name].p50:.1f} | {small.times[name].p99:.1f}"
            f" | {now.p50:.1f} | {now.p99:.1f} | {now.per_second:.0f} |"
            for name, now in large.times.items()
        ),
        "",
        *_remarks(small, large),
        "",
        *_goals(list(verdicts(small, large))),
    ]
    for name, plans in large.plans.items():
        for plan in plans:
            lines += ["", f"#### {name}", "", "```", *shortened(plan), "```"]
    return "\n".join(lines) + "\n"


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
