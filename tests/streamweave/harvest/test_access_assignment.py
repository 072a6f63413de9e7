"""The hook ``access_assignment`` in a harvest."""

from typing import Any

from sqlalchemy import select

from streamweave.access.groups import create_team
from streamweave.catalog.tables import FileGrant, Group, PendingGrant

USERNAME = "/(?P<username>user_[a-z])/"


def test_a_harvest_grants_by_metadata_notes_unknown_names_and_repeats_nothing(bench: Any) -> None:
    with bench.facility.sessions.begin() as session:
        known = create_team(session, Group, {"name": "USER_A"})
    bench.add_hook("metadata_enrichment", "post_transfer", rules=[{"pattern": USERNAME}])
    rule = {"grantee_type": "group", "match": "metadata", "key": "username"}
    assigning = bench.add_hook("access_assignment", "post_transfer", grants=[rule])
    for path in ["microscope/user_a/a.csv", "microscope/user_b/b.csv", "microscope/c.csv"]:
        bench.write(path)
    bench.harvest()
    bench.change(assigning, config={"grants": [rule, {**rule, "grantee_type": "project"}]})
    bench.harvest()
    with bench.facility.sessions.begin() as session:
        assert session.scalars(select(FileGrant.grantee_id)).all() == [known.id]
        waiting = session.execute(select(PendingGrant.grantee_type, PendingGrant.name)).all()
        assert sorted(map(tuple, waiting)) == [("group", "user_b"), ("project", "user_a"), ("project", "user_b")]
        later = create_team(session, Group, {"name": "user_b"})
        assert set(session.scalars(select(FileGrant.grantee_id))) == {known.id, later.id}


def test_a_group_that_is_gone_is_a_failure_on_record(bench: Any) -> None:
    gone = {"grantee_type": "group", "grantee_id": "6f0d2f5e-6d7c-4c39-9f0a-2a5e0a1d9b11"}
    bench.add_hook("access_assignment", "post_transfer", grants=[gone])
    bench.write("microscope/a.csv")
    bench.harvest()
    assert bench.version("microscope/a.csv").enrichment_error == "a hook grants to a group that is gone"
