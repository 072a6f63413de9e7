"""``python -m streamweave_api --host 127.0.0.1 --port 8000``: serves until SIGINT or SIGTERM."""

import argparse
import gc
import logging
import sys

import uvicorn
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streamweave.errors import SealBroken, StartError
from streamweave.garbage import RARELY_IN_FULL
from streamweave.settings import Settings
from streamweave_api.app import create_app

LAST_ANSWERS_SECONDS = 10
CAN_NOT_START = 2


def main() -> int:
    """Serve what the environment describes. Returns 2 when that isn't enough to start."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        app = create_app(Settings())
    except ValidationError as error:
        return _refused("; ".join(_without_value(fault) for fault in error.errors()))
    except (StartError, SealBroken) as error:
        return _refused(str(error))
    # All that is there now stays. Looking through it at each full collection would hold up a request for 0.1 s.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARELY_IN_FULL)
    uvicorn.run(
        app, host=options.host, port=options.port, timeout_graceful_shutdown=LAST_ANSWERS_SECONDS, server_header=False
    )
    return 0


def _refused(sentence: str) -> int:
    print(f"streamweave_api: {sentence}", file=sys.stderr)
    return CAN_NOT_START


def _without_value(fault: ErrorDetails) -> str:
    """What is wrong with a variable; its value may be a secret."""
    variable = f"STREAMWEAVE_{fault['loc'][0]}".upper()
    return f"{variable}: {fault['msg']}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m streamweave_api", description="StreamWeave's REST service")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
