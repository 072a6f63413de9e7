import uuid
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import HookTrigger
from streamweave.errors import InvalidInput, NotFound
from streamweave.hooks.configuration import active_hooks, create_hook, delete_hook, update_hook
from streamweave.instruments.instruments import create_instrument
from streamweave.sealing import Sealer
from streamweave.storage.locations import create_storage_location

SEALER = Sealer(Fernet.generate_key().decode())
FILTER = {"name": "Filter", "trigger": "pre_transfer", "builtin_name": "file_filter"}
ENRICHMENT = {
    "name": "Enrichment",
    "trigger": "post_transfer",
    "builtin_name": "metadata_enrichment",
    "config": {"rules": [{"pattern": "(?P<user>[a-z]+)/", "source": "path"}]},
}


def test_the_hooks_that_run_are_the_global_and_the_instruments_own_in_order(sessions: Sessions) -> None:
    ids = {}
    with sessions.begin() as session:
        for name in ["Microscope", "Spectrometer"]:
            ids[name] = create_instrument(session, {"name": name, "cifs_host": "a", "cifs_share": "a"}).id
    hooks = [
        {**FILTER, "name": "late", "priority": 9},
        {**FILTER, "name": "own", "instrument_id": ids["Microscope"]},
        {**FILTER, "name": "global"},
        {**FILTER, "name": "early", "priority": -1, "instrument_id": ids["Microscope"]},
        {**FILTER, "name": "another's", "instrument_id": ids["Spectrometer"]},
        {**FILTER, "name": "off", "enabled": False},
        ENRICHMENT,
    ]
    for values in hooks:
        with sessions.begin() as session:
            create_hook(session, values)
    with sessions() as session:
        before = active_hooks(session, ids["Microscope"], HookTrigger.PRE_TRANSFER)
        assert [hook.name for hook in before] == ["early", "own", "global", "late"]
        after = active_hooks(session, ids["Microscope"], HookTrigger.POST_TRANSFER)
        assert [hook.name for hook in after] == ["Enrichment"]


def test_a_redirect_leads_to_a_storage_location_that_exists(sessions: Sessions, tmp_path: Path) -> None:
    rules = [{"pattern": "*.a", "destination": "Archive"}, {"pattern": "*.b", "destination": "Nowhere"}]
    with sessions() as session:
        create_storage_location(session, SEALER, {"name": "Archive", "base_path": str(tmp_path)})
        with pytest.raises(InvalidInput) as refused:
            create_hook(session, {**FILTER, "config": {"redirect_rules": rules}})
        assert refused.value.field == "config.redirect_rules[1].destination"
        create_hook(session, {**FILTER, "config": {"redirect_rules": rules[:1]}})


def test_a_change_must_leave_a_hook_that_can_be_built(sessions: Sessions) -> None:
    with sessions.begin() as session:
        hook = create_hook(session, FILTER)
        for field, value in {"trigger": "post_transfer", "builtin_name": "unknown", "config": {"colour": 1}}.items():
            with pytest.raises(InvalidInput, match=field):
                update_hook(session, hook.id, {field: value})
        changes = {field: ENRICHMENT[field] for field in ("trigger", "builtin_name", "config")}
        assert update_hook(session, hook.id, changes).builtin_name == "metadata_enrichment"


def test_a_hook_belongs_to_an_instrument_that_exists(sessions: Sessions) -> None:
    with sessions.begin() as session:
        with pytest.raises(InvalidInput, match="instrument_id"):
            create_hook(session, {**FILTER, "instrument_id": uuid.uuid4()})
        hook = create_hook(session, FILTER)
        delete_hook(session, hook.id)
        with pytest.raises(NotFound, match="Hook not found"):
            delete_hook(session, hook.id)
