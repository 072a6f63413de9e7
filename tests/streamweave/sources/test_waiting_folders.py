"""Folders that wait to be listed come out as they went in, and are held in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from streamweave.sources.smb.address import is_askable
from streamweave.sources.smb.listing import Folder, WaitingFolders

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(is_askable)


@given(st.lists(st.lists(NAMES, max_size=5), max_size=5))
def test_the_last_siblings_come_first_each_in_its_order_and_none_is_lost(families: list[list[str]]) -> None:
    waiting = WaitingFolders()
    added = [
        [Folder(f"data/{number}/{name}", frozenset({number})) for name in names]
        for number, names in enumerate(families)
    ]
    for folders in added:
        assert waiting.add(folders)
    taken = []
    while waiting:
        taken.append(waiting.take())
    assert taken == [folder for folders in reversed(added) for folder in folders]


def test_there_is_room_for_so_many_bytes_of_names_and_it_is_given_back() -> None:
    waiting = WaitingFolders(most_bytes=10)
    first, second = [Folder("data/12345", frozenset())], [Folder("data/67890", frozenset())]
    assert waiting.add(first)
    assert not waiting.add(second)
    assert waiting.take() == first[0]
    assert waiting.add(second)
