"""``python -m streamweave_api --host 127.0.0.1 --port 8000``: serves until SIGINT or SIGTERM."""

import argparse
import gc
import logging
import sys
from contextlib import suppress

import uvicorn
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from streamweave.errors import SealBroken, StartError
from streamweave.garbage import SERVING, reduce_gc
from streamweave.printable import log_printable_lines, printable
from streamweave.settings import Settings, sentence_of
from streamweave.storage.roots import start_warnings
from streamweave_api.app import create_app
from streamweave_api.service import Service

logger = logging.getLogger("streamweave_api")

LAST_ANSWERS_SECONDS = 10
CAN_NOT_START = 2
SWITCH_SECONDS = 0.001
"""A fifth of Python's own: an answer waits less long for a thread that computes."""


def main() -> int:
    """Serve what the environment describes. Returns 2 when that isn't enough to start."""
    options = _options()
    log_printable_lines()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = _settings(options)
        app = create_app(settings)
    except ValidationError as error:
        return _refused("; ".join(sentence_of(fault) for fault in error.errors()))
    except (StartError, SealBroken) as error:
        return _refused(str(error))
    if settings.warn_at_start:
        _warn(app.state.service)
    # All present objects stay. Visiting them at each full collection would delay a request by 0.1 s.
    gc.collect()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    reduce_gc(SERVING)
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        server_header=False,
        log_config=None,  # ours
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,  # whatever FORWARDED_ALLOW_IPS says
    )
    return 0


def _settings(options: argparse.Namespace) -> Settings:
    """Those of the environment; where it doesn't say where people reach us, it is where we listen."""
    settings = Settings()
    if "public_url" in settings.model_fields_set and settings.public_url:
        return settings
    everywhere = options.host in ("0.0.0.0", "::")
    host = "127.0.0.1" if everywhere else f"[{options.host}]" if ":" in options.host else options.host
    return settings.model_copy(update={"public_url": f"http://{host}:{options.port}"})


def _warn(service: Service) -> None:
    """Say what is to be known of the host; a catalog that does not answer yet is no reason not to start."""
    with suppress(SQLAlchemyError):
        for sentence in start_warnings(service.reading, service.storage_roots):
            logger.warning("%s", sentence)


def _refused(sentence: str) -> int:
    print(f"streamweave_api: {printable(sentence)}", file=sys.stderr)
    return CAN_NOT_START


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m streamweave_api", description="StreamWeave's REST service")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
