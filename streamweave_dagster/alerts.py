"""The sensor ``alerts``: one for all instruments and storage locations. It requests nothing; it tells people.

At each tick the core finds out what is wrong, and sends the messages that are due.
"""

import dagster as dg

from streamweave.alerts.channels import Channels
from streamweave.alerts.evaluate import evaluate_alerts
from streamweave.facility import Facility
from streamweave.printable import printable
from streamweave_dagster.failures import errors_as_red_ticks

NAME = "alerts"
SECONDS_BETWEEN_TICKS = 45


@dg.sensor(
    name=NAME,
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the admins what is wrong, once when it begins and once when it is over.",
)
def alerts_sensor(facility: dg.ResourceParam[Facility], channels: dg.ResourceParam[Channels]) -> dg.SkipReason:
    """One evaluation."""
    with errors_as_red_ticks():
        return dg.SkipReason(printable(evaluate_alerts(facility, channels).sentence()))
