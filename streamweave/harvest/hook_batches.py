"""Asking hooks about an instrument's versions, batch by batch: what filtering and enriching have in common.

Built-in hooks answer under the instrument's lock, about what holds then. Hooks that call out are asked before, while no
session is open and nothing is locked. Their answers count, under the lock, for versions that are still as they were
shown, and only while the hooks are the same.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, Select, exists, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.catalog.bulk import batches, id_batches
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import FileVersion, HookRetry, Instrument
from streamweave.facility import Facility
from streamweave.hooks.base import PostTransferHook, PreTransferHook
from streamweave.hooks.calls import BATCH, Answers, Calls, HookSubject, call_out, record_runs


@dataclass(frozen=True)
class ActiveHooks:
    """The hooks of one trigger, as their rows are at one moment. The fingerprint changes when they do."""

    hooks: Sequence[PreTransferHook | PostTransferHook]
    hooks_fingerprint: str

    @property
    def calls_out(self) -> bool:
        return call_out(self.hooks)


def is_other(column: InstrumentedAttribute[str | None], fingerprint: str) -> ColumnElement[bool]:
    """As ``is_distinct_from``, which no index can answer."""
    return or_(column.is_(None), column < fingerprint, column > fingerprint)


def waits_for_hooks(fingerprint: str, now: datetime) -> ColumnElement[bool]:
    """Over ``FileVersion``: one of these hooks has failed for it, and it is too early to ask again."""
    return exists().where(
        HookRetry.version_id == FileVersion.id, HookRetry.retry_at > now, HookRetry.hooks == fingerprint
    )


Configuration = TypeVar("Configuration", bound=ActiveHooks)
Version = TypeVar("Version")
Result = TypeVar("Result")
Written = TypeVar("Written")


class HookBatches(ABC, Generic[Configuration, Version, Result, Written]):
    """One run's versions of an instrument, or of some acquisition days of it, that hooks are to be asked about."""

    def __init__(self, facility: Facility, instrument: Instrument, days: Collection[date] | None) -> None:
        self.facility = facility
        self.instrument = instrument
        self.days = days
        self.reach = facility.reach.for_a_run()
        self.calls = Calls(facility.now)

    @abstractmethod
    def configuration(self, session: Session) -> Configuration:
        """The hooks as their rows are now."""

    @abstractmethod
    def wanted(self, configuration: Configuration) -> Select[tuple[uuid.UUID]]:
        """The ids of the versions to ask about, in order."""

    @abstractmethod
    def still_wanted(
        self, session: Session, configuration: Configuration, version_ids: Sequence[uuid.UUID]
    ) -> list[Version]:
        """Those of the versions that are still to be asked about."""

    @abstractmethod
    def subject(self, configuration: Configuration, version: Version) -> HookSubject:
        """The version as hooks are shown it."""

    @abstractmethod
    def answer(self, configuration: Configuration, subject: HookSubject) -> Result:
        """What built-in hooks answer."""

    @abstractmethod
    def call(self, configuration: Configuration, subjects: Sequence[HookSubject]) -> Answers[Result]:
        """What hooks of which some call out answer."""

    @abstractmethod
    def write(
        self,
        session: Session,
        configuration: Configuration,
        versions: Sequence[Version],
        results: Mapping[uuid.UUID, Result],
    ) -> Written:
        """Write what follows from the results, which are by the versions' ids."""

    def run(self) -> Iterator[Written]:
        """Ask about all wanted versions; yields what each batch made ``write`` return, once it is committed."""
        sessions = self.facility.sessions
        with sessions() as session:
            configuration = self.configuration(session)
            wanted = self.wanted(configuration)
            version_ids = list(session.scalars(wanted)) if configuration.calls_out else []
        for batch in batches(version_ids, BATCH) if configuration.calls_out else id_batches(sessions, wanted):
            yield self._write(batch, self._call(configuration, batch) if configuration.calls_out else None)

    def _call(self, configuration: Configuration, version_ids: Sequence[uuid.UUID]) -> Answers[Result]:
        with self.facility.sessions() as session:
            versions = self.still_wanted(session, configuration, version_ids)
        return self.call(configuration, [self.subject(configuration, version) for version in versions])

    def _write(self, version_ids: Sequence[uuid.UUID], answers: Answers[Result] | None) -> Written:
        with self.facility.sessions.begin() as session:
            lock_instrument(session, self.instrument.id)
            configuration = self.configuration(session)
            versions = self.still_wanted(session, configuration, version_ids)
            subjects = [self.subject(configuration, version) for version in versions]
            if answers is None and configuration.calls_out:  # the hooks have just changed: none of these was asked
                versions, results = [], {}
            elif answers is None:
                results = {subject.version_id: self.answer(configuration, subject) for subject in subjects}
            else:
                fingerprint = configuration.hooks_fingerprint
                holds = [answers.hold(fingerprint, each.version_id, each.shown) for each in subjects]
                versions = [version for version, counts in zip(versions, holds, strict=True) if counts]
                results = answers.results
                record_runs(session, answers.runs)
            return self.write(session, configuration, versions, results)
