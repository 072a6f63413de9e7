"""What a benchmark hands back: tables for people, goals met or missed, and every number for machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What became of a goal."""

    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as they are shown; the first column names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Goal:
    """What was wanted and what was reached, in words."""

    what: str
    wanted: str
    reached: str
    verdict: Verdict


def at_least(what: str, measured: float | None, limit: float, unit: str) -> Goal:
    """The measured value is to be no less than the limit; it is None when what it needs is not installed."""
    is_met = measured is not None and measured >= limit
    return Goal(what, f"at least {limit:.3g} {unit}", _in_words(measured, unit), _verdict(measured, is_met))


def at_most(what: str, measured: float | None, limit: float, unit: str) -> Goal:
    """The measured value is to be no more than the limit; it is None when what it needs is not installed."""
    is_met = measured is not None and measured <= limit
    return Goal(what, f"at most {limit:.3g} {unit}", _in_words(measured, unit), _verdict(measured, is_met))


@dataclass(frozen=True, slots=True)
class Report:
    """``numbers`` is what JSON can hold; ``notes`` are sentences, such as what is missing on this machine."""

    name: str
    tables: Sequence[Table]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)


def _in_words(measured: float | None, unit: str) -> str:
    return "-" if measured is None else f"{measured:,.2f} {unit}"


def _verdict(measured: float | None, is_met: bool) -> Verdict:
    if measured is None:
        return Verdict.NOT_MEASURED
    return Verdict.MET if is_met else Verdict.MISSED
