"""``python -m streamweave_dagster.webserver --port 3000 -w workspace.yaml``: Dagster's webserver, guarded.

Dagster's own application runs in this process behind the guard (``streamweave_dagster.guard``), so there is no further
port on which it could be reached. It is set up as ``python -m dagster_webserver`` does it (1.13); its parts have no
public name.
"""

import argparse
import logging

import dagster as dg
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from streamweave.settings import Settings
from streamweave_dagster.guard import Guard, GuardSettings, hosts_of

# as Dagster's command has them
STATEMENT_MILLISECONDS = 15_000
POOL_RECYCLE_SECONDS = 3_600
POOL_OVERFLOW = 20
POLL_MILLISECONDS = 2_000
LAST_ANSWERS_SECONDS = 10

logger = logging.getLogger(__name__)


def guard_settings(settings: Settings, port: int) -> GuardSettings:
    """What the environment says to the guard of a webserver that listens on ``port``."""
    return GuardSettings(
        hosts=hosts_of(port, settings.dagster_hosts),
        token=settings.dagster_token.get_secret_value(),
        api_url=settings.api_url,
        public_url=settings.public_url,
        asks_login=settings.dagster_login,
    )


def main() -> None:
    """Serve the instance at ``DAGSTER_HOME`` until SIGINT or SIGTERM."""
    options = _options()
    guarded = guard_settings(Settings(), options.port)
    if not guarded.asks_login:
        logger.warning("STREAMWEAVE_DAGSTER_LOGIN is off: whoever reaches Dagster's webserver can do everything there")
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(STATEMENT_MILLISECONDS, POOL_RECYCLE_SECONDS, POOL_OVERFLOW)
        target = WorkspaceFileTarget(paths=[options.workspace])
        with WorkspaceProcessContext(instance, workspace_load_target=target, version=__version__) as workspace:
            app = create_app_from_workspace_process_context(workspace, live_data_poll_rate=POLL_MILLISECONDS)
            uvicorn.run(
                Guard(app, guarded),
                host=options.host,
                port=options.port,
                log_level="warning",
                timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
                proxy_headers=False,  # nothing here depends on what a client says of its address
                server_header=False,
            )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m streamweave_dagster.webserver", description="Dagster's webserver behind its guard"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("-w", "--workspace", required=True, help="The workspace's file.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
