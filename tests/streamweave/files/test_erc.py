from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from streamweave.files.resolving import Citation, Support, erc, tombstone

WHEN = datetime(2026, 2, 24, 12, tzinfo=UTC)
ARK = "ark:/99999/fk4x"
SUPPORT = Support("The facility", "Kept for ever")


def test_a_record_answers_four_questions_and_says_what_is_promised() -> None:
    assert erc(Citation("The facility", "a/scan.csv", WHEN, ARK), SUPPORT) == (
        "erc:\nwho: The facility\nwhat: a/scan.csv\nwhen: 20260224120000\nwhere: ark:/99999/fk4x\n"
        "erc-support:\nwho: The facility\nwhat: Kept for ever\nwhen: (:unkn)\nwhere: ark:/99999/fk4x\n\n"
    )


@given(st.text(), st.text())
def test_no_value_can_begin_an_element_of_its_own(who: str, what: str) -> None:
    record = erc(Citation(who, what, WHEN, ARK), SUPPORT)
    assert len(record.splitlines()) == 11
    assert [line.partition(":")[0] for line in record.splitlines()[:5]] == ["erc", "who", "what", "when", "where"]


def test_a_tombstone_says_why() -> None:
    told = tombstone(Citation("", "a", None, ARK), "mislabelled", WHEN)
    assert told == {
        "who": "(:unkn)",
        "what": "a",
        "when": "(:unkn)",
        "where": ARK,
        "withdrawn": "20260224120000",
        "why": "mislabelled",
    }
