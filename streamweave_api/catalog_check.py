"""Whether the catalog answers, asked apart from everything else: by a thread and over a connection of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from streamweave.catalog.session import catalog_engine


class CatalogCheck:
    """Asks the catalog at ``url``, one question at a time, whatever other requests wait for."""

    def __init__(self, url: str) -> None:
        self._engine = catalog_engine(url, pool_size=1)
        self._thread = ThreadPoolExecutor(1, "health")

    async def answers_within(self, seconds: float) -> bool:
        """Whether it does. Raises SQLAlchemy's ``OperationalError`` where it can't be reached at all."""
        asked = self._thread.submit(self._ask)
        try:
            await asyncio.wait_for(asyncio.wrap_future(asked), seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Let go of thread and connection."""
        self._thread.shutdown(cancel_futures=True)
        self._engine.dispose()

    def _ask(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))
