"""Who takes part: we, rclone, smbclient, and as ceilings, for they need no share at all, cp and dd.

Ours ends when every file is archived: verified by reading it back, durable, and catalogued. None of the others
verifies, waits for the disk, or keeps a catalog; but dd writes to the device, and then reads back from it, as anybody
has to who proves a copy.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

from benchmarks import rclone, smbclient
from benchmarks.contest import Contestant, Turn
from benchmarks.data import Dataset
from benchmarks.measured import Measured
from benchmarks.programs import Cost, is_installed, run_to_its_end
from benchmarks.proof import expect_archived, expect_copies
from benchmarks.setting import Setting
from benchmarks.site import Site
from benchmarks.transfer.harvest_process import PHASES, WHOLE
from streamweave.storage.file_io import is_direct, make_direct

OURS = "StreamWeave"
CP = "cp"
DD = "dd there and back"
COPYTO = "rclone copyto"
COPY = "rclone copy"
SMBCLIENT = "smbclient"

DD_BLOCK = "bs=4M"
COPYTO_SAMPLE = 20
"""One process for each file is slow enough that a few suffice to measure it."""


@dataclass(frozen=True)
class Entry:
    """Everything that contestants need to know to bring one dataset here."""

    setting: Setting
    site: Site
    dataset: Dataset

    def contestants_for_many_files(self) -> Sequence[Contestant]:
        """For a tree of files."""
        return [
            Contestant(CP, self.cp),
            *self._where_installed(rclone.PROGRAM, Contestant(COPYTO, self.copyto), Contestant(COPY, self.copy)),
            *self._where_installed(smbclient.PROGRAM, Contestant(SMBCLIENT, self.mget)),
            Contestant(OURS, self.harvest),
        ]

    def contestants_for_one_file(self) -> Sequence[Contestant]:
        """For a single file: copying the tree would be the same, and the disk is what counts."""
        others = [each for each in self.contestants_for_many_files() if each.name != COPY]
        return [Contestant(DD, self.dd), *others] if _is_past_the_cache(self.setting.work) else others

    def cp(self, destination: Path) -> Turn:
        """From folder to folder."""
        cost = run_to_its_end(["cp", "--recursive", f"{self.dataset.folder}/.", str(destination)])
        return self._copied(cost, list(self.dataset.paths()), destination)

    def dd(self, destination: Path) -> Turn:
        """From the page cache to the device, to its end there, and back past the cache."""
        (path,) = self.dataset.paths()
        copy = destination / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        there = ["dd", f"if={self.dataset.folder / path}", f"of={copy}", DD_BLOCK, "oflag=direct", "conv=fsync"]
        back = ["dd", f"if={copy}", "of=/dev/null", DD_BLOCK, "iflag=direct"]
        return self._copied(run_to_its_end(there) + run_to_its_end(back), [path], destination)

    def copyto(self, destination: Path) -> Turn:
        """A process for each file of a sample, one after the other."""
        sample = self.dataset.sample(COPYTO_SAMPLE)
        commands = [[rclone.PROGRAM, "copyto", f"{self._remote}/{path}", str(destination / path)] for path in sample]
        environment = rclone.environment_for(self.site.server)
        costs = [run_to_its_end(command, environment=environment) for command in commands]
        return self._copied(reduce(add, costs), sample, destination)

    def copy(self, destination: Path) -> Turn:
        """The whole tree by one process, as rclone does it by default: four files at a time."""
        command = [rclone.PROGRAM, "copy", self._remote, str(destination), "--transfers", "4"]
        cost = run_to_its_end(command, environment=rclone.environment_for(self.site.server))
        return self._copied(cost, list(self.dataset.paths()), destination)

    def mget(self, destination: Path) -> Turn:
        """The whole tree by one process, one file after the other."""
        commands = "recurse on; prompt off; mget *"
        command = smbclient.command(self.site.server, self.dataset.name, self.setting.work, commands)
        cost = run_to_its_end(command, folder=destination)
        return self._copied(cost, list(self.dataset.paths()), destination)

    def harvest(self, destination: Path) -> Turn:
        """Everything: scan, filter, transfer, enrich. The start of the process is not counted: it harvests for days."""
        with self.site.catalog(self.dataset, destination) as environment:
            measured = Measured.of_process(
                "benchmarks.transfer.harvest_process", environment=environment, folder=self.setting.work
            )
            expect_archived(self.dataset, environment["STREAMWEAVE_DATABASE_URL"], destination)
        return Turn(
            seconds=measured.seconds[WHOLE],
            files=measured.counts["files"],
            bytes=measured.counts["bytes"],
            cpu_seconds=measured.cpu_seconds[WHOLE],
            details=_details(measured),
        )

    @property
    def _remote(self) -> str:
        return f"{rclone.REMOTE}:{self.dataset.name}"

    def _copied(self, cost: Cost, paths: Sequence[str], destination: Path) -> Turn:
        expect_copies(self.dataset, paths, destination)
        return Turn(cost.seconds, len(paths), len(paths) * self.dataset.file_bytes, cost.cpu_seconds)

    def _where_installed(self, program: str, *contestants: Contestant) -> Sequence[Contestant]:
        return contestants if is_installed(program) else ()


def _is_past_the_cache(folder: Path) -> bool:
    """Whether the file system of a folder can be written to and read from past the page cache."""
    with tempfile.TemporaryFile(dir=folder) as file:
        make_direct(file.fileno())
        return is_direct(file.fileno())


def _details(measured: Measured) -> Mapping[str, float]:
    by_phase = {
        f"{phase}_{what}": seconds[phase]
        for phase in PHASES
        for what, seconds in (("seconds", measured.seconds), ("cpu_seconds", measured.cpu_seconds))
    }
    return {**by_phase, "peak_bytes": measured.peak_bytes}
