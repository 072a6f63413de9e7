"""Whether the service can do its work."""

from litestar import get
from sqlalchemy import text

from streamweave_api.auth import OPEN_TO_ALL
from streamweave_api.service import TheService


@get("/health", sync_to_thread=True, opt=OPEN_TO_ALL, tags=["Health"], summary="Is everything there?")
def health(service: TheService) -> dict[str, str]:
    """Answers when the catalog does."""
    with service.reading() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}
