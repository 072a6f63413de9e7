"""Keeps Dagster's code location in step with the catalog, whose rows it reads once, when it is loaded."""

import logging
import threading
from collections.abc import Callable

from streamweave.errors import OrchestratorUnavailable

logger = logging.getLogger(__name__)


class LocationReload:
    """Reloads in the background, once for all the changes that come within ``gather_seconds``.

    A Dagster that isn't up is no error: it reads the catalog when it starts.
    """

    def __init__(self, reload: Callable[[], None], gather_seconds: float = 1.0) -> None:
        self._reload = reload
        self._gather_seconds = gather_seconds
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="location-reload", daemon=True)

    def start(self) -> None:
        """Begin to wait for changes."""
        self._thread.start()

    def request(self) -> None:
        """Have the location reloaded soon. Returns at once."""
        self._wanted.set()

    def stop(self) -> None:
        """End the thread, after the reload that may be under way."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join()

    def _work(self) -> None:
        while self._wanted.wait() and not self._stopping.wait(self._gather_seconds):
            self._wanted.clear()
            self._reload_once()

    def _reload_once(self) -> None:
        try:
            self._reload()
        except OrchestratorUnavailable as error:
            logger.warning("the code location was not reloaded: %s", error)
        else:
            logger.info("the code location was reloaded")
