"""A file as a schema.org Dataset in JSON-LD, which harvesters of research data read."""

import mimetypes
from dataclasses import dataclass
from datetime import datetime
from typing import Any

UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Description:
    """What is published about a file. ``content_url`` is None, as are checksum and size, while nothing is archived."""

    identifier: str
    name: str
    filename: str
    created: datetime
    publisher: str
    version: int
    size_bytes: int | None
    sha256: str | None
    content_url: str | None
    landing_url: str


def media_type(filename: str) -> str:
    """The media type that the name suggests; the content is not read."""
    return mimetypes.guess_type(filename)[0] or UNKNOWN_TYPE


def dataset(described: Description) -> dict[str, Any]:
    """The JSON-LD object, with schema.org's names (Dataset, DataDownload)."""
    document = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": described.identifier,
        "identifier": described.identifier,
        "name": described.filename,
        "description": described.name,
        "url": described.landing_url,
        "dateCreated": described.created.isoformat(),
        "version": str(described.version),
        "publisher": {"@type": "Organization", "name": described.publisher},
        "encodingFormat": media_type(described.filename),
    }
    return document if described.content_url is None else {**document, "distribution": _distribution(described)}


def _distribution(described: Description) -> dict[str, Any]:
    return {
        "@type": "DataDownload",
        "contentUrl": described.content_url,
        "contentSize": f"{described.size_bytes} B",
        "encodingFormat": media_type(described.filename),
        "sha256": described.sha256,
    }
