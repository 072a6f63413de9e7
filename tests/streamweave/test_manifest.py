import copy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.deletion import listing
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileRecord, Hook, Instrument, Schedule, ServiceAccount, StorageLocation
from streamweave.errors import Conflict, InvalidInput, SealBroken
from streamweave.harvest.instrument_changes import update_instrument
from streamweave.hooks.configuration import delete_hook
from streamweave.hooks.external_hook import HookReach
from streamweave.hooks.scripts import ScriptFolder
from streamweave.instruments.fields import AddressChange
from streamweave.instruments.instruments import delete_instrument
from streamweave.instruments.schedules import delete_schedule
from streamweave.instruments.service_accounts import delete_service_account
from streamweave.manifest import REACHED_AT, apply_manifest
from streamweave.sealing import Sealer
from streamweave.storage.locations import delete_storage_location, update_storage_location

KEYS = Fernet.generate_key().decode()

Manifest = dict[str, list[dict[str, Any]]]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    names = {"zeta_01": "Zeta 01", "alpha_01": "Alpha 01", "mid_01": "Mid 01"}
    return {
        "service_accounts": [{"name": "simlab", "domain": "LAB", "username": "sim", "password": "a secret"}],
        "storage_locations": [
            {"name": name, "type": "posix", "connection_config": {}, "base_path": str(tmp_path / name), "enabled": True}
            for name in ["Restricted", "Archive"]
        ],
        "instruments": [
            {"slug": slug, "name": name, "cifs_host": "127.0.0.1", "cifs_port": 4451, "cifs_share": "data"}
            | {"service_account": "simlab", "quiet_period_seconds": 5}
            for slug, name in names.items()
        ],
        "schedules": [
            {"instrument": slug, "storage_location": "Archive", "cron_expression": "*/15 * * * *", "enabled": True}
            for slug in names
        ],
        "hooks": [
            {"name": "Filter", "trigger": "pre_transfer", "implementation": "builtin", "builtin_name": "file_filter"}
            | {"config": {"exclude_patterns": ["*.tmp"]}, "instrument": slug, "priority": 0, "enabled": True}
            for slug in ["zeta_01", None]
        ],
    }


def rows(session: Session, table: type[Any]) -> list[Any]:
    """What is in use, in order of entry."""
    return list(session.scalars(listing(table).order_by(table.created_at, table.id)))


def test_a_manifest_is_entered_in_its_order(sessions: Sessions, manifest: Manifest) -> None:
    apply_manifest(sessions, KEYS, manifest)
    with sessions() as session:
        assert [row.name for row in rows(session, Instrument)] == ["Zeta 01", "Alpha 01", "Mid 01"]
        assert [row.name for row in rows(session, StorageLocation)] == ["Restricted", "Archive"]
        schedules = rows(session, Schedule)
        assert [row.instrument.slug for row in schedules] == ["zeta_01", "alpha_01", "mid_01"]
        assert {row.default_storage_location.name for row in schedules} == {"Archive"}
        assert [row.instrument_id is None for row in rows(session, Hook)] == [False, True]
        account = rows(session, ServiceAccount)[0]
        assert Sealer(KEYS).open(account.sealed_password) == "a secret"
        assert all(row.service_account_id == account.id for row in rows(session, Instrument))
        assert all(row.created_at == row.updated_at for row in rows(session, Instrument))


def test_entering_it_again_changes_only_addresses_and_credentials(sessions: Sessions, manifest: Manifest) -> None:
    apply_manifest(sessions, KEYS, manifest)
    with sessions() as session:
        before = {table: [row.id for row in rows(session, table)] for table in (Instrument, Schedule, Hook)}
    later = copy.deepcopy(manifest)
    later["instruments"][0] |= {"cifs_port": 9999, "quiet_period_seconds": 99, "cifs_host": "10.0.0.1"}
    later["service_accounts"][0] |= {"password": "new", "username": "other"}
    apply_manifest(sessions, KEYS, later)
    with sessions() as session:
        assert before == {table: [row.id for row in rows(session, table)] for table in before}
        first = rows(session, Instrument)[0]
        assert (first.cifs_host, first.cifs_port, first.quiet_period_seconds) == ("10.0.0.1", 9999, 5)
        account = rows(session, ServiceAccount)[0]
        assert (account.username, Sealer(KEYS).open(account.sealed_password)) == ("other", "new")
        assert {entry["cifs_host"] for entry in manifest["instruments"]} | {"10.0.0.1"} == set(account.allowed_hosts)


