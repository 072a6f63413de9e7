"""Nothing that is deleted decides about an instrument's files."""

from typing import Any

from sqlalchemy import select

from streamweave.catalog.tables import Hook, HookTrigger, Schedule, VersionState
from streamweave.harvest.plan import policy_for
from streamweave.hooks.configuration import active_hooks, delete_hook, restore_hook
from streamweave.instruments.schedules import delete_schedule, restore_schedule
from streamweave.storage.locations import delete_storage_location


def test_a_deleted_hook_does_not_run(bench: Any) -> None:
    hook: Hook = bench.add_hook("file_filter", "pre_transfer", exclude_patterns=["*.csv"])
    with bench.facility.sessions.begin() as session:
        delete_hook(session, hook.id)
        assert active_hooks(session, bench.instrument.id, HookTrigger.PRE_TRANSFER) == []
    bench.write("microscope/a.csv")
    bench.harvest()
    assert bench.states() == {"microscope/a.csv": VersionState.ARCHIVED}
    with bench.facility.sessions.begin() as session:
        restore_hook(session, hook.id)
    bench.write("microscope/b.csv")
    bench.harvest()
    assert bench.states()["microscope/b.csv"] == VersionState.SKIPPED


def test_a_deleted_schedule_names_no_destination(bench: Any) -> None:
    with bench.facility.sessions.begin() as session:
        schedule = session.scalars(select(Schedule)).one()
        delete_schedule(session, schedule.id)
    bench.write("microscope/a.csv")
    bench.harvest()
    assert bench.states() == {"microscope/a.csv": VersionState.SETTLED}
    with bench.facility.sessions.begin() as session:
        restore_schedule(session, schedule.id)
    bench.harvest()
    assert bench.states() == {"microscope/a.csv": VersionState.ARCHIVED}


def test_no_hook_redirects_to_a_deleted_storage_location(bench: Any, tmp_path: Any) -> None:
    location = bench.add_location("restricted", tmp_path / "restricted", scheduled=False)
    with bench.facility.sessions.begin() as session:
        assert set(policy_for(session, bench.instrument, bench.facility.reach).locations) == {"archive", "restricted"}
        delete_storage_location(session, location.id)
        assert set(policy_for(session, bench.instrument, bench.facility.reach).locations) == {"archive"}
