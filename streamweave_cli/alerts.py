"""`streamweave alerts`: what is wrong at this moment, for cron and monitoring."""

from datetime import datetime

import typer
from sqlalchemy import func, select

from streamweave.alerts.alerts import last_watch
from streamweave.alerts.evaluate import BREAK, open_alerts
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import AlertWatch
from streamweave.printable import printable
from streamweave_cli.running_system import HomeOption, settings_of
from streamweave_cli.terminal import one_sentence

SOMETHING_IS_WRONG = 1


def alerts(home: HomeOption = None) -> None:
    """Print the open alerts; exit code 1 if there are any, or if nobody watches."""
    with (
        one_sentence(),
        open_catalog(str(settings_of(home).database_url)) as engine,
        catalog_sessions(engine)() as session,
    ):
        found, watch = sorted(open_alerts(session), key=lambda alert: alert.began_at), last_watch(session)
        now = session.scalars(select(func.now())).one()
    for alert in found:
        taken = " (somebody is on it)" if alert.acknowledged_at else ""
        typer.echo(printable(f"{alert.began_at:%Y-%m-%d %H:%M} UTC  {alert.kind}  {alert.sentence}{taken}"))
    unwatched = _unwatched(watch, now)
    if unwatched:
        typer.echo(unwatched, err=True)
    if found or unwatched:
        raise typer.Exit(SOMETHING_IS_WRONG)
    typer.echo("no open alerts")


def _unwatched(watch: AlertWatch | None, now: datetime) -> str | None:
    """Why the list of alerts can't be trusted: nothing has evaluated them lately. None if it can be."""
    if watch is None:
        return "the alerts have never been evaluated: is Dagster's daemon running?"
    if now - watch.evaluated_at > BREAK:
        return f"the alerts were last evaluated {watch.evaluated_at:%Y-%m-%d %H:%M} UTC: is Dagster's daemon running?"
    return None
