from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import StorageLocation
from streamweave.errors import Conflict, InvalidInput
from streamweave.hooks.configuration import create_hook
from streamweave.instruments.instruments import create_instrument
from streamweave.instruments.schedules import create_schedule
from streamweave.sealing import Sealer
from streamweave.storage.locations import create_storage_location, delete_storage_location, update_storage_location

SEALER = Sealer(Fernet.generate_key().decode())


def archive(session: Session, base_path: Path, name: str = "Archive") -> StorageLocation:
    return create_storage_location(session, SEALER, {"name": name, "base_path": str(base_path)})


def scheduled(session: Session, location: StorageLocation) -> None:
    instrument = create_instrument(session, {"name": "A", "cifs_host": "a", "cifs_share": "a"})
    values = {"instrument_id": instrument.id, "default_storage_location_id": location.id}
    create_schedule(session, {**values, "cron_expression": "0 * * * *"})


def test_a_new_location_is_made_ready_at_once(sessions: Sessions, tmp_path: Path) -> None:
    with sessions.begin() as session:
        location = archive(session, tmp_path / "deep" / "archive")
    assert Path(location.base_path).is_dir()


def test_a_place_that_can_not_be_written_is_refused(sessions: Sessions, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with sessions() as session, pytest.raises(InvalidInput) as refused:
        archive(session, tmp_path / "file" / "archive")
    assert refused.value.field == "base_path"


@pytest.mark.parametrize("place", ["archive", "archive/inside", ".", "link", "link/inside"])
def test_locations_lie_apart(sessions: Sessions, tmp_path: Path, place: str) -> None:
    with sessions() as session:
        archive(session, tmp_path / "archive")
        (tmp_path / "link").symlink_to(tmp_path / "archive")
        with pytest.raises(InvalidInput, match="base_path"):
            archive(session, tmp_path / place, "Other")
        archive(session, tmp_path / "archive-2", "Beside")
        assert session.scalar(select(func.count()).select_from(StorageLocation)) == 2


def test_a_location_that_is_not_in_use_can_move_and_go(sessions: Sessions, tmp_path: Path) -> None:
    with sessions.begin() as session:
        location = archive(session, tmp_path / "archive")
        moved = update_storage_location(session, SEALER, location.id, {"base_path": f"{tmp_path}//archive/new/"})
        assert moved.base_path == str(tmp_path / "archive" / "new")
        delete_storage_location(session, location.id)
    assert (tmp_path / "archive" / "new").is_dir()


@pytest.mark.parametrize(
    "change",
    [
        lambda session, location: delete_storage_location(session, location.id),
        lambda session, location: update_storage_location(session, SEALER, location.id, {"base_path": "/elsewhere"}),
    ],
)
def test_a_location_that_a_schedule_names_stays_where_it_is(
    sessions: Sessions, tmp_path: Path, change: Callable[[Session, StorageLocation], None]
) -> None:
    with sessions.begin() as session:
        location = archive(session, tmp_path / "archive")
        scheduled(session, location)
        with pytest.raises(Conflict, match="named by a schedule"):
            change(session, location)


def test_a_location_in_use_can_be_renamed_disabled_and_given_its_own_path_again(
    sessions: Sessions, tmp_path: Path
) -> None:
    with sessions.begin() as session:
        location = archive(session, tmp_path / "archive")
        scheduled(session, location)
        changes = {"name": "New", "enabled": False, "base_path": location.base_path, "type": "posix"}
        assert update_storage_location(session, SEALER, location.id, changes).name == "New"


def test_a_location_that_a_hook_redirects_to_keeps_its_name(sessions: Sessions, tmp_path: Path) -> None:
    with sessions.begin() as session:
        location = archive(session, tmp_path / "archive")
        rules = [{"pattern": "*.raw", "destination": "Archive"}]
        values = {"name": "Raw data", "trigger": "pre_transfer", "builtin_name": "file_filter"}
        create_hook(session, {**values, "config": {"redirect_rules": rules}})
        with pytest.raises(Conflict, match="named by the hook Raw data"):
            update_storage_location(session, SEALER, location.id, {"name": "New"})
        with pytest.raises(Conflict, match="named by the hook Raw data"):
            delete_storage_location(session, location.id)
