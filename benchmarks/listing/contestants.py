"""Who takes part: we, rclone and smbclient. Each has to see every file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import rclone, smbclient
from benchmarks.contest import Contestant, Turn
from benchmarks.data import Dataset
from benchmarks.errors import BenchmarkFailed
from benchmarks.listing.listing_process import ADDRESS, WHOLE
from benchmarks.measured import Measured
from benchmarks.programs import Cost, is_installed, run_to_its_end
from simlab.shares import ShareServer
from streamweave.sources.smb.address import Engine

OURS = "StreamWeave"
PUBLIC = "StreamWeave, public engine"
LSJSON = "rclone lsjson --recursive"
SMBCLIENT = "smbclient recurse ls"


@dataclass(frozen=True)
class Entry:
    """Everything that contestants need to know to list one dataset."""

    server: ShareServer
    dataset: Dataset

    def contestants(self) -> Sequence[Contestant]:
        """Everyone who is installed."""
        others = [
            (rclone.PROGRAM, Contestant(LSJSON, self.lsjson)),
            (smbclient.PROGRAM, Contestant(SMBCLIENT, self.ls)),
        ]
        installed = [contestant for program, contestant in others if is_installed(program)]
        return [
            *installed,
            Contestant(OURS, partial(self.list, "auto")),
            Contestant(PUBLIC, partial(self.list, "public")),
        ]

    def lsjson(self, scratch: Path) -> Turn:
        """By one process, eight folders at a time, as rclone does it by default."""
        output = scratch / "listing.json"
        command = [rclone.PROGRAM, "lsjson", "--recursive", f"{rclone.REMOTE}:{self.dataset.name}"]
        cost = run_to_its_end(command, environment=rclone.environment_for(self.server), output=output)
        return self._listed(cost, sum(not entry["IsDir"] for entry in json.loads(output.read_text())))

    def ls(self, scratch: Path) -> Turn:
        """By one process, one folder after the other."""
        output = scratch / "listing.txt"
        command = smbclient.command(self.server, self.dataset.name, scratch, "recurse; ls")
        cost = run_to_its_end(command, output=output)
        return self._listed(cost, output.read_text().count(".dat "))

    def list(self, engine: Engine, scratch: Path) -> Turn:
        """As a harvest lists a share, from connecting on."""
        environment = {ADDRESS: json.dumps({**self._address(), "engine": engine})}
        measured = Measured.of_process("benchmarks.listing.listing_process", environment=environment, folder=scratch)
        cost = Cost(measured.seconds[WHOLE], measured.cpu_seconds[WHOLE])
        return self._listed(cost, measured.counts["files"])

    def _address(self) -> dict[str, str | int]:
        return {
            "host": self.server.host,
            "port": self.server.port,
            "share": self.dataset.name,
            "base_path": "/",
            "username": self.server.username,
            "password": self.server.password,
        }

    def _listed(self, cost: Cost, files: int) -> Turn:
        if files != self.dataset.files:
            raise BenchmarkFailed(f"{files} of {self.dataset.files} files were listed")
        return Turn(cost.seconds, files, self.dataset.bytes, cost.cpu_seconds)
