"""``python clock_that_is_off.py AHEAD_SECONDS MTIME``: one scan by a process whose own clock is wrong.

The catalog is the one that the environment names; the share is in memory, and shows one file with that mtime.
"""

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.memory_source import Laboratory
from streamweave.facility import facility_of
from streamweave.harvest.run import scan
from streamweave.instruments.instruments import instrument_by_slug
from streamweave.settings import Settings

AHEAD_SECONDS = float(sys.argv[1])
right_time = time.time


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class WrongDatetime(datetime, metaclass=_AnyDatetime):
    """A ``datetime`` whose ``now`` is so many seconds ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        """Not now."""
        return datetime.now(tz) + timedelta(seconds=AHEAD_SECONDS)


def set_clock() -> None:
    """Let everything of ours that asks this process for the time be answered wrongly."""
    time.time = lambda: right_time() + AHEAD_SECONDS
    for name, module in list(sys.modules.items()):
        if name.startswith("streamweave.") and vars(module).get("datetime") is datetime:
            module.datetime = WrongDatetime  # type: ignore[attr-defined] # it is there


def main() -> None:
    """Scan, and print how many seconds the process believes itself to be ahead."""
    set_clock()
    laboratory = Laboratory(share="microscope")
    laboratory.write("microscope/scan_01.csv", b"1,2\n", datetime.fromisoformat(sys.argv[2]))
    facility = replace(facility_of(Settings()), open_source=lambda instrument: laboratory.source())
    with facility.sessions() as session:
        instrument = instrument_by_slug(session, "microscope_01")
    assert instrument is not None
    scan(facility, instrument)
    facility.close()
    print(round((WrongDatetime.now(UTC) - datetime.fromtimestamp(right_time(), UTC)).total_seconds()))


if __name__ == "__main__":
    main()
