"""Conditions: what is wrong at this moment. Each is, or becomes, one alert."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from streamweave.catalog.tables import AlertKind, Instrument, StorageLocation, SubjectType


class Key(NamedTuple):
    """What tells one condition from another: its kind, and the id of what it is about."""

    kind: str
    subject_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Condition:
    """Something is wrong. ``sentence`` says what, for a person; ``details`` are figures and names, as JSON has them."""

    kind: AlertKind
    subject_type: SubjectType
    subject_id: uuid.UUID
    subject: str
    sentence: str
    details: Mapping[str, Any]

    @property
    def key(self) -> Key:
        """What it is recognised by."""
        return Key(self.kind, self.subject_id)


@dataclass(slots=True)
class Findings:
    """What is wrong at this moment. Of what is ``unknown`` nothing can be said: an open alert neither goes on nor ends.

    Answers to single questions are added up to the whole.
    """

    conditions: list[Condition] = field(default_factory=list)
    unknown: set[Key] = field(default_factory=set)

    def add(self, others: "Findings") -> None:
        """Take in the answer to a further question."""
        self.conditions += others.conditions
        self.unknown |= others.unknown


def about_instrument(
    kind: AlertKind, instrument: Instrument, sentence: str, details: Mapping[str, Any] | None = None
) -> Condition:
    """Something is wrong with an instrument, its share or its files."""
    return Condition(kind, SubjectType.INSTRUMENT, instrument.id, instrument.name, sentence, details or {})


def about_location(
    kind: AlertKind, location: StorageLocation, sentence: str, details: Mapping[str, Any] | None = None
) -> Condition:
    """Something is wrong with a storage location, or with what it holds."""
    return Condition(kind, SubjectType.STORAGE_LOCATION, location.id, location.name, sentence, details or {})


def counted(number: int, noun: str, nouns: str | None = None) -> str:
    """The number with its noun: ``1 file``, ``12 files``. ``nouns`` is a plural that needs more than an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {nouns or noun + 's'}"


def listed(parts: Iterable[str]) -> str:
    """Parts of a sentence, in a row."""
    return ", ".join(parts)
