"""How the job ``harvest`` is told which instrument to harvest: the one place that knows its shape.

Both who launches it from outside and the code location that defines it build on this.
"""

from typing import Any

LOCATION_NAME = "streamweave"
JOB_NAME = "harvest"
INSTRUMENT_TAG = "instrument"


def harvest_run_config(slug: str) -> dict[str, Any]:
    """The run config of ``harvest`` for the instrument ``slug``."""
    return {"ops": {"discover": {"config": {"instrument": slug}}}}


def harvest_run_tags(slug: str) -> dict[str, str]:
    """The tags of every run that harvests the instrument ``slug``; one such run goes at a time."""
    return {INSTRUMENT_TAG: slug}
