"""Whether the service can do its work."""

import asyncio

from litestar import get
from litestar.exceptions import HTTPException
from sqlalchemy import text

from streamweave_api.auth import OPEN_TO_ALL
from streamweave_api.service import Service, TheService

PATIENCE_SECONDS = 5.0


@get("/health", opt=OPEN_TO_ALL, tags=["Health"], summary="Is everything there?")
async def health(service: TheService) -> dict[str, str]:
    """Answers when the catalog does; 503 when it doesn't within five seconds. Other requests don't hold it up."""
    asked = service.health_thread.submit(_ask, service)
    try:
        await asyncio.wait_for(asyncio.wrap_future(asked), PATIENCE_SECONDS)
    except TimeoutError as error:
        raise HTTPException(status_code=503, detail="The catalog does not answer in time") from error
    return {"status": "ok"}


def _ask(service: Service) -> None:
    with service.reading() as session:
        session.execute(text("SELECT 1"))
