"""A trial: one instrument with a folder of its own, a fresh catalog, two archives; and what ought to be in them."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select, text, update
from sqlalchemy.engine import Engine

from soak.data import SKIPPED_SUFFIX, Changes
from soak.evidence import Evidence, archived_in, copies_in, sha256, staged_in, versions_in
from soak.orders import End, Order
from soak.site import SHARE, Site
from soak.victims import Victims
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import FixityHold, Instrument, StorageLocation
from streamweave.facility import Facility, facility_of
from streamweave.manifest import apply_manifest
from streamweave.preservation.repair import repair_copies
from streamweave.preservation.sweep import sweep_completely, sweep_tonight
from streamweave.settings import Settings

AN_HOUR = 3_600.0
LOCATIONS = ("archive", "mirror")


@dataclass
class Trial:
    """``contents`` are all contents that a file has had when a harvest began, by its source path, oldest first.

    ``lapsed`` are those that were gone, or touched, before any harvest came to its end: bytes of them may be in an
    archive without a row.
    ``on_share`` are the source paths of the files that are on the share at this moment.
    """

    site: Site
    victims: Victims
    base: str
    archives: Mapping[str, Path]
    database_url: str
    engine: Engine
    contents: dict[str, list[bytes]] = field(default_factory=dict)
    lapsed: dict[str, list[bytes]] = field(default_factory=dict)
    on_share: set[str] = field(default_factory=set)
    _harvests: int = 0

    @property
    def folder(self) -> Path:
        """The instrument's folder."""
        return self.site.folder / self.base

    @property
    def prefix(self) -> str:
        """What source paths begin with."""
        return f"{SHARE}/{self.base}/" if self.base else f"{SHARE}/"

    def write(self, files: Mapping[str, bytes]) -> None:
        """Let the instrument write files, each an hour ago by its own clock, and a little later each time."""
        for path, content in files.items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            self._date(place)
            source_path = self.prefix + path
            self.on_share.add(source_path)
            known = self.contents.setdefault(source_path, [])
            if content not in known:
                known.append(content)

    def change(self, changes: Changes) -> None:
        """Let the instrument change what it has written."""
        self.write(changes.written)
        for path in changes.touched:
            self._date(self.folder / path)
        for path in changes.removed:
            (self.folder / path).unlink()
            self.on_share.discard(self.prefix + path)

    def change_unseen(self, changes: Changes) -> None:
        """Let it change what no harvest has brought to its end yet."""
        for path in {*changes.written, *changes.removed}:
            self.lapse(path)
        for path in changes.touched:  # to us it is another version, until it has been read
            source_path = self.prefix + path
            self.lapsed[source_path] = self.contents[source_path]
        self.change(changes)

    def lapse(self, path: str) -> None:
        """What the file held so far is gone, before a harvest was left alone with it."""
        source_path = self.prefix + path
        if source_path in self.contents:
            self.lapsed[source_path] = self.contents.pop(source_path)

    def files(self) -> dict[str, bytes]:
        """The contents of the files on the share, by the paths below the instrument's folder."""
        paths = [path.removeprefix(self.prefix) for path in self.on_share]
        return {path: (self.folder / path).read_bytes() for path in paths}

    def take_stock(self) -> None:
        """Record what is on the share now, however it came there: the next harvest will find it."""
        self.on_share = set()
        for place in self.folder.rglob("*"):
            if place.is_file():
                path = self.prefix + str(place.relative_to(self.folder))
                known = self.contents.setdefault(path, [])
                content = place.read_bytes()
                known[:] = [*(each for each in known if each != content), content]
                self.on_share.add(path)

    def _date(self, place: Path) -> None:
        then = time.time() - AN_HOUR + self._harvests
        os.utime(place, (then, then))

    def order(self, **ending: Any) -> Order:
        """The next harvest. Each begins two hours after the last one, by its own clock: every retry is due."""
        self._harvests += 1
        ahead = 2 * AN_HOUR * self._harvests
        return Order(self.database_url, self.site.encryption_key, SHARE, ahead_seconds=ahead, **ending)

    def harvest(self, **ending: Any) -> End:
        """A harvest, which may be made to end early."""
        return self.victims.run(self.order(**ending))

    def let_the_dead_be_found(self) -> None:
        """Age the heartbeats of runs that died: they are taken for dead after 15 s of silence, which we spare us."""
        with self.engine.begin() as connection:
            connection.execute(
                text("UPDATE harvest_runs SET heartbeat_at = now() - interval '1 minute' WHERE finished_at IS NULL")
            )

    def recover(self) -> End:
        """The next harvest, as it comes once whatever died is there again; it is left alone."""
        self.let_the_dead_be_found()
        return self.harvest()

    def dump(self) -> str:
        """A copy of the catalog as it is now; returns its address."""
        self.engine.dispose()
        return self.site.copy_database(self.database_url.rpartition("/")[2])

    def restore(self, dump: str) -> None:
        """Put a copy that was made earlier in the catalog's place."""
        self.engine.dispose()
        self.site.replace_database(self.database_url, dump)

    def facility(self) -> Facility:
        """The facility of this process, an hour after the last harvest by its clock."""
        settings = Settings(database_url=self.database_url, encryption_keys=SecretStr(self.site.encryption_key))
        facility, ahead = facility_of(settings), timedelta(seconds=AN_HOUR * (2 * self._harvests + 1))
        return replace(facility, now=lambda: facility.now() + ahead)

    def repair(self) -> None:
        """Read every copy again, release what is held for too much damage, and repair what is missing."""
        with closing(self.facility()) as facility:
            with facility.sessions() as session:
                locations = list(session.scalars(select(StorageLocation)))
                instrument = session.scalars(select(Instrument)).one()
            for location in locations:
                sweep_completely(facility, location)
                self._release(facility.now())
                sweep_tonight(facility, location)
            repair_copies(facility, instrument)

    def _release(self, now: datetime) -> None:
        """As a person does who has checked the locations."""
        with self.engine.begin() as connection:
            connection.execute(update(FixityHold).where(FixityHold.released_at.is_(None)).values(released_at=now))

    def evidence(self) -> Evidence:
        """What is to be judged now."""
        return Evidence(
            contents={path: [sha256(content) for content in known] for path, known in self.contents.items()},
            on_share=frozenset(self.on_share),
            lapsed={path: [sha256(content) for content in known] for path, known in self.lapsed.items()},
            skipped=frozenset(path for path in self.contents if path.endswith(SKIPPED_SUFFIX)),
            archives={name: archived_in(root) for name, root in self.archives.items()},
            staged={name: staged_in(root) for name, root in self.archives.items()},
            versions=versions_in(self.engine),
            copies=copies_in(self.engine),
        )


@contextmanager
def trial(site: Site, victims: Victims, *, on_all_of_the_share: bool = False, **instrument: Any) -> Iterator[Trial]:
    """A new trial, of which nothing is left; ``instrument`` are fields of its row that differ from the others'."""
    name = f"t{uuid.uuid4().hex[:12]}"
    base = "" if on_all_of_the_share else name
    (site.folder / base).mkdir(exist_ok=True)
    archives = {location: site.work / "archives" / name / location for location in LOCATIONS}
    url = site.create_database()
    try:
        with open_catalog(url) as engine:
            manifest = site.manifest(f"/{base}", archives, **instrument)
            apply_manifest(catalog_sessions(engine), site.encryption_key, manifest)
            yield Trial(site, victims, base, archives, url, engine)
    finally:
        site.drop_database(url)
        shutil.rmtree(site.folder / base)
        shutil.rmtree(site.work / "archives" / name)
