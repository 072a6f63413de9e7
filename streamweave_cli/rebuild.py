"""`streamweave rebuild`: a new catalog from the journals in the archive, when catalog and backups are lost."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy import select

from streamweave.catalog.tables import Instrument, StorageLocation, StorageType
from streamweave.errors import InvalidInput
from streamweave.facility import Facility, facility_of
from streamweave.journal.readoption import Readoption
from streamweave.journal.rebuilding import NOT_IN_JOURNALS, Rebuilt, is_without_address, rebuild
from streamweave.printable import counted
from streamweave.sealing import Sealer
from streamweave.storage.locations import normalise
from streamweave.storage.s3.connection import SCHEME
from streamweave_cli.backup import beside_the_original
from streamweave_cli.configuration import shown_by_dagster
from streamweave_cli.running_system import HomeOption, settings_of
from streamweave_cli.terminal import one_sentence, say

SOMETHING_DIFFERS = 1


def rebuild_catalog(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[PLACE]…", help="Folders of storage locations, as their base_path.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="A JSON file with storage_locations as `configure` takes them: for buckets, which need keys."
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Fill an empty catalog from the journals of storage locations: files, versions, identifiers, proofs."""
    console = Console()

    def on_progress(readoption: Readoption) -> None:
        say(console, f"{readoption.location}: {counted(readoption.entries, 'copy', 'copies')} read")

    with one_sentence(), closing(facility_of(settings := settings_of(home))) as facility:
        sealer = Sealer(settings.encryption_keys.get_secret_value())
        locations = _locations(places or [], _entries(manifest), sealer)
        if not locations:
            raise InvalidInput("place", "name at least one place, or a manifest")
        rebuilt = rebuild(facility, locations, on_progress)
        for sentence in (*_found(rebuilt), *_left_to_enter(facility)):
            say(console, sentence)
        say(console, shown_by_dagster(settings))
    if rebuilt.unread or any(each.conflicts or each.illegible for each in rebuilt.readoptions):
        raise typer.Exit(SOMETHING_DIFFERS)


def _entries(manifest: Path | None) -> list[dict[str, Any]]:
    if manifest is None:
        return []
    try:
        return list(json.loads(manifest.read_text())["storage_locations"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput("manifest", f"{manifest} must be a JSON object with storage_locations: {error}") from error


def _locations(places: list[str], entries: list[dict[str, Any]], sealer: Sealer) -> list[StorageLocation]:
    """Rows that are not in the catalog yet. Raises ``InvalidInput``."""
    locations = []
    for entry in [*({"base_path": place} for place in places), *entries]:
        base_path = str(entry.get("base_path", ""))
        kind = StorageType.S3 if base_path.startswith(SCHEME) else StorageType.POSIX
        location = StorageLocation(
            name=entry.get("name", ""),
            type=kind,
            base_path=base_path if kind == StorageType.S3 else str(Path(base_path).absolute()),
            connection_config=entry.get("connection_config", {}),
            enabled=entry.get("enabled", True),
        )
        normalise(location, sealer)
        locations.append(location)
    return locations


def _found(rebuilt: Rebuilt) -> Iterator[str]:
    for each in rebuilt.readoptions:
        rows = f"{counted(each.files, 'file')}, {counted(each.versions, 'version')}"
        yield f"{each.location}: {rows}, {counted(each.copies, 'copy', 'copies')} came back"
        yield from (f"  {conflict}" for conflict in each.conflicts)
        if each.illegible:
            yield f"  {counted(each.illegible, 'line')} could not be read"
    yield from (f"not read: {sentence}" for sentence in rebuilt.unread)
    if rebuilt.unread:
        yield (
            "What was not read is read by the same command again, before any instrument's host is entered; later by "
            "`streamweave verify`. Do that before anything is harvested."
        )
    yield f"the catalog is {rebuilt.catalog_id} again"


def _left_to_enter(facility: Facility) -> Iterator[str]:
    with facility.sessions() as session:
        for instrument in session.scalars(select(Instrument).order_by(Instrument.slug)):
            if is_without_address(instrument):
                yield (
                    f"{instrument.slug}: disabled; enter its cifs_host and service_account_id (with "
                    '"address_change": "same_files" in the same request), correct its address if it is another one '
                    f"(share {instrument.cifs_share}, base path {instrument.cifs_base_path}), "
                    "give it a schedule, then enable it"
                )
    yield "What journals can't know, and is to be entered anew or is lost:"
    yield from (f"  {what}" for what in NOT_IN_JOURNALS)
    yield "Compare it with the archive: streamweave verify"
    yield beside_the_original("", "an instrument is enabled")
