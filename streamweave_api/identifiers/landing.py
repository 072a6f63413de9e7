"""What is told about a named file, and where its parts are: citation, description, and links (Signposting)."""

from streamweave.files.dataset import Description, media_type
from streamweave.files.resolving import Citation, Named, Support


def landing_path(named: Named) -> str:
    """Where the resolver leads to."""
    path = f"/api/files/{named.record.id}"
    return path if named.version is None else f"{path}/versions/{named.version.number}"


def content_path(named: Named) -> str:
    """Where the bytes are."""
    return f"{landing_path(named)}/content"


def citation_of(named: Named, support: Support) -> Citation:
    """Who, what, when, where. Its creator may be unknown; the facility that acquired it isn't."""
    version = named.version or named.newest
    return Citation(support.who, named.record.source_path, version.source_mtime, named.identifier)


def description_of(named: Named, support: Support, public_url: str) -> Description:
    """The file as harvesters read it."""
    version, base = named.version or named.newest, public_url.rstrip("/")
    return Description(
        identifier=named.identifier,
        name=named.record.source_path,
        filename=named.record.filename,
        created=version.source_mtime,
        publisher=support.who,
        version=version.number,
        size_bytes=named.content.size_bytes if named.content else None,
        sha256=named.content.sha256 if named.content else None,
        content_url=f"{base}{content_path(named)}" if named.content else None,
        landing_url=f"{base}{landing_path(named)}",
    )


def links_of(named: Named, public_url: str) -> str:
    """The links of Signposting (level 1) as one header; RFC 8288."""
    address = f"{public_url.rstrip('/')}/{named.identifier}"
    links = [
        f'<{address}>; rel="cite-as"',
        f'<{address}?info>; rel="describedby"; type="text/plain"',
        f'<{address}>; rel="describedby"; type="application/ld+json"',
    ]
    if named.content is not None:
        item = f"{public_url.rstrip('/')}{content_path(named)}"
        links.append(f'<{item}>; rel="item"; type="{media_type(named.record.filename)}"')
    return ", ".join(links)
