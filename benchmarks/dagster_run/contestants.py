"""The two ways to harvest: through Dagster, and through the core alone. Each turn has an instrument of its own."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.contest import Contestant, Turn
from benchmarks.dagster_run.core_process import WHOLE
from benchmarks.dagster_run.system import running_system
from benchmarks.dagster_run.timeline import LaunchParts, events_of
from benchmarks.data import Dataset
from benchmarks.errors import BenchmarkFailed
from benchmarks.measured import Measured
from benchmarks.proof import expect_archived
from benchmarks.setting import Setting
from benchmarks.site import manifest, serve_datasets
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.manifest import apply_manifest
from streamweave_api.dagster import Dagster, RunBody

DAGSTER = "through Dagster"
CORE = "through the core"
POLL_SECONDS = 0.2
RUN_SECONDS = 600


@dataclass(frozen=True)
class Entry:
    """A running system that knows two instruments for each round, all with the same share."""

    setting: Setting
    dataset: Dataset
    environment: Mapping[str, str]
    archives: Mapping[str, Path]
    dagster: Dagster
    slugs: Iterator[str]

    @classmethod
    @contextmanager
    def ready(cls, setting: Setting, dataset: Dataset) -> Iterator[Self]:
        """Start everything, and enter the instruments."""
        slugs = [f"instrument_{number}" for number in range(2 * setting.rounds)]
        archives = {slug: setting.work / "archives" / slug for slug in slugs}
        with serve_datasets(setting, [dataset]) as server, running_system(setting.work) as environment:
            with open_catalog(environment["STREAMWEAVE_DATABASE_URL"]) as engine:
                apply_manifest(
                    catalog_sessions(engine),
                    environment["STREAMWEAVE_ENCRYPTION_KEYS"],
                    manifest(server, dataset.name, archives),
                )
            dagster = Dagster(environment["STREAMWEAVE_DAGSTER_URL"], environment["STREAMWEAVE_DAGSTER_TOKEN"])
            dagster.reload_location()
            yield cls(setting, dataset, environment, archives, dagster, iter(slugs))
            dagster.close()

    def contestants(self) -> list[Contestant]:
        """Both ways."""
        return [Contestant(DAGSTER, self.run_job), Contestant(CORE, self.harvest)]

    def run_job(self, _scratch: Path) -> Turn:
        """Launch the job and wait for its end. ``seconds`` are those between its start event and its end."""
        slug = next(self.slugs)
        launched_at = time.time()
        run_id = self.dagster.launch_harvest(slug)
        run = self._ended(run_id)
        if run.status != "SUCCESS" or run.started_at is None or run.ended_at is None:
            raise BenchmarkFailed(f"the run through Dagster ended with {run.status}: {run.error}")
        url, token = (self.environment[f"STREAMWEAVE_DAGSTER_{what}"] for what in ("URL", "TOKEN"))
        parts = LaunchParts.of(launched_at, events_of(url, token, run_id))
        return self._turn(slug, (run.ended_at - run.started_at).total_seconds(), 0.0, parts.seconds)

    def harvest(self, scratch: Path) -> Turn:
        """The same in a process without Dagster."""
        slug = next(self.slugs)
        module = "benchmarks.dagster_run.core_process"
        measured = Measured.of_process(module, slug, environment=self.environment, folder=scratch)
        return self._turn(slug, measured.seconds[WHOLE], measured.cpu_seconds[WHOLE], {})

    def _turn(self, slug: str, seconds: float, cpu_seconds: float, details: Mapping[str, float]) -> Turn:
        url = self.environment["STREAMWEAVE_DATABASE_URL"]
        expect_archived(self.dataset, url, self.archives[slug], slug)
        return Turn(seconds, self.dataset.files, self.dataset.bytes, cpu_seconds, details)

    def _ended(self, run_id: str) -> RunBody:
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            run = self.dagster.run(run_id)
            if run.ended_at is not None:
                return run
            time.sleep(POLL_SECONDS)
        raise BenchmarkFailed(f"the run through Dagster took longer than {RUN_SECONDS} s")
