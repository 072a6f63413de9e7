"""A real server behind a line that cuts, stalls and garbles: both engines end in time, cleanly, and recover."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from simlab.faults.line import DAMAGES, Line, line_to, unharmed
from streamweave.errors import SourceUnreachable
from streamweave.sources.base import SourceFile, WholeFile

CONTENT = bytes(range(256)) * 2_000


@pytest.fixture
def line(samba_bench: Any) -> Iterator[Line]:
    with line_to(samba_bench.address.port) as line, samba_bench.closing:
        yield line


WORDS = {
    "it is cut": "ended the connection",
    "it stalls": "silent for 1 s",
    "it stalls within an answer": "silent for 1 s",
    "it stalls behind an announcement": "silent for 1 s",
    "it garbles a bit": "as expected",
    "it garbles all": "127.0.0.1",
    "it forges an answer": "as expected",
    "it makes frames longer than they are": "127.0.0.1",
}

QUESTIONS: dict[str, Callable[[Any, SourceFile], object]] = {
    "listing": lambda source, file: list(source.listings()),
    "reading whole": lambda source, file: list(source.read_whole([file] * 20)),
    "reading in pieces": lambda source, file: read(source, file.source_path),
    "probing": lambda source, file: source.has_open_writer(file.source_path),
}


def read(source: Any, source_path: str) -> bytes:
    with source.open(source_path) as file:
        return b"".join(file.chunks())


def test_a_listing_held_up_until_the_server_ended_the_connection_fails_and_the_next_one_sees_all(
    samba_bench: Any, line: Line
) -> None:
    """As a server does that hears nothing for a quarter of an hour: there is no keeping alive, but no half listing."""
    for number in range(80):
        samba_bench.write(f"run_{number:02}/scan.raw", b"x")
    source = samba_bench.source(port=line.port, timeout_seconds=1)
    listings = source.listings()
    seen = [next(listings)]
    line.cut_all()
    with pytest.raises(SourceUnreachable):
        seen += listings
    assert len(seen) < 81
    assert len(list(source.listings())) == 81


@pytest.mark.parametrize("name", DAMAGES)
def test_a_bad_line_ends_every_question_in_time_and_the_next_one_connects_again(
    samba_bench: Any, line: Line, name: str
) -> None:
    damage, words = DAMAGES[name], WORDS[name]
    samba_bench.write("scan.raw", CONTENT)
    source = samba_bench.source(port=line.port, timeout_seconds=1)
    with ThreadPoolExecutor(1) as asking:
        for question in QUESTIONS.values():
            (file,) = [file for listing in source.listings() for file in listing.files]
            line.damage = damage()
            with pytest.raises(SourceUnreachable, match=words):
                asking.submit(question, source, file).result(timeout=20)
            line.damage = unharmed
            (answer,) = source.read_whole([file])
            assert answer == WholeFile(CONTENT, file, file)
        line.damage = damage()
        asking.submit(source.close).result(timeout=20)
