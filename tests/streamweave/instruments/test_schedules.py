import uuid
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Schedule, StorageLocation
from streamweave.errors import InvalidInput
from streamweave.instruments.dagster import harvest_run_config, harvest_run_tags
from streamweave.instruments.instruments import create_instrument
from streamweave.instruments.schedules import create_schedule, delete_schedule, destinations, update_schedule
from streamweave.sealing import Sealer
from streamweave.storage.locations import create_storage_location, update_storage_location

SEALER = Sealer(Fernet.generate_key().decode())


@pytest.fixture
def instrument_id(sessions: Sessions) -> uuid.UUID:
    with sessions.begin() as session:
        return create_instrument(session, {"name": "Microscope 01", "cifs_host": "a", "cifs_share": "a"}).id


@pytest.fixture
def locations(sessions: Sessions, tmp_path: Path) -> list[StorageLocation]:
    found = []
    for name in ["Zeta", "Alpha"]:
        with sessions.begin() as session:
            found.append(create_storage_location(session, SEALER, {"name": name, "base_path": str(tmp_path / name)}))
    return found


def schedule(session: Session, instrument_id: uuid.UUID, location: StorageLocation) -> Schedule:
    values = {"instrument_id": instrument_id, "default_storage_location_id": location.id}
    return create_schedule(session, {**values, "cron_expression": "0 * * * *"})


def test_dagster_knows_a_schedule_by_slug_and_id(
    sessions: Sessions, instrument_id: uuid.UUID, locations: list[StorageLocation]
) -> None:
    with sessions.begin() as session:
        created = schedule(session, instrument_id, locations[0])
        assert created.dagster_schedule_name == f"harvest_microscope_01_{created.id.hex[:8]}"


def test_without_a_schedule_there_is_no_destination(sessions: Sessions, instrument_id: uuid.UUID) -> None:
    with sessions() as session:
        assert destinations(session, instrument_id) == []


def test_destinations_are_what_enabled_schedules_name_each_once_oldest_first(
    sessions: Sessions, instrument_id: uuid.UUID, locations: list[StorageLocation]
) -> None:
    older, newer = locations
    with sessions.begin() as session:
        schedule(session, instrument_id, newer)
        schedule(session, instrument_id, newer)
        other = schedule(session, instrument_id, older)
        assert [place.name for place in destinations(session, instrument_id)] == ["Zeta", "Alpha"]
        update_schedule(session, other.id, {"enabled": False})
        assert [place.name for place in destinations(session, instrument_id)] == ["Alpha"]
        update_storage_location(session, SEALER, newer.id, {"enabled": False})
        assert destinations(session, instrument_id) == []
        delete_schedule(session, other.id)


def test_a_schedule_moves_to_places_that_exist_only(
    sessions: Sessions, instrument_id: uuid.UUID, locations: list[StorageLocation]
) -> None:
    with sessions.begin() as session:
        created = schedule(session, instrument_id, locations[0])
        moved = update_schedule(session, created.id, {"default_storage_location_id": locations[1].id})
        assert moved.default_storage_location_id == locations[1].id
        with pytest.raises(InvalidInput, match="default_storage_location_id"):
            update_schedule(session, created.id, {"default_storage_location_id": uuid.uuid4()})
        with pytest.raises(InvalidInput, match="instrument_id"):
            update_schedule(session, created.id, {"instrument_id": instrument_id})


def test_a_harvest_is_told_its_instrument_in_one_way() -> None:
    assert harvest_run_config("a") == {"ops": {"discover": {"config": {"instrument": "a"}}}}
    assert harvest_run_tags("a") == {"instrument": "a"}
