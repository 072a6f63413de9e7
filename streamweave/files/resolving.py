"""Resolving an identifier, however it is written, to what it names for a viewer; and its citation.

Citations are Electronic Resource Citations: who, what, when, where (draft-kunze-erc, in ANVL). ``?info`` after an ARK
yields the citation and a support block: who is responsible for the identifier, and what they promise (draft-kunze-ark,
section 5).
"""

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from streamweave import ark
from streamweave.access.visibility import opened_files
from streamweave.ark import Ark
from streamweave.catalog.bulk import is_identified
from streamweave.catalog.tables import FileRecord, FileVersion, IdentifierAlias, User
from streamweave.errors import Conflict, IdentifierMistyped, IdentifierPrivate, InvalidInput, NotFound
from streamweave.files.contents import Content, content_of_version, newest_content

_VERSION = re.compile(r"\.v([1-9][0-9]{0,8})", re.ASCII)

UNKNOWN = "(:unkn)"  # the code of draft-kunze-erc for a value that is not known


@dataclass(frozen=True, slots=True)
class Named:
    """What an identifier names: the newest version of a file, or with a suffix such as ``.v2`` that ``version``.

    ``content`` is None while it is not archived, and when the file is withdrawn.
    """

    identifier: str
    newest: FileVersion
    version: FileVersion | None
    content: Content | None

    @property
    def record(self) -> FileRecord:
        return self.newest.file


def resolve(session: Session, viewer: User | None, text: str, *, hide_private: bool) -> Named:
    """What ``text`` names. ``viewer`` is None without a login.

    Raises ``IdentifierMistyped`` for what can't be an identifier of ours, ``NotFound`` for an unknown one, and for one
    of a private file ``IdentifierPrivate``, or the same as for an unknown one with ``hide_private``.
    """
    identifier = _read(text)
    newest = _newest(session, identifier)
    if newest is not None and viewer is not None and _may_know(session, viewer, newest):
        return _named(session, viewer, identifier, newest)
    raise _unknown(identifier) if newest is None or hide_private else IdentifierPrivate


def _read(text: str) -> Ark:
    try:
        return ark.normalise(text)
    except InvalidInput as error:
        raise IdentifierMistyped(f"The identifier is mistyped: it {error.problem}") from error


def _unknown(identifier: Ark) -> NotFound:
    if not ark.verify(str(identifier)):
        return IdentifierMistyped("The identifier is mistyped: its check character is wrong")
    return NotFound("Identifier")


def _newest(session: Session, identifier: Ark) -> FileVersion | None:
    """The newest version of the file that has this identifier, be it as a further one."""
    name = str(Ark(identifier.naan, identifier.name))
    newest = select(FileVersion).join(FileVersion.file).options(contains_eager(FileVersion.file))
    newest = newest.where(FileVersion.is_newest)
    alias = select(IdentifierAlias.file_id).where(IdentifierAlias.persistent_id == name)
    return session.scalar(newest.where(is_identified([name]))) or session.scalar(
        newest.where(FileRecord.id == alias.scalar_subquery())
    )


def _may_know(session: Session, viewer: User, newest: FileVersion) -> bool:
    opened = select(FileRecord.id).where(FileRecord.id == newest.file_id, opened_files(session, viewer))
    return session.scalar(opened) is not None


def _named(session: Session, viewer: User, identifier: Ark, newest: FileVersion) -> Named:
    version, content = _version(session, identifier, newest), None
    if newest.file.withdrawn_at is None:
        with suppress(Conflict):  # it is not archived
            if version is None:
                content = newest_content(session, viewer, newest.file_id)
            else:
                content = content_of_version(session, viewer, newest.file_id, version.number)
    return Named(str(identifier), newest, version, content)


def _version(session: Session, identifier: Ark, newest: FileVersion) -> FileVersion | None:
    """The version that the suffix names; None without a suffix. Raises ``NotFound`` for every other suffix."""
    if not identifier.suffix:
        return None
    named = _VERSION.fullmatch(identifier.suffix)
    version = named and session.scalar(
        select(FileVersion).where(FileVersion.file_id == newest.file_id, FileVersion.number == int(named[1]))
    )
    if not version:
        raise NotFound("Identifier")
    return version


@dataclass(frozen=True, slots=True)
class Citation:
    """The four questions of an ERC. ``when`` is in UTC."""

    who: str
    what: str
    when: datetime | None
    where: str


@dataclass(frozen=True, slots=True)
class Support:
    """Who is responsible for the identifier, and what they promise."""

    who: str
    commitment: str


def erc(citation: Citation, support: Support) -> str:
    """The record as text: a blank line ends it."""
    promised = Citation(support.who, support.commitment, None, citation.where)
    return "\n".join([*_block("erc", citation), *_block("erc-support", promised)]) + "\n\n"


def answers(citation: Citation) -> dict[str, str]:
    """The citation's elements by their labels."""
    when = UNKNOWN if citation.when is None else _date(citation.when)
    return {"who": _one_line(citation.who), "what": _one_line(citation.what), "when": when, "where": citation.where}


def tombstone(citation: Citation, why: str, withdrawn_at: datetime) -> dict[str, str]:
    """What remains of something that was withdrawn: who, what, when, where, since when it is withdrawn, and why."""
    return {**answers(citation), "withdrawn": _date(withdrawn_at), "why": why}


def _block(label: str, citation: Citation) -> list[str]:
    return [f"{label}:", *(f"{element}: {value}" for element, value in answers(citation).items())]


def _date(time: datetime) -> str:
    """TEMPER, the dates of ERC: digits only."""
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def _one_line(value: str) -> str:
    """A value may not begin another element: control characters become blanks."""
    plain = "".join(" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in value)
    return plain.strip() or UNKNOWN
