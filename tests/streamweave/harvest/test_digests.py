"""A set of digests holds what was put in, and nothing else."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from streamweave.harvest.scan_record import Digests

# few different bytes: digests that stand beside each other often look as if a third one stood across them
DIGESTS = st.lists(st.sampled_from(b"\0\1"), min_size=14, max_size=14).map(lambda tail: b"\0\0" + bytes(tail))


@given(st.lists(DIGESTS), st.lists(DIGESTS))
def test_it_holds_what_was_put_in_once_and_nothing_else(inside: list[bytes], others: list[bytes]) -> None:
    digests = Digests(inside)
    assert sorted(digests) == sorted(set(inside))
    assert len(digests) == len(set(inside))
    assert all((each in digests) == (each in set(inside)) for each in (*inside, *others))


def test_it_takes_little_more_than_the_digests_themselves() -> None:
    digests = Digests(hashlib.md5(str(number).encode()).digest() for number in range(100_000))
    held = sum(string.__sizeof__() for string in digests._strings.values())
    assert held < 24 * 100_000
