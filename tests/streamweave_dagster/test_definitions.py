"""The code location is what the catalog's rows ask for."""

from typing import Any

import dagster as dg
import pytest
from sqlalchemy.engine import Engine

from streamweave.catalog.tables import Base, Schedule
from streamweave.errors import StartError
from streamweave.facility import Facility
from streamweave.instruments.instruments import delete_instrument, restore_instrument
from streamweave.instruments.schedules import delete_schedule
from streamweave_dagster.definitions import code_location, definitions_of, the_facility


def test_a_facility_without_instruments_loads(lab: Any) -> None:
    dg.Definitions.validate_loadable(lab.definitions)
    repository = lab.definitions.get_repository_def()
    assert [each.name for each in repository.sensor_defs] == ["alerts", "lost_runs"]
    assert repository.has_job("harvest")


def test_each_instrument_has_its_asset_sensor_schedule_and_checks(lab: Any) -> None:
    names = ("Microscope 01", "Spectrometer 01", "Röntgen / Ω 3")
    instruments = [lab.add_instrument(name.replace("/", "-"), slug=f"i{n}") for n, name in enumerate(names)]
    dg.Definitions.validate_loadable(lab.definitions)
    graph = lab.definitions.resolve_asset_graph()
    assert graph.materializable_asset_keys == {dg.AssetKey(["instruments", each.slug]) for each in instruments}
    assert len(graph.asset_check_keys) == 3 * len(instruments)
    repository = lab.definitions.get_repository_def()
    assert {each.name for each in repository.sensor_defs} == {
        "alerts",
        "lost_runs",
        "new_files_i0",
        "new_files_i1",
        "new_files_i2",
    }
    assert len(repository.schedule_defs) == 3 + 2


def test_what_is_deleted_is_out_of_dagsters_sight_until_it_is_restored(lab: Any, microscope: Any) -> None:
    spectrometer = lab.add_instrument("Spectrometer 01")
    with lab.sessions.begin() as session:
        delete_instrument(session, microscope.id)
        delete_schedule(session, session.query(Schedule).filter_by(instrument_id=spectrometer.id).one().id)
    repository = lab.definitions.get_repository_def()
    assert {each.name for each in repository.sensor_defs} == {"alerts", "lost_runs", "new_files_spectrometer_01"}
    nightly = ["check_instruments_nightly", "sweep_archive_nightly"]
    assert sorted(each.name for each in repository.schedule_defs) == nightly
    with lab.sessions.begin() as session:
        restore_instrument(session, microscope.id)
    repository = lab.definitions.get_repository_def()
    assert len(repository.sensor_defs) == 2 + 2
    assert len(repository.schedule_defs) == 3


def test_every_job_runs_in_one_process(lab: Any, microscope: Any) -> None:
    repository = lab.definitions.get_repository_def()
    executors = {job.name: job.executor_def.name for job in repository.get_all_jobs()}
    assert set(executors) >= {"harvest", "check_instruments", "sweep_archive"}
    assert set(executors.values()) == {"in_process"}


def test_without_a_catalog_the_reason_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMWEAVE_DATABASE_URL", raising=False)
    the_facility.cache_clear()
    with pytest.raises(StartError, match="set STREAMWEAVE_DATABASE_URL"):
        code_location()


def test_a_database_that_holds_no_catalog_is_named_as_such(lab: Any, engine: Engine) -> None:
    Base.metadata.drop_all(engine)
    with pytest.raises(StartError, match="holds no catalog"):
        definitions_of(lab.facility)


def test_a_catalog_that_does_not_answer_is_named_as_such(lab: Any, closed_catalog: Facility) -> None:
    with pytest.raises(StartError, match="does not answer") as caught:
        definitions_of(closed_catalog)
    assert "secret" not in str(caught.value)
