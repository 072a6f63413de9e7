"""Certificates, held against what really is in the archives at that moment: none may call a file safe that is not."""

import io
import json
from contextlib import closing, suppress

from sqlalchemy import select

from soak.evidence import archived_in
from soak.trial import Trial
from streamweave.catalog.tables import Instrument
from streamweave.errors import NothingKnown
from streamweave.preservation.certificates.issue import Issuer
from streamweave.preservation.certificates.judgement import Verdict


def false_certificates(one: Trial) -> list[str]:
    """The files that a certificate over everything calls safe, and that lack a whole copy in an archive."""
    contents = {name: archived_in(root) for name, root in one.archives.items()}
    false = []
    for path, sha256 in certified_safe(one).items():
        for location, archive in contents.items():
            if sha256 not in archive.values():
                false.append(f"{path}: certified safe, and no copy of it is in {location}")
    return false


def certified_safe(one: Trial) -> dict[str, str]:
    """The SHA-256 of what a certificate calls safe to delete, by source path."""
    manifest = io.BytesIO()
    with closing(one.facility()) as facility:
        with facility.sessions() as session:
            instrument = session.scalars(select(Instrument)).one()
        with suppress(NothingKnown):
            issuer = Issuer(facility.sessions, facility.open_marked, None, facility.now)
            issuer.issue(instrument, issued_to="the soak", manifest=manifest)
    statements = map(json.loads, manifest.getvalue().splitlines())
    return {each["path"]: each["sha256"] for each in statements if each["verdict"] == Verdict.SAFE}
