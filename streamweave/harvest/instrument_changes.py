"""Changes of an instrument's address: what is known of its files moves along, or is recorded as gone.

Source paths begin with the share's name and the base path. So a new host, share or base path can mean two things, and
the user who changes it says which (``AddressChange``). The question is raised where files are known. Another port, or
capitals in a host's or share's name, mean the same place, and raise none.

*The same files*: where only the base path changes, and one of the two folders contains the other, no path changes, and
what is outside of the new folder is gone. In all other cases what was in the old base folder is in the new one, under
the same path below it. An instrument that came from a journal has no host yet: any that is entered is taken for that of
the same share. Where an early journal did not name the base folder either, files keep their paths within the share.

The next scan checks the answer: certificates count only scans of the present address, and a scan that finds too few of
the known files where they should be concludes nothing.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, delete, func, literal, select, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from streamweave.catalog.leases import is_dead
from streamweave.catalog.session import change, lock_instrument
from streamweave.catalog.tables import FileRecord, HarvestRun, Instrument, InstrumentGrant, UnfinishedLook
from streamweave.catalog.tables.files import digest_of
from streamweave.errors import Conflict
from streamweave.harvest.record_changes import Recorder
from streamweave.instruments.fields import NO_ADDRESS, AddressChange
from streamweave.instruments.instruments import checked_changes, instrument_by_id
from streamweave.printable import counted

FIELDS = ("cifs_host", "cifs_share", "cifs_base_path")
OTHERS_THERE = "the instrument's address was changed, to one with other files,"
OUTSIDE = "the instrument's base path was changed, and no longer covers it,"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an instrument's files are. ``folder`` is written like a source path: the share and the base path."""

    host: str
    share: str
    folder: str

    def is_on_same_share(self, other: "Address") -> bool:
        """Whether both are on one share: capitals don't count in the names of hosts and shares."""
        mine, others = (self.host, self.share), (other.host, other.share)
        return [name.casefold() for name in mine] == [name.casefold() for name in others]


def update_instrument(session: Session, instrument_id: uuid.UUID, changes: Mapping[str, Any]) -> Instrument:
    """Change the given fields of an instrument. The caller commits.

    ``address_change`` among them says what another address means for the known files. Raises ``NotFound``,
    ``InvalidInput`` or ``Conflict``.
    """
    instrument = instrument_by_id(session, instrument_id)
    fields = checked_changes(session, instrument, changes)
    answer = fields.pop("address_change", None)
    move(session, instrument, fields, None if answer is None else AddressChange(answer))
    return change(session, instrument, fields)


def asks_what_is_there(session: Session, instrument: Instrument, changes: Mapping[str, Any]) -> str | None:
    """The question that these (checked) changes of an instrument raise, as a sentence; None if they raise none."""
    before, after = _before_and_after(instrument, changes)
    known = select(FileRecord.id).where(_of(instrument.id)).exists()
    if _is_one_place(before, after) or not session.scalar(select(known)):
        return None
    same, folder = "their source paths stay as they are", _folder_of_the_same_files(before, after)
    if folder != before.folder:
        same = f"their source paths move from {before.folder}/ to {folder}/"
    if _is_within(after.folder, folder):
        outside = _number_outside(session, instrument.id, before.folder + after.folder.removeprefix(folder))
        same += f", and {counted(outside, 'file')} outside of the new base path would count as gone" if outside else ""
    return (
        f"{instrument.name} has files, and its address would change from //{before.host}/{before.folder} to "
        f"//{after.host}/{after.folder}: say with address_change what is there. same_files: the known files (records, "
        f"identifiers and history stay; {same}). other_files: other files (the known ones count as gone from the "
        "source, and what is found is new)"
    )


def move(session: Session, instrument: Instrument, changes: Mapping[str, Any], answer: AddressChange | None) -> None:
    """Move what is known of an instrument's files to its new address, or record it as gone.

    To be called before the changes are made, in the same transaction; takes the instrument's lock. Without a change of
    address nothing happens. Raises ``Conflict``: without an answer where there is a question, while a run is under way,
    and when the new paths are those of other files of the instrument.
    """
    before, after = _before_and_after(instrument, changes)
    if before == after:
        return
    lock_instrument(session, instrument.id)
    if answer is None and (question := asks_what_is_there(session, instrument, changes)):
        raise Conflict(question)
    _expect_no_run(session, instrument)
    now = session.scalars(select(func.now())).one()
    recorder = Recorder(session, instrument, _mints_nothing, now)
    if _is_one_place(before, after) or answer != AddressChange.OTHER_FILES:
        folder = _folder_of_the_same_files(before, after)
        if folder != before.folder:
            _move_paths(session, instrument, before.folder, folder)
            _move_grants(session, instrument.id, before.folder, folder)
        if _is_within(after.folder, folder):
            recorder.conclude_gone(~_is_below(FileRecord.source_path, after.folder), known_before=None, because=OUTSIDE)
    else:
        recorder.conclude_gone(true(), known_before=None, because=OTHERS_THERE)
    session.execute(delete(UnfinishedLook).where(UnfinishedLook.instrument_id == instrument.id))
    instrument.address_changed_at = now


