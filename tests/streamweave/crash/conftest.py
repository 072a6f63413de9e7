"""The soak's site, for a few of its runs: a durable PostgreSQL, Samba, and a process to fork victims from."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from simlab.shares import available_kinds
from soak.experiments.power_failures import may_be_mounted
from soak.power import FILE_SYSTEMS
from soak.site import Site, open_site
from soak.victims import Victims, victims

# impacket knows neither share modes nor more than one client that is cut off in mid-sentence
NEED_SAMBA = ["test_kills.py", "test_scenarios.py", "test_delays.py", "test_power_failures.py", "test_wrong_places.py"]
NEED_MOUNTS = ["test_power_failures.py"]
collect_ignore = [
    *([] if "samba" in available_kinds() else NEED_SAMBA),
    *([] if any(map(may_be_mounted, FILE_SYSTEMS.values())) else NEED_MOUNTS),
]


@pytest.fixture(scope="session")
def work() -> Iterator[Path]:
    """A folder that every user of the machine can reach: one scenario is served by another than root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def site(work: Path) -> Iterator[Site]:
    with open_site(work / "site") as site:
        yield site


@pytest.fixture(scope="session")
def a_lane(work: Path) -> Iterator[Victims]:
    with victims(work) as lane:
        yield lane
