"""A facility whose instruments stand on shares in memory, and Dagster instances that leave nothing behind."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument
from streamweave.facility import Facility
from streamweave.identifiers import ark
from streamweave.instruments.commands import create_instrument
from streamweave.schedules.commands import create_schedule
from streamweave.sources.memory import Laboratory
from streamweave.storage.locations import create_storage_location
from streamweave.storage.opening import open_storage

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
