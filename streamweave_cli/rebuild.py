"""`streamweave rebuild`: a new catalog from the journals in the archive, when catalog and backups are lost."""

import json
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

PlacesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[PLACE]…", help="Folders of storage locations, as their base_path.")
]
ManifestOption = Annotated[
    Path | None,
    typer.Option(help="A JSON file with storage_locations as `configure` takes them: for buckets, which need keys."),
]


def rebuild_catalog(places: PlacesArgument = None, manifest: ManifestOption = None, home: HomeOption = None) -> None:
    """Fill an empty catalog from the journals of storage locations: files, versions, identifiers, proofs."""
    console = Console()
    with one_sentence(), closing(facility_of(settings := settings_of(home))) as facility:
        sealer = Sealer(settings.encryption_keys.get_secret_value())
        locations = _locations(places or [], _entries(manifest), sealer)
        if not locations:
            raise InvalidInput("place", "name at least one place, or a manifest")
        rebuilt = rebuild(facility, locations, lambda readoption: _show_progress(console, readoption))
        _show(console, facility, rebuilt)
        say(console, shown_by_dagster(settings))
    if rebuilt.unread or any(each.conflicts or each.illegible for each in rebuilt.readoptions):
        raise typer.Exit(SOMETHING_DIFFERS)


def _entries(manifest: Path | None) -> list[dict[str, Any]]:
    if manifest is None:
        return []
    try:
        content = json.loads(manifest.read_text())
        entries: list[dict[str, Any]] = list(content["storage_locations"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput("manifest", f"{manifest} must be a JSON object with storage_locations: {error}") from error
    return entries


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


def _show_progress(console: Console, readoption: Readoption) -> None:
    say(console, f"{readoption.location}: {counted(readoption.entries, 'copy', 'copies')} read")


def _show(console: Console, facility: Facility, rebuilt: Rebuilt) -> None:
    for each in rebuilt.readoptions:
        rows = f"{counted(each.files, 'file')}, {counted(each.versions, 'version')}"
        say(console, f"{each.location}: {rows}, {counted(each.copies, 'copy', 'copies')} came back")
        for conflict in each.conflicts:
            say(console, f"  {conflict}")
        if each.illegible:
            say(console, f"  {counted(each.illegible, 'line')} could not be read")
    for sentence in rebuilt.unread:
        say(console, f"not read: {sentence}")
    if rebuilt.unread:
        say(
            console,
            "What was not read is read by the same command again, before any instrument's host is entered; later by "
            "`streamweave verify`. Do that before anything is harvested.",
        )
    say(console, f"the catalog is {rebuilt.catalog_id} again")
    with facility.sessions() as session:
        for instrument in session.scalars(select(Instrument).order_by(Instrument.slug)):
            if is_without_address(instrument):
                address = f"share {instrument.cifs_share}, base path {instrument.cifs_base_path}"
                say(
                    console,
                    f"{instrument.slug}: disabled; enter its cifs_host and service_account_id (with "
                    '"address_change": "same_files" in the same request), '
                    f"correct its address if it is another one ({address}), give it a schedule, then enable it",
                )
    say(console, "What journals can't know, and is to be entered anew or is lost:")
    for what in NOT_IN_JOURNALS:
        say(console, f"  {what}")
    say(console, "Compare it with the archive: streamweave verify")
    say(console, beside_the_original("", "an instrument is enabled"))
