"""Settling goes by the database's clock: that of the machine on which a scan runs decides nothing."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select

from streamweave.catalog.tables import VersionState

SCRIPT = Path(__file__).parent / "clock_that_is_off.py"
HOUR = 3600
MTIME = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def scan(bench: Any, database_url: str) -> Any:
    """Scans the share in a process whose clock is so many seconds ahead; gives the file's newest version."""
    environment = {
        **os.environ,
        "STREAMWEAVE_DATABASE_URL": database_url,
        "STREAMWEAVE_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }

    def scan(ahead_seconds: int) -> Any:
        command = [sys.executable, str(SCRIPT), str(ahead_seconds), MTIME.isoformat()]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout.strip()) == (0, str(ahead_seconds)), done.stderr
        return bench.version("microscope/scan_01.csv")

    return scan


def database_time(bench: Any) -> datetime:
    with bench.facility.sessions() as session:
        return session.scalars(select(func.clock_timestamp())).one()


def test_a_second_machine_whose_clock_is_an_hour_ahead_settles_nothing_early(bench: Any, scan: Any) -> None:
    bench.change(bench.instrument, quiet_period_seconds=600, max_wait_seconds=1800)
    before = database_time(bench)
    for ahead in (0, HOUR):
        version = scan(ahead)
        assert version.state == VersionState.SETTLING
    assert before <= version.unchanged_since <= version.observed_at <= database_time(bench)
    assert before <= version.state_since


def test_a_second_machine_whose_clock_is_an_hour_behind_settles_what_has_been_quiet(bench: Any, scan: Any) -> None:
    bench.change(bench.instrument, quiet_period_seconds=1)
    first = scan(HOUR)
    assert first.state == VersionState.SETTLING
    deadline = time.monotonic() + 60
    while database_time(bench) < first.unchanged_since + timedelta(seconds=1.1):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert scan(-HOUR).state == VersionState.SETTLED
