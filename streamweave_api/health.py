"""Whether the service can do its work."""

from litestar import get
from litestar.exceptions import HTTPException

from streamweave_api.auth import OPEN_TO_ALL
from streamweave_api.service import TheService

PATIENCE_SECONDS = 5.0


@get("/health", opt=OPEN_TO_ALL, tags=["Health"], summary="Is everything there?")
async def health(service: TheService) -> dict[str, str]:
    """Answers when the catalog does; 503 when it doesn't within five seconds. Other requests don't hold it up."""
    if not await service.catalog_check.answers_within(PATIENCE_SECONDS):
        raise HTTPException(status_code=503, detail="The catalog does not answer in time")
    return {"status": "ok"}
