import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileRecord, Instrument
from streamweave.errors import Conflict, InvalidInput, NotFound
from streamweave.harvest.instrument_changes import update_instrument
from streamweave.instruments.fields import slug_from
from streamweave.instruments.instruments import (
    create_instrument,
    delete_instrument,
    instrument_by_slug,
    restore_instrument,
)

MICROSCOPE = {"name": "Microscope 01", "cifs_host": "microscope-01", "cifs_share": "microscope"}


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("X-Ray Diffraction 01", "x_ray_diffraction_01"),
        ("Röntgen (2)", "rontgen_2"),
        ("  a  ", "a"),
        ("x" * 100, "x" * 63),
    ],
)
def test_a_slug_is_made_from_the_name(name: str, slug: str) -> None:
    assert slug_from(name) == slug


def test_a_name_of_which_nothing_is_left_needs_a_slug(sessions: Sessions) -> None:
    with sessions() as session:
        with pytest.raises(InvalidInput, match="slug"):
            create_instrument(session, {**MICROSCOPE, "name": "顕微鏡"})
        assert (
            create_instrument(session, {**MICROSCOPE, "name": "顕微鏡", "slug": "kenbikyo"}).archive_folder == "顕微鏡"
        )


def test_a_renamed_instrument_keeps_its_slug_and_its_folder(sessions: Sessions) -> None:
    with sessions.begin() as session:
        instrument = create_instrument(session, MICROSCOPE)
        update_instrument(session, instrument.id, {"name": "Old Microscope"})
        assert (instrument.name, instrument.slug, instrument.archive_folder) == (
            "Old Microscope",
            "microscope_01",
            "Microscope 01",
        )
        with pytest.raises(Conflict, match="folder"):
            create_instrument(session, {**MICROSCOPE, "slug": "new"})