def test_an_account_may_be_bound_by_its_manifest(sessions: Sessions, manifest: Manifest) -> None:
    manifest["service_accounts"][0]["allowed_hosts"] = ["*.example.org"]
    with pytest.raises(InvalidInput, match="cifs_host: the service account simlab may be used at"):
        apply_manifest(sessions, KEYS, manifest)
    for entry in manifest["instruments"]:
        entry["cifs_host"] = "pc.example.org"
    apply_manifest(sessions, KEYS, manifest)
    with sessions() as session:
        assert rows(session, ServiceAccount)[0].allowed_hosts == ["*.example.org"]


def test_what_people_changed_since_stays_as_they_left_it(sessions: Sessions, manifest: Manifest) -> None:
    apply_manifest(sessions, KEYS, manifest)
    with sessions.begin() as session:
        for schedule in rows(session, Schedule):
            delete_schedule(session, schedule.id)
        for hook in rows(session, Hook):
            delete_hook(session, hook.id)
        update_instrument(session, rows(session, Instrument)[0].id, {"name": "Renamed", "enabled": False})
        update_storage_location(session, Sealer(KEYS), rows(session, StorageLocation)[0].id, {"name": "Renamed"})
    apply_manifest(sessions, KEYS, manifest)
    with sessions() as session:
        assert rows(session, Schedule) == []
        assert rows(session, Hook) == []
        assert [row.name for row in rows(session, Instrument)] == ["Renamed", "Alpha 01", "Mid 01"]
        assert [row.name for row in rows(session, StorageLocation)] == ["Renamed", "Archive"]


def test_what_somebody_has_deleted_does_not_come_back(sessions: Sessions, manifest: Manifest) -> None:
    apply_manifest(sessions, KEYS, manifest)
    with sessions.begin() as session:
        for instrument in rows(session, Instrument):
            delete_instrument(session, instrument.id)
        delete_service_account(session, rows(session, ServiceAccount)[0].id)
        delete_storage_location(session, rows(session, StorageLocation)[0].id)
    apply_manifest(sessions, KEYS, manifest)
    with sessions() as session:
        assert [rows(session, table) for table in (Instrument, Schedule, ServiceAccount)] == [[], [], []]
        assert [row.name for row in rows(session, StorageLocation)] == ["Archive"]


def know_files(session: Session, *slugs: str) -> None:
    for number, slug in enumerate(slugs):
        instrument = session.scalars(select(Instrument).where(Instrument.slug == slug)).one()
        path = f"{instrument.cifs_share}/a/scan.csv"
        session.add(
            FileRecord(
                instrument_id=instrument.id,
                source_path=path,
                folder=path.rpartition("/")[0],
                filename="scan.csv",
                persistent_id=f"ark:/99999/fk4{number}",
                size_bytes=1,
                **dict.fromkeys(["source_mtime", "first_discovered_at"], datetime(2026, 3, 1, tzinfo=UTC)),
            )
        )


def paths(sessions: Sessions) -> list[str]:
    with sessions() as session:
        return sorted(session.scalars(select(FileRecord.source_path)))


def test_instruments_that_have_moved_are_all_named_and_nothing_is_changed(
    sessions: Sessions, manifest: Manifest
) -> None:
    apply_manifest(sessions, KEYS, manifest)
    with sessions.begin() as session:
        know_files(session, "zeta_01", "mid_01")
    later = copy.deepcopy(manifest)
    for entry in later["instruments"]:
        entry["cifs_share"] = "moved"
    later["service_accounts"][0]["password"] = "new"
    with pytest.raises(Conflict, match=r"Zeta 01 has files.*Mid 01 has files.*nothing was changed") as refusal:
        apply_manifest(sessions, KEYS, later)
    assert "Alpha" not in str(refusal.value)
    with sessions() as session:
        assert {row.cifs_share for row in rows(session, Instrument)} == {"data"}
        assert Sealer(KEYS).open(rows(session, ServiceAccount)[0].sealed_password) == "a secret"


def test_an_answer_holds_for_all_instruments_unless_an_entry_has_its_own(
    sessions: Sessions, manifest: Manifest
) -> None:
    apply_manifest(sessions, KEYS, manifest)
    with sessions.begin() as session:
        know_files(session, "zeta_01", "mid_01")
    for entry in manifest["instruments"]:
        entry["cifs_share"] = "moved"
    manifest["instruments"][0]["address_change"] = "other_files"
    apply_manifest(sessions, KEYS, manifest, address_change=AddressChange.SAME_FILES)
    assert paths(sessions) == ["data/a/scan.csv", "moved/a/scan.csv"]
    apply_manifest(sessions, KEYS, manifest)


