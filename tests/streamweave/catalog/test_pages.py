import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from streamweave.catalog.pages import Order, PageRequest, make_cursor, page_of, read_cursor
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import User
from streamweave.errors import InvalidInput

TIMES = st.datetimes(timezones=st.just(UTC))


@given(TIMES, st.uuids())
def test_a_cursor_leads_back_to_its_place(time: datetime, row_id: uuid.UUID) -> None:
    cursor = make_cursor("files", time, row_id)
    assert read_cursor("files", cursor) == (time, row_id)
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])), st.uuids())
def test_numbers_and_texts_can_be_places_too(key: int | str, row_id: uuid.UUID) -> None:
    assert read_cursor("files", make_cursor("files", key, row_id), type(key)) == (key, row_id)


@given(TIMES, st.uuids(), st.data())
def test_a_cursor_that_was_tampered_with_is_refused(time: datetime, row_id: uuid.UUID, data: st.DataObject) -> None:
    cursor = make_cursor("files", time, row_id)
    place = data.draw(st.integers(0, len(cursor) - 2))
    changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
    with pytest.raises(InvalidInput, match="cursor"):
        read_cursor("files", changed)


@given(st.text())
def test_what_is_not_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        read_cursor("files", text)


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = make_cursor("files", datetime.now(UTC), uuid.uuid4())
    with pytest.raises(InvalidInput, match="cursor"):
        read_cursor("transfers", cursor)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_show_each_row_once_in_order_although_times_are_equal(
    sessions: Sessions, newest_first: bool, limit: int
) -> None:
    with sessions.begin() as session:
        session.add_all(User(email=f"{number}@test.org", password_hash="none") for number in range(7))
    order = Order(User.created_at, User.id, newest_first)
    seen: list[uuid.UUID] = []
    request: PageRequest | None = PageRequest(limit)
    with sessions() as session:
        while request is not None:
            page = page_of(session, select(User), order, request)
            assert len(page.rows) <= limit
            seen += [user.id for user in page.rows]
            request = PageRequest(limit, page.next_cursor) if page.next_cursor else None
    assert seen == sorted(seen, reverse=newest_first)
    assert len(seen) == 7