def test_names_that_differ_in_capitals_are_the_same(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = create_instrument(session, MICROSCOPE)
        with pytest.raises(Conflict, match="name"):
            create_instrument(session, {**MICROSCOPE, "name": "MICROSCOPE 01", "slug": "other"})
        second = create_instrument(session, {**MICROSCOPE, "name": "Microscope 02"})
        with pytest.raises(Conflict, match="name"):
            update_instrument(session, second.id, {"name": "microscope 01"})
        assert update_instrument(session, first.id, {"name": "microscope 01"}).name == "microscope 01"


def test_two_names_that_give_the_same_slug_conflict(sessions: Sessions) -> None:
    with sessions() as session:
        create_instrument(session, MICROSCOPE)
        with pytest.raises(Conflict, match="slug"):
            create_instrument(session, {**MICROSCOPE, "name": "Microscope-01"})


def test_the_wait_outlasts_the_quiet_period(sessions: Sessions) -> None:
    with sessions() as session:
        with pytest.raises(InvalidInput, match="max_wait_seconds"):
            create_instrument(session, {**MICROSCOPE, "quiet_period_seconds": 60, "max_wait_seconds": 59})
        instrument = create_instrument(session, MICROSCOPE)
        with pytest.raises(InvalidInput, match="max_wait_seconds"):
            update_instrument(session, instrument.id, {"max_wait_seconds": 1})


def test_a_transfer_config_holds_known_keys_only(sessions: Sessions) -> None:
    with sessions() as session:
        config = {"timeout_seconds": 20, "connections": 4, "bytes_per_second": 2e7, "hours": ["19:00-07:00"]}
        assert create_instrument(session, {**MICROSCOPE, "transfer_config": config}).transfer_config == config
        for key, value in {
            "connections": 0,
            "timeout_seconds": float("nan"),
            "rclone": True,
            "bytes_per_second": 0,
            "hours": "19:00-07:00",
        }.items():
            with pytest.raises(InvalidInput) as refused:
                create_instrument(session, {**MICROSCOPE, "name": "Other", "transfer_config": {key: value}})
            assert refused.value.field == f"transfer_config.{key}"


@pytest.mark.parametrize(
    ("hours", "problem"),
    [
        ([], "a list of 1 to 24 spans"),
        ([7], "text only"),
        (["19-7"], "'19-7' is not a span of hours like 19:00-07:00"),
        (["07:00-07:00"], "ends when it begins"),
    ],
)
def test_hours_that_are_none_are_refused_with_the_reason(sessions: Sessions, hours: object, problem: str) -> None:
    with sessions() as session, pytest.raises(InvalidInput, match=problem) as refused:
        create_instrument(session, {**MICROSCOPE, "transfer_config": {"hours": hours}})
    assert refused.value.field == "transfer_config.hours"


def test_nothing_of_a_refused_change_is_kept(sessions: Sessions) -> None:
    with sessions.begin() as session:
        instrument = create_instrument(session, MICROSCOPE)
    with sessions.begin() as session, pytest.raises(InvalidInput):
        update_instrument(session, instrument.id, {"location": "Lab B", "timezone": "Europe/Atlantis"})
    with sessions() as session:
        assert session.get_one(Instrument, instrument.id).location is None


def test_a_deleted_instrument_keeps_its_files_and_can_be_restored(sessions: Sessions) -> None:
    with sessions.begin() as session:
        instrument = create_instrument(session, {**MICROSCOPE, "first_acquisition_day": "2024-02-29"})
        _file_of(session, instrument)
        delete_instrument(session, instrument.id)
        assert instrument_by_slug(session, "microscope_01") is None
        with pytest.raises(NotFound, match="Instrument not found"):
            delete_instrument(session, instrument.id)
    with sessions.begin() as session:
        assert session.scalar(select(FileRecord.instrument_id)) == instrument.id
        assert restore_instrument(session, instrument.id).first_acquisition_day == date(2024, 2, 29)
        with pytest.raises(NotFound, match="Deleted instrument not found"):
            restore_instrument(session, instrument.id)


def test_slug_and_folder_of_a_deleted_instrument_are_never_given_away(sessions: Sessions) -> None:
    with sessions.begin() as session:
        delete_instrument(session, create_instrument(session, MICROSCOPE).id)
        with pytest.raises(
            Conflict,
            match=r"^slug: .* deleted instrument .*: restore it with POST /api/instruments/.*/restore",
        ):
            create_instrument(session, MICROSCOPE)
        with pytest.raises(Conflict, match=r"belongs to the deleted instrument Microscope 01: restore it with POST "):
            create_instrument(session, {**MICROSCOPE, "slug": "other"})


def test_an_instrument_whose_name_was_taken_meanwhile_is_not_restored(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = create_instrument(session, MICROSCOPE)
        second = create_instrument(session, {**MICROSCOPE, "name": "Microscope 02"})
        delete_instrument(session, first.id)
        update_instrument(session, second.id, {"name": "MICROSCOPE 01"})
        with pytest.raises(Conflict, match="name: an instrument named Microscope 01 exists already"):
            restore_instrument(session, first.id)


def _file_of(session: Session, instrument: Instrument) -> None:
    session.add(
        FileRecord(
            instrument_id=instrument.id,
            source_path="microscope/scan_01.csv",
            folder="microscope",
            filename="scan_01.csv",
            persistent_id=f"ark:/99999/fk4{uuid.uuid4().hex}",
            size_bytes=23,
            source_mtime=datetime(2026, 2, 24, tzinfo=UTC),
            first_discovered_at=datetime(2026, 2, 24, tzinfo=UTC),
        )
    )
    session.flush()


def test_a_marker_of_acquisitions_needs_to_know_in_which_folders_it_stands(sessions: Sessions) -> None:
    with sessions.begin() as session:
        with pytest.raises(InvalidInput, match="marker_name: needs acquisition_depth"):
            create_instrument(session, {**MICROSCOPE, "marker_name": "done.txt"})
        instrument = create_instrument(session, {**MICROSCOPE, "marker_name": "done.txt", "acquisition_depth": 2})
        with pytest.raises(InvalidInput, match="marker_name: needs acquisition_depth"):
            update_instrument(session, instrument.id, {"acquisition_depth": None})
        changed = update_instrument(session, instrument.id, {"acquisition_depth": None, "marker_name": None})
        assert changed.acquisition_depth is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("acquisition_depth", 0),
        ("acquisition_depth", 33),
        ("growing_files", "copy"),
        ("rehash_share", 1.1),
        ("rehash_bytes", -1),
        ("marker_name", "run/done.txt"),
        ("cleanup_acknowledged_at", None),
    ],
)
def test_what_makes_no_sense_for_settling_is_refused(sessions: Sessions, field: str, value: object) -> None:
    with sessions() as session, pytest.raises(InvalidInput, match=field):
        create_instrument(session, {**MICROSCOPE, "acquisition_depth": 2, field: value})


@pytest.mark.parametrize(
    ("timezone", "missing"),
    [
        ("Pacific/Apia", "2011-12-30"),
        ("Pacific/Fakaofo", "2011-12-30"),
        ("Pacific/Kiritimati", "1994-12-31"),
        ("Pacific/Kwajalein", "1993-08-21"),
    ],
)
def test_a_first_day_that_the_time_zone_never_had_is_refused(sessions: Sessions, timezone: str, missing: str) -> None:
    with sessions() as session, pytest.raises(InvalidInput) as refused:
        create_instrument(session, MICROSCOPE | {"timezone": timezone, "first_acquisition_day": missing})
    assert str(refused.value) == (
        f"first_acquisition_day: {timezone} never had the day {missing}: take the one after it"
    )
    with sessions.begin() as session:
        instrument = create_instrument(session, MICROSCOPE | {"first_acquisition_day": missing})
        with pytest.raises(InvalidInput, match=r"^first_acquisition_day: "):
            update_instrument(session, instrument.id, {"timezone": timezone})
        following = date.fromisoformat(missing) + timedelta(days=1)
        changes = {"timezone": timezone, "first_acquisition_day": following}
        assert update_instrument(session, instrument.id, changes).first_acquisition_day == following
