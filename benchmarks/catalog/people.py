"""Who asks, and what is granted to whom: a fifth as many grants as there are files."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from benchmarks.catalog.world import GROUPS, INSTRUMENTS, PERSONS, PROJECTS, RUN, USERS, World, identity, share
from streamweave.access.grants import Grantee
from streamweave.catalog.tables import GranteeType

ADMIN = "admin"
MANY, FOLDERS, ONE, NOBODY = range(4)  # users: a twentieth of all files, ten folders, a single file, nothing
VIEWERS = 4
MANY_SHARE = 0.05
THE_GROUP = THE_PROJECT = 0  # through which MANY see theirs
THEIR_INSTRUMENT = 60
FOLDERS_ON = (0, 3, 10, 20, 40, 61, 90, 120, 150, 180)
GRANTED_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Opening:
    """A grant on an instrument, or on a folder of it."""

    instrument: int
    path_prefix: str
    grantee: Grantee


def user(number: int) -> Grantee:
    """A user, as somebody to grant things to."""
    return Grantee(GranteeType.USER, identity("user", number))


def group(number: int) -> Grantee:
    """A group likewise."""
    return Grantee(GranteeType.GROUP, identity("group", number))


def project(number: int) -> Grantee:
    """A project likewise."""
    return Grantee(GranteeType.PROJECT, identity("project", number))


def group_members(world: World) -> Iterator[tuple[UUID, UUID]]:
    """Twenty users in each group."""
    yield group(THE_GROUP).id, user(MANY).id
    for number in range(GROUPS):
        for member in world.random("group", number).sample(range(VIEWERS, USERS), 20):
            yield group(number).id, user(member).id


def project_members(world: World) -> Iterator[tuple[UUID, Grantee]]:
    """Five users and two groups in each project."""
    yield project(THE_PROJECT).id, group(THE_GROUP)
    for number in range(PROJECTS):
        random = world.random("project", number)
        for member in random.sample(range(VIEWERS, USERS), 5):
            yield project(number).id, user(member)
        for member in random.sample(range(1, GROUPS), 2):
            yield project(number).id, group(member)


def openings(world: World) -> list[Opening]:
    """Grants on instruments and folders: five folders and one instrument for every hundred users, and the viewers'."""
    found = [Opening(THEIR_INSTRUMENT, "", project(THE_PROJECT))]
    found += [Opening(instrument, f"{share(instrument)}/person_03", user(FOLDERS)) for instrument in FOLDERS_ON]
    for number in range(VIEWERS, USERS):
        random = world.random("openings", number)
        for _ in range(5):
            instrument = random.randrange(INSTRUMENTS)
            folder = f"{share(instrument)}/person_{random.randrange(PERSONS):02}"
            found.append(Opening(instrument, folder, user(number)))
    for number in range(1, PROJECTS):
        found.append(Opening(world.random("instrument", number).randrange(INSTRUMENTS), "", project(number)))
    return list(dict.fromkeys(found))


def file_grants(world: World) -> Iterator[tuple[int, Grantee]]:
    """Grants on single files, by their numbers: those of the viewers, then anybody's."""
    theirs = _files_of_the_group(world)
    cut = len(theirs) * 2 // 3
    yield from ((file, project(THE_PROJECT)) for file in theirs[:cut])
    yield from ((file, group(THE_GROUP)) for file in theirs[cut:])
    yield world.files // 3, user(ONE)
    left = int(world.files * GRANTED_SHARE) - len(theirs) - 1 - len(openings(world))
    yield from _anybodys(world, max(0, left))


def _files_of_the_group(world: World) -> list[int]:
    """With what their instrument has, they are exactly their share of all."""
    runs = range(-(-world.files // RUN))
    on_instrument = {run for run in runs if world.run(run).instrument == THEIR_INSTRUMENT}
    covered = sum(min(RUN, world.files - run * RUN) for run in on_instrument)
    others = [file for file in range(world.files) if file // RUN not in on_instrument]
    return world.random("theirs").sample(others, max(0, int(world.files * MANY_SHARE) - covered))


def _anybodys(world: World, number: int) -> Iterator[tuple[int, Grantee]]:
    random = world.random("anybody")
    somebody = [user(n) for n in range(VIEWERS, USERS)]
    somebody += [group(n) for n in range(1, GROUPS)] + [project(n) for n in range(1, PROJECTS)]
    granted: set[tuple[int, int]] = set()
    while len(granted) < number:
        granted.add((random.randrange(world.files), random.randrange(len(somebody))))
    yield from ((file, somebody[who]) for file, who in sorted(granted))
