"""Access paths: the four ways to see a file. Its owner sees it, and grants on it, its instrument, or a folder above it.

Only here are they written as SQL. Queries combine them: as a condition on a file (``visibility``), or each for its own
first rows (``files.listing``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Select,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    func,
    select,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.type_api import TypeEngine

from streamweave.access.access_scope import AccessScope, Kind
from streamweave.catalog.tables import FileGrant, FileRecord
from streamweave.catalog.tables.files import path_in_byte_order

Bind = Callable[[str, TypeEngine[Any]], BindParameter[Any]]
OPENED = aliased(FileRecord, name="opened")


@dataclass(frozen=True, slots=True)
class AccessPath:
    """The rows of ``table`` that one kind of access opens.

    ``each`` holds the values (owners, grantees, instruments, folders) one by one, and ``by_each`` is the condition for
    what one of them opens: a range of an index. ``among`` is the condition for what any of them opens, of which
    PostgreSQL can estimate the size; except of folders, which are ``ranges`` only.
    """

    table: Any
    each: TableValuedAlias
    by_each: ColumnElement[bool]
    among: ColumnElement[bool]
    ranges: bool = False

    @property
    def of_grants(self) -> bool:
        """Whether its rows are grants, which repeat when their files were discovered."""
        return self.table is FileGrant

    @property
    def id(self) -> Any:
        """The column that holds the file's id."""
        return self.table.file_id if self.of_grants else self.table.id

    @property
    def discovered_at(self) -> Any:
        """The column with the time of the file's discovery."""
        return self.table.discovered_at if self.of_grants else self.table.first_discovered_at

    def rows(self, *columns: Any) -> Select[Any]:
        """All rows that it opens."""
        rows = select(*columns).select_from(self.table)
        return rows.join(self.each, self.by_each) if self.ranges else rows.where(self.among)


def parameter(name: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
    """A parameter whose value is in ``AccessScope.values``: the statement serves for all viewers."""
    return bindparam(name, type_=kind)


def values_of(scope: AccessScope) -> Bind:
    """The scope's own values, as a part of the statement."""
    values = scope.values
    return lambda name, kind: bindparam(name, values[name], type_=kind, unique=True)


def access_paths(kinds: tuple[Kind, ...], bind: Bind = parameter, record: Any = OPENED) -> list[AccessPath]:
    """The paths of these kinds; files are rows of ``record``, ``FileRecord`` under some name."""
    return [_PATHS[kind](bind, record) for kind in kinds]


def within(path: ColumnElement[str], prefix: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a path, as ``path_in_byte_order`` has it, lies below a folder."""
    # whole components are one range of the index: in bytes' order "0" follows "/"
    return and_(path >= prefix.concat("/"), path < prefix.concat("0"))


def _of(table: Any, column: Any, ids: BindParameter[Any]) -> AccessPath:
    """The rows of ``table`` whose ``column`` holds one of the ids."""
    each = func.unnest(ids).table_valued("id").render_derived(name=f"each_{column.key}")
    return AccessPath(table, each, column == each.c.id, column == any_(ids))


def _owning(bind: Bind, record: Any) -> AccessPath:
    return _of(record, record.owner_id, bind("owners", ARRAY(Uuid)))


def _grants(bind: Bind, _: Any) -> AccessPath:
    return _of(FileGrant, FileGrant.grantee_id, bind("grantees", ARRAY(Uuid)))


def _instruments(bind: Bind, record: Any) -> AccessPath:
    return _of(record, record.instrument_id, bind("instruments", ARRAY(Uuid)))


def _folders(bind: Bind, record: Any) -> AccessPath:
    ids, prefixes = bind("folder_instruments", ARRAY(Uuid)), bind("folder_prefixes", ARRAY(Text))
    each = func.unnest(ids, prefixes).table_valued("instrument_id", "path_prefix").render_derived(name="each_folder")
    below = within(path_in_byte_order(record.source_path), each.c.path_prefix)
    by_each = and_(record.instrument_id == each.c.instrument_id, below)
    # of a file that is at hand, its instrument decides most
    among = and_(record.instrument_id == any_(ids), exists().select_from(each).where(by_each))
    return AccessPath(record, each, by_each, among, ranges=True)


_PATHS: Mapping[Kind, Callable[[Bind, Any], AccessPath]] = {
    Kind.OWNING: _owning,
    Kind.GRANT: _grants,
    Kind.INSTRUMENT: _instruments,
    Kind.FOLDER: _folders,
}