def test_a_simulated_laboratory_changes_no_share_that_people_have_changed(
    sessions: Sessions, manifest: Manifest
) -> None:
    apply_manifest(sessions, KEYS, manifest)
    with sessions.begin() as session:
        know_files(session, "zeta_01")
        moved = {"cifs_share": "theirs", "address_change": "same_files"}
        update_instrument(session, rows(session, Instrument)[0].id, moved)
    manifest["instruments"][0]["cifs_port"] = 9999
    apply_manifest(sessions, KEYS, manifest, address_change=AddressChange.SAME_FILES, moving=REACHED_AT)
    with sessions() as session:
        first = rows(session, Instrument)[0]
        assert (first.cifs_share, first.cifs_port) == ("theirs", 9999)
    assert paths(sessions) == ["theirs/a/scan.csv"]


def test_a_new_instrument_brings_its_own_schedules(sessions: Sessions, manifest: Manifest) -> None:
    first = copy.deepcopy(manifest)
    for section in ("instruments", "schedules"):
        first[section].pop()
    apply_manifest(sessions, KEYS, first)
    apply_manifest(sessions, KEYS, manifest)
    with sessions() as session:
        assert [row.instrument.slug for row in rows(session, Schedule)] == ["zeta_01", "alpha_01", "mid_01"]
        assert len(rows(session, Hook)) == 2


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda manifest: manifest["instruments"][1].update(service_account="nobody"), "service_account"),
        (lambda manifest: manifest["schedules"][1].update(storage_location="Nowhere"), "storage_location"),
        (lambda manifest: manifest["schedules"][1].update(cron_expression="daily"), "cron_expression"),
        (lambda manifest: manifest["hooks"][0].update(instrument="nothing"), "instrument"),
        (lambda manifest: manifest["instruments"][2].pop("slug"), "slug"),
    ],
)
def test_of_a_manifest_with_a_fault_nothing_is_entered(
    sessions: Sessions, manifest: Manifest, spoil: Callable[[Manifest], None], field: str
) -> None:
    spoil(manifest)
    with pytest.raises(InvalidInput) as refused:
        apply_manifest(sessions, KEYS, manifest)
    assert refused.value.field == field
    with sessions() as session:
        assert rows(session, ServiceAccount) == []


def test_without_a_key_nothing_is_entered(sessions: Sessions, manifest: Manifest) -> None:
    with pytest.raises(SealBroken):
        apply_manifest(sessions, "", manifest)


def test_simlabs_own_manifest_is_entered(sessions: Sessions, tmp_path: Path) -> None:
    from simlab.manifest import manifest as simlabs_manifest
    from simlab.seed import SEED

    class Server:
        host, port = "127.0.0.1", 4451

    described = simlabs_manifest(
        [(instrument, Server()) for instrument in SEED],  # type: ignore[misc]  # only its address is asked for
        username="simlab",
        password="a secret",
        storage_root=tmp_path,
    )
    apply_manifest(sessions, KEYS, described)
    apply_manifest(sessions, KEYS, described)
    with sessions() as session:
        assert [row.slug for row in rows(session, Instrument)] == [
            "microscope_01",
            "spectrometer_01",
            "x_ray_diffraction_01",
        ]
        assert [row.name for row in rows(session, StorageLocation)] == ["Archive Storage", "Restricted Storage"]
        assert (len(rows(session, Schedule)), len(rows(session, Hook))) == (3, 2)


@pytest.mark.parametrize(
    ("manifest", "field"),
    [({"instrument": []}, "instrument"), ({"hooks": {}}, "hooks"), ({"schedules": ["daily"]}, "schedules")],
)
def test_a_manifest_of_another_shape_is_refused(sessions: Sessions, manifest: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        apply_manifest(sessions, KEYS, manifest)
    assert refused.value.field == field


def test_hooks_that_call_out_are_entered_too(sessions: Sessions, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir(mode=0o755)
    (tmp_path / "scripts" / "a.py").touch(mode=0o644)
    script = {"implementation": "python_script", "script_path": "a.py"}
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    webhook = {
        "implementation": "http_webhook",
        "webhook_url": "https://a.example.org/",
        "webhook_secret": secret,
    }
    described = {
        "hooks": [
            {"name": "Script", "trigger": "pre_transfer", **script},
            {"name": "Webhook", "trigger": "post_transfer", **webhook},
        ]
    }
    with pytest.raises(InvalidInput, match="STREAMWEAVE_HOOK_SCRIPTS_FOLDER"):
        apply_manifest(sessions, KEYS, described)
    reach = HookReach(ScriptFolder(tmp_path / "scripts"), sealer=Sealer(KEYS))
    apply_manifest(sessions, KEYS, described, reach)
    with sessions() as session:
        entered = {hook.name: hook for hook in session.scalars(listing(Hook))}
        assert entered["Script"].script_path == "a.py"
        assert reach.opened(entered["Webhook"].sealed_webhook_secret or b"") == secret
