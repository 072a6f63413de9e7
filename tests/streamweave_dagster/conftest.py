"""A facility whose instruments stand on shares in memory, and Dagster instances that leave nothing behind."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from cryptography.fernet import Fernet
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.utils import make_new_run_id

from fakes.memory_source import Laboratory
from streamweave import ark
from streamweave.catalog.session import Sessions, catalog_engine, catalog_sessions
from streamweave.catalog.tables import Instrument, StorageLocation
from streamweave.facility import Facility
from streamweave.instruments.instruments import create_instrument
from streamweave.instruments.schedules import create_schedule
from streamweave.sealing import Sealer
from streamweave.storage.locations import create_storage_location
from streamweave.storage.opening import open_storage
from streamweave_dagster.definitions import definitions_of

SEALER = Sealer(Fernet.generate_key().decode())


@dataclass
class Lab:
    """The facility, what stands on its shares, and a clock that waiting moves on."""

    sessions: Sessions
    archive: Path
    shares: dict[str, Laboratory] = field(default_factory=dict)
    waited: timedelta = timedelta()

    @property
    def facility(self) -> Facility:
        """What the code location is made from."""
        return Facility(
            sessions=self.sessions,
            open_source=lambda instrument: self.shares[instrument.slug].source(),
            open_storage=open_storage,
            mint_identifier=lambda: ark.mint("99999", "fk4"),
            now=self.now,
            wait=lambda seconds: self.wait(timedelta(seconds=seconds)),
        )

    @property
    def definitions(self) -> dg.Definitions:
        """The code location, as it would be loaded now."""
        return definitions_of(self.facility)

    def now(self) -> datetime:
        """The facility's clock."""
        return datetime.now(UTC) + self.waited

    def wait(self, time: timedelta) -> None:
        """Let time pass for the facility."""
        self.waited += time

    def add_instrument(self, name: str, *, scheduled: bool = True, **fields: object) -> Instrument:
        """An instrument with an empty share of its own, and a schedule unless told otherwise."""
        with self.sessions.begin() as session:
            instrument = create_instrument(
                session, {"name": name, "cifs_host": "pc.example", "cifs_share": "share", **fields}
            )
        self.shares[instrument.slug] = Laboratory()
        if scheduled:
            self.add_schedule(instrument)
        return instrument

    def add_schedule(self, instrument: Instrument, **fields: object) -> None:
        """A nightly schedule into the archive."""
        with self.sessions.begin() as session:
            location = session.query(StorageLocation).first() or create_storage_location(
                session, SEALER, {"name": "archive", "base_path": str(self.archive)}
            )
            values = {"cron_expression": "0 3 * * *", **fields}
            values |= {"instrument_id": instrument.id, "default_storage_location_id": location.id}
            create_schedule(session, values)

    def write(self, instrument: Instrument, name: str, content: bytes = b"data", *, days_ago: int = 1) -> datetime:
        """Let the instrument write a file; returns its mtime."""
        mtime = datetime.now(UTC) - timedelta(days=days_ago)
        self.shares[instrument.slug].write(f"share/{name}", content, mtime)
        return mtime

    def day(self, days_ago: int) -> str:
        """The partition of what was written so many days ago."""
        return (datetime.now(UTC) - timedelta(days=days_ago)).date().isoformat()


@pytest.fixture
def lab(sessions: Sessions, tmp_path: Path) -> Lab:
    """A facility without instruments."""
    return Lab(sessions, tmp_path / "archive")


@pytest.fixture
def microscope(lab: Lab) -> Instrument:
    """An instrument with a schedule and an empty share."""
    return lab.add_instrument("Microscope 01")


@pytest.fixture
def closed_catalog(lab: Lab) -> Iterator[Facility]:
    """A facility whose database nobody serves."""
    engine = catalog_engine("postgresql://streamweave:secret@127.0.0.1:1/streamweave")
    yield replace(lab.facility, sessions=catalog_sessions(engine))
    engine.dispose()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster of our own."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.ephemeral(tempdir=str(folder)) as instance:
        yield instance


@dataclass
class Orchestra:
    """Plays the code location as Dagster's daemon and its run workers would."""

    lab: Lab
    instance: dg.DagsterInstance

    def materialize(self, instrument: Instrument, **tags: str) -> dg.ExecuteInProcessResult:
        """Materialize the partitions that the tags name, ``/`` written as ``__``, without checks."""
        key = dg.AssetKey(["instruments", instrument.slug])
        job = dg.define_asset_job("materialize", dg.AssetSelection.assets(key).without_checks())
        definitions = dg.Definitions.merge(self.lab.definitions, dg.Definitions(jobs=[job]))
        return definitions.resolve_job_def("materialize").execute_in_process(
            instance=self.instance,
            tags={f"dagster/{name}": value for name, value in tags.items()},
            raise_on_error=False,
        )

    def harvest(self, slug: str) -> dg.ExecuteInProcessResult:
        """Run the job ``harvest``."""
        return self.lab.definitions.resolve_job_def("harvest").execute_in_process(
            run_config={"ops": {"discover": {"config": {"instrument": slug}}}},
            tags={"instrument": slug},
            instance=self.instance,
            raise_on_error=False,
        )

    def sweep(self) -> dg.ExecuteInProcessResult:
        """Run the job ``sweep_archive``, a minute later."""
        self.lab.wait(timedelta(minutes=1))
        job = self.lab.definitions.resolve_job_def("sweep_archive")
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def check(self) -> dict[str, dg.AssetCheckEvaluation]:
        """Run the job ``check_instruments``; the evaluations by check."""
        job = self.lab.definitions.resolve_job_def("check_instruments")
        result = job.execute_in_process(instance=self.instance)
        return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}

    def tick(self, instrument: Instrument) -> SensorExecutionData:
        """One tick of the instrument's sensor."""
        repository = self.lab.definitions.get_repository_def()
        resources = {"facility": self.lab.facility}
        with dg.build_sensor_context(instance=self.instance, repository_def=repository, resources=resources) as context:
            return repository.get_sensor_def(f"new_files_{instrument.slug}").evaluate_tick(context)

    def add_run(
        self, status: dg.DagsterRunStatus, instrument: str = "microscope_01", location: str = "streamweave"
    ) -> str:
        """A run on record, as if Dagster had got that far with it; its id."""
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")
        run = dg.DagsterRun(
            job_name="harvest",
            run_id=make_new_run_id(),
            status=status,
            tags={"instrument": instrument},
            remote_job_origin=repository.get_job_origin("harvest"),
        )
        self.instance.add_run(run)
        return run.run_id

    @staticmethod
    def materializations(result: dg.ExecuteInProcessResult) -> dict[str | None, dict[str, Any]]:
        """The metadata of each materialized partition, as plain values; the table as a list of rows."""
        found: dict[str | None, dict[str, Any]] = {}
        for event in result.get_asset_materialization_events():
            metadata = event.step_materialization_data.materialization.metadata
            told = {name: value.value for name, value in metadata.items() if name != "table"}
            found[event.partition] = told | {"table": [row.data for row in metadata["table"].records]}
        return found

    @staticmethod
    def complaint(result: dg.ExecuteInProcessResult) -> str:
        """What the first failed step says."""
        assert not result.success
        return next(str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure)


@pytest.fixture
def orchestra(lab: Lab, instance: dg.DagsterInstance) -> Orchestra:
    """Everything that Dagster would run, in this process."""
    return Orchestra(lab, instance)
