"""What "nothing was lost" means, word by word: the archives held against the source, and the catalog against both.

It holds after a harvest that was left alone, whatever happened before. Each rule names every breach in a sentence.

``lost``
    every content of a file that a harvest has seen settled, and no hook has decided against, is in each storage
    location, byte for byte, and is on record there
``twice``
    a version has one completed transfer for each storage location, and one file there; a file has one record, and
    one identifier
``partial``
    each file under a final name holds, whole, a content that the file has had
``without bytes``
    where the catalog says that a version is archived, there are its bytes, with its SHA-256 and its size, verified
``without a row``
    each file under a final name is on record; but for what a run had published, and not yet put on record, when it
    died, of a file that changed or went before the next harvest: it stays where it is, whole, since nothing is ever
    removed from an archive
``stale``
    there are no temporary files
``untruthful``
    every file on the share is on record, in a state that says how it is: archived, or skipped with the reason; its
    newest version is what is there; nothing waits for anybody; what is archived was enriched; what is gone from the
    share is on record as gone, and nothing else is; what went before it could be taken has vanished
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from soak.evidence import Copy, Evidence, Version
from streamweave.catalog.tables import TransferStatus, VersionState

Breaches = Mapping[str, tuple[str, ...]]


def breaches_in(evidence: Evidence) -> Breaches:
    """Every breach, by the rule; a rule that holds has none."""
    return {name: tuple(rule(evidence)) for name, rule in RULES.items()}


def lost(found: Evidence) -> Iterator[str]:
    """See above."""
    at = {(copy.version_id, copy.location) for copy in completed(found)}
    on_record = {
        (version.source_path, version.sha256, location)
        for version in found.versions
        for location in found.archives
        if (version.id, location) in at
    }
    archived = {location: set(archive.values()) for location, archive in found.archives.items()}
    for path, contents in found.contents.items():
        for content in contents:
            for location in found.archives:
                if path in found.skipped:
                    continue
                if content not in archived[location]:
                    yield f"{path}: a content of it is nowhere in {location}"
                elif (path, content, location) not in on_record:
                    yield f"{path}: a content of it is not on record in {location}"


def twice(found: Evidence) -> Iterator[str]:
    """See above."""
    names = {version.id: version.source_path for version in found.versions}
    for (version_id, location), count in Counter((copy.version_id, copy.location) for copy in completed(found)).items():
        if count > 1:
            yield f"{names[version_id]}: {count} completed transfers of one version to {location}"
    for (path, location), count in Counter((copy.path, copy.location) for copy in completed(found)).items():
        if count > 1:
            yield f"{path}: {count} versions share this place in {location}"
    newest = [version for version in found.versions if version.is_newest]
    for what in ("source_path", "persistent_id"):
        for value, count in Counter(getattr(version, what) for version in newest).items():
            if count > 1:
                yield f"{value}: {count} records have this {what}"
    for path, content in _archived_contents(found):
        if content[1] > 1:
            yield f"{path}: one content of it is archived as {content[1]} versions"


def _archived_contents(found: Evidence) -> Iterator[tuple[str, tuple[str, int]]]:
    done = Counter(
        (version.source_path, version.sha256) for version in found.versions if version.state == VersionState.ARCHIVED
    )
    yield from ((path, (str(content), count)) for (path, content), count in done.items())


def partial(found: Evidence) -> Iterator[str]:
    """See above."""
    whole = {content for contents in (*found.contents.values(), *found.lapsed.values()) for content in contents}
    for location, archive in found.archives.items():
        yield from (f"{path} in {location} is not a whole content" for path, at in archive.items() if at not in whole)


def without_bytes(found: Evidence) -> Iterator[str]:
    """See above."""
    versions = {version.id: version for version in found.versions}
    for copy in completed(found):
        version = versions[copy.version_id]
        bytes_there = found.archives[copy.location].get(copy.path)
        if bytes_there is None:
            yield f"{copy.path}: completed in {copy.location}, where there is no file"
        elif bytes_there != version.sha256:
            yield f"{copy.path}: other bytes are in {copy.location} than are on record"
        if not copy.is_verified or copy.bytes_transferred != version.size_bytes:
            yield f"{copy.path}: completed in {copy.location} without proof"
    has_copies = {copy.version_id for copy in completed(found)}
    for version in found.versions:
        if version.state == VersionState.ARCHIVED and version.id not in has_copies:
            yield f"{version.source_path}: archived, and has no completed transfer"


def without_a_row(found: Evidence) -> Iterator[str]:
    """See above."""
    on_record = {(copy.location, copy.path) for copy in completed(found)}
    lapsed = {content for contents in found.lapsed.values() for content in contents}
    for location, archive in found.archives.items():
        for path, content in archive.items():
            if (location, path) not in on_record and content not in lapsed:
                yield f"{path} in {location} is not on record"


def stale(found: Evidence) -> Iterator[str]:
    """See above."""
    for location, names in found.staged.items():
        yield from (f"{name} was left in {location}" for name in names)


def untruthful(found: Evidence) -> Iterator[str]:
    """See above."""
    newest = {
        version.source_path: version for version in found.versions if version.is_newest and not _is_invention(version)
    }
    yield from (f"{path}: is on the share, and is not on record" for path in found.on_share - newest.keys())
    there_once = found.contents.keys() | found.lapsed.keys()
    yield from (f"{path}: on record, and was never there" for path in newest.keys() - there_once)
    for version in newest.values():
        yield from _untruths_of(version, found)
    for copy in found.copies:
        if copy.status in (TransferStatus.PENDING, TransferStatus.IN_PROGRESS):
            yield f"{copy.path}: a transfer to {copy.location} is still {copy.status}"


def _is_invention(version: Version) -> bool:
    """Whether a hostile share showed an entry that no file has: it is on record as unreadable, and as gone since."""
    return version.state == VersionState.UNREADABLE and version.is_gone and bool(version.reason)


def _untruths_of(version: Version, found: Evidence) -> Iterator[str]:
    path = version.source_path
    if version.is_gone == (path in found.on_share):
        yield f"{path}: {'gone' if version.is_gone else 'there'} on record, and it is the other way round"
    if path not in found.contents and version.state == VersionState.VANISHED and version.reason:
        return  # it went before a harvest could take it, and that is what the record says
    if path in found.skipped:
        if version.state != VersionState.SKIPPED or not version.reason:
            yield f"{path}: is {version.state} ({version.reason}), and should be skipped, with a reason"
        return
    if version.state not in (VersionState.ARCHIVED, VersionState.UNCHANGED):
        yield f"{path}: is {version.state} ({version.reason})"
    elif path in found.on_share and version.sha256 != found.contents[path][-1]:
        yield f"{path}: its newest version is not what is on the share"
    elif not version.is_enriched:
        yield f"{path}: was not enriched"


def completed(found: Evidence) -> list[Copy]:
    """The copies that the catalog vouches for."""
    return [copy for copy in found.copies if copy.status == TransferStatus.COMPLETED]


RULES: Final[Mapping[str, Callable[[Evidence], Iterator[str]]]] = {
    "lost": lost,
    "twice": twice,
    "partial": partial,
    "without bytes": without_bytes,
    "without a row": without_a_row,
    "stale": stale,
    "untruthful": untruthful,
}