def _before_and_after(instrument: Instrument, changes: Mapping[str, Any]) -> tuple[Address, Address]:
    known = {field: getattr(instrument, field) for field in FIELDS}
    return _address(known), _address({**known, **{field: changes[field] for field in FIELDS if field in changes}})


def _address(fields: Mapping[str, Any]) -> Address:
    share, base_path = fields["cifs_share"], fields["cifs_base_path"].replace("\\", "/").strip("/")
    return Address(fields["cifs_host"], share, f"{share}/{base_path}".rstrip("/"))


def _is_one_place(one: Address, other: Address) -> bool:
    """Whether both are the same folder."""
    below = (one.folder.removeprefix(one.share), other.folder.removeprefix(other.share))
    return below[0] == below[1] and one.is_on_same_share(other)


def _folder_of_the_same_files(before: Address, after: Address) -> str:
    """The folder that now has what was in the old base folder, if the files are the same."""
    if _is_nested(before, after):
        return before.folder
    return after.share if before.host == NO_ADDRESS and before.folder == before.share else after.folder


def _is_nested(before: Address, after: Address) -> bool:
    """Whether both are on the same share, and one of the folders contains the other."""
    is_one_server = before.host == NO_ADDRESS or before.is_on_same_share(after)
    contains = _is_within(before.folder, after.folder) or _is_within(after.folder, before.folder)
    return contains and before.share == after.share and is_one_server


def _is_within(folder: str, other: str) -> bool:
    return folder.startswith(f"{other}/")


def _of(instrument_id: uuid.UUID) -> ColumnElement[bool]:
    return FileRecord.instrument_id == instrument_id


def _is_below(path: InstrumentedAttribute[str], folder: str) -> ColumnElement[bool]:
    return func.starts_with(path, f"{folder}/")


def _number_outside(session: Session, instrument_id: uuid.UUID, folder: str) -> int:
    outside = ~_is_below(FileRecord.source_path, folder)
    return session.scalars(select(func.count()).where(_of(instrument_id), FileRecord.gone_at.is_(None), outside)).one()


def _expect_no_run(session: Session, instrument: Instrument) -> None:
    """A run under way keeps using the old address, with paths that it has read already."""
    alive = select(HarvestRun.id).where(HarvestRun.instrument_id == instrument.id, ~is_dead())
    if session.scalar(select(alive.exists())):
        raise Conflict(f"a harvest of {instrument.name} is under way: change its address when that has ended")


def _mints_nothing() -> str:
    raise AssertionError("nothing new is recorded")


def _moved(path: InstrumentedAttribute[str], old: str, new: str) -> ColumnElement[str]:
    return literal(new, Text()).concat(func.substr(path, len(old) + 1))


def _move_paths(session: Session, instrument: Instrument, old: str, new: str) -> None:
    """Give the records below the folder ``old`` the same paths below ``new``."""
    _expect_free(session, instrument, old, new)
    steps = [(old, new)]
    if f"{new}/".startswith(f"{old}/") or f"{old}/".startswith(f"{new}/"):
        aside = f"{uuid.uuid4()}"  # or a path could collide with one that has yet to move
        steps = [(old, aside), (aside, new)]
    for before, after in steps:
        session.execute(
            update(FileRecord)
            .where(_of(instrument.id), _is_below(FileRecord.source_path, before))
            .values(
                source_path=_moved(FileRecord.source_path, before, after),
                folder=_moved(FileRecord.folder, before, after),
            )
        )


def _expect_free(session: Session, instrument: Instrument, old: str, new: str) -> None:
    moving, other = aliased(FileRecord), aliased(FileRecord)
    taken = (
        select(other.source_path)
        .join(moving, digest_of(other.source_path) == digest_of(_moved(moving.source_path, old, new)))
        .where(
            moving.instrument_id == instrument.id,
            _is_below(moving.source_path, old),
            other.instrument_id == instrument.id,
            ~_is_below(other.source_path, old),
        )
        .limit(1)
    )
    if path := session.scalar(taken):
        raise Conflict(
            f"{instrument.name} knows {path} as another file, from an earlier address: the files can't move there, and "
            "nothing was changed"
        )


def _move_grants(session: Session, instrument_id: uuid.UUID, old: str, new: str) -> None:
    """Move grants on folders with the files: those on and below ``old``, and those on a folder that contains it."""
    grants = session.scalars(select(InstrumentGrant).where(InstrumentGrant.instrument_id == instrument_id)).all()
    inside = [grant for grant in grants if f"{grant.path_prefix}/".startswith(f"{old}/")]
    above = [grant for grant in grants if grant.path_prefix and f"{old}/".startswith(f"{grant.path_prefix}/")]
    staying = {(grant.path_prefix, grant.grantee_id) for grant in grants if grant not in inside}
    wanted = {(new + grant.path_prefix[len(old) :], grant.grantee_id): grant for grant in inside}
    wanted |= {(new, grant.grantee_id): grant for grant in above}
    for grant in inside:
        session.delete(grant)
    session.flush()
    session.add_all(
        InstrumentGrant(
            instrument_id=instrument_id,
            path_prefix=path,
            user_id=grant.user_id,
            group_id=grant.group_id,
            project_id=grant.project_id,
            granted_at=grant.granted_at,
        )
        for (path, grantee_id), grant in wanted.items()
        if (path, grantee_id) not in staying
    )
    session.flush()
