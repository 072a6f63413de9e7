"""Rereading: the sources of archived versions, over one connection. Holds up nobody: see ``Restraint``."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streamweave.errors import SourceFileError
from streamweave.harvest.copying import Digest, digest_of
from streamweave.rehash.sampling import Subject
from streamweave.sources.base import WHOLE_FILE_BYTES, Source, SourceFile, WholeFile


class Finding(StrEnum):
    """What came of reading a source again. ``unknown``: it could not be read, or has changed so that a look tells."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Restraint:
    """What keeps the reading from being a burden.

    ``before_reading`` is told how many bytes come next, and may take its time. A file is begun only while
    ``may_begin``; one under way is left as it is, not read to its end, once ``gives_way``.
    """

    before_reading: Callable[[int], None]
    may_begin: Callable[[], bool]
    gives_way: Callable[[], bool]


Reread = tuple[Subject, Finding, int]
"""The number is that of the bytes that were read."""


def reread(source: Source, subjects: Sequence[Subject], restraint: Restraint) -> Iterator[Reread]:
    """Read what may be read, the small files first. Raises a ``SourceError`` when the share fails."""
    standing = []
    for subject in subjects:
        if subject.is_gone:
            yield subject, Finding.UNKNOWN, 0
        else:
            standing.append(subject)
    yield from _small(source, [each for each in standing if each.size_bytes <= WHOLE_FILE_BYTES], restraint)
    for subject in standing:
        if subject.size_bytes > WHOLE_FILE_BYTES and restraint.may_begin():
            yield _large(source, subject, restraint)


def _small(source: Source, subjects: Sequence[Subject], restraint: Restraint) -> Iterator[Reread]:
    asked: deque[Subject] = deque()

    def files() -> Iterator[SourceFile]:
        for subject in subjects:
            if not restraint.may_begin():
                return
            restraint.before_reading(subject.size_bytes)
            asked.append(subject)
            yield SourceFile(subject.source_path, subject.size_bytes, subject.mtime)

    for answer in source.read_whole(files()):
        subject = asked.popleft()
        if isinstance(answer, WholeFile):
            is_same_file = _is_as_archived(subject, answer.at_opening) and _is_as_archived(subject, answer.at_closing)
            yield subject, _judged(subject, digest_of([answer.content]), is_same_file), len(answer.content)
        else:
            yield subject, Finding.UNKNOWN, 0


def _large(source: Source, subject: Subject, restraint: Restraint) -> Reread:
    read = 0

    def told(chunks: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal read
        for chunk in chunks:
            read += len(chunk)
            restraint.before_reading(len(chunk))
            yield chunk
            if read > subject.size_bytes or restraint.gives_way():
                return

    try:
        with source.open(subject.source_path) as file:
            is_same_file = _is_as_archived(subject, file.now())
            digest = digest_of(told(file.chunks()) if is_same_file else ())
            is_same_file = is_same_file and _is_as_archived(subject, file.now())
    except SourceFileError:
        return subject, Finding.UNKNOWN, read
    return subject, _judged(subject, digest, is_same_file), read


def _is_as_archived(subject: Subject, found: SourceFile) -> bool:
    return (found.size_bytes, found.mtime) == (subject.size_bytes, subject.mtime)


def _judged(subject: Subject, read: Digest, is_same_file: bool) -> Finding:
    if not is_same_file or read.size_bytes != subject.size_bytes:
        return Finding.UNKNOWN
    return Finding.IDENTICAL if read.sha256 == subject.sha256 else Finding.DIFFERENT
