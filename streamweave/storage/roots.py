"""Where storage locations of the type posix may lie: within the roots that the environment allows, and nowhere else.

An admin who enters a storage location chooses where the host writes files whose names and contents come from a share.
In a folder that Python, the system or a login reads code from, that would be the right to run code on the host. So the
person who runs the host allows folders (``STREAMWEAVE_STORAGE_ROOTS``), and some folders are forbidden whatever is
allowed. A location must also not *hold* a forbidden folder: ``…/lib`` with an instrument ``python3.11`` and a share
``site-packages`` ends in one. An object store has no such rule: nothing on the host runs what is written there.
"""

import os
import posixpath
import re
import site
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from streamweave.catalog.deletion import listing
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import StorageLocation, StorageType
from streamweave.errors import InvalidInput, StartError, StorageRefused

VARIABLE = "STREAMWEAVE_STORAGE_ROOTS"
READ_AT_START = "an environment variable of `streamweave up` and of the services, which read it when they start"
SEPARATORS = re.compile(rf"[,{re.escape(os.pathsep)}]")

AS_ROOT = (
    "running as root: any file written or code run here has the whole machine; "
    "run StreamWeave under an account of its own"
)
SYSTEM_FOLDERS = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr"),
    *("/var/cache", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/systemd", "/var/log", "/var/run", "/var/spool"),
)
"""Nothing in them may be a location."""
SHARED_FOLDERS = ("/", "/home", "/opt", "/root", "/tmp", "/var", "/var/lib", "/var/tmp")
"""Folders in them may be a location, they themselves may not: they hold other files too."""
REMOVABLE_DISKS = "/run/media"
"""Where desktops mount disks, although it lies in a system folder."""


class RootReach(Enum):
    """How far a ban reaches: the folder itself, its hidden folders too, or all that it holds."""

    ITSELF = auto()
    HIDDEN = auto()
    ALL = auto()


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A forbidden folder, links resolved, what it is in words, and how far the ban reaches."""

    folder: str
    what: str
    reach: RootReach = RootReach.ALL

    def holds(self, path: str) -> bool:
        """Whether a location at ``path`` would lie where this forbids it."""
        if path == self.folder:
            return True
        if not lies_in(path, self.folder):
            return False
        hidden = path.removeprefix(self.folder).lstrip("/").startswith(".")
        return self.reach is RootReach.ALL or (self.reach is RootReach.HIDDEN and hidden)


def lies_in(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or lies below it; both are absolute and normal."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def refusal(path: str, roots: Iterable[str], forbidden: Iterable[Forbidden], exempt: Sequence[str] = ()) -> str | None:
    """Why no storage location may be at ``path``, in one sentence that says what to do; None if it may.

    All paths are absolute, normal and without links. ``exempt`` are folders that are allowed although a forbidden one
    holds them; what is forbidden inside of an exempt folder stays forbidden.
    """
    return forbidden_refusal(path, forbidden, exempt) or outside_refusal(path, roots)


def forbidden_refusal(path: str, forbidden: Iterable[Forbidden], exempt: Sequence[str] = ()) -> str | None:
    """Why ``path`` is forbidden whatever the roots are, or None."""
    for each in forbidden:
        if path != each.folder and lies_in(each.folder, path):
            return (
                f"{path} holds {each.folder} ({each.what}), and a storage location must not: choose a folder of its own"
            )
        if each.holds(path) and not any(lies_in(path, one) and lies_in(one, each.folder) for one in exempt):
            return (
                f"{path} is no place for a storage location, because of {each.folder} ({each.what}): "
                "choose a folder that is made for archives"
            )
    return None


def outside_refusal(path: str, roots: Iterable[str]) -> str | None:
    """Why ``path`` lies outside of the ``roots``, or None."""
    allowed = list(roots)
    if any(lies_in(path, root) for root in allowed):
        return None
    if not allowed:
        return (
            f"no storage roots are allowed yet: set {VARIABLE} to the folders that archives may lie in "
            f"({READ_AT_START})"
        )
    return (
        f"{path} lies outside of the storage roots {', '.join(allowed)}: choose a folder in one of them, "
        f"or have {VARIABLE} name a further one ({READ_AT_START})"
    )


@dataclass(frozen=True, slots=True)
class StorageRoots:
    """What one host allows.

    ``roots`` as they were given, ``places`` the same with the links resolved that were there when the process started;
    forbidden and exempt folders without links.
    """

    roots: tuple[str, ...]
    places: tuple[str, ...]
    forbidden: tuple[Forbidden, ...]
    exempt: tuple[str, ...]

    def check_roots(self) -> None:
        """Raises ``StartError`` for a root that no location may lie in, as one that is a system folder."""
        for place in self.places:
            whole = [each for each in self.forbidden if each.reach is RootReach.ALL and each.holds(place)]
            if why := forbidden_refusal(place, whole, self.exempt):
                raise StartError(f"{VARIABLE}: {why}")

    def missing(self) -> list[str]:
        """The roots that do not exist now, as a disk that is not mounted."""
        return [root for root, place in zip(self.roots, self.places, strict=True) if not os.path.isdir(place)]

    def check_new(self, base_path: str) -> None:
        """Raises ``InvalidInput`` unless a storage location may be entered, moved or restored at ``base_path``.

        The path as it is written must lie in a root too: a link in it that leads elsewhere later is then noticed.
        """
        place = os.path.realpath(base_path)
        sentence = refusal(place, self.places, self.forbidden, self.exempt) or self._outside(base_path)
        if sentence is not None:
            raise InvalidInput("base_path", sentence)

    def check_writing(self, base_path: str) -> None:
        """Raises ``StorageRefused`` if nothing may be written at ``base_path`` now.

        A location from before the roots were set lies outside of them and still works; one that lies in a root, but is
        reached through a link that leads out of it by now, does not.
        """
        place = os.path.realpath(base_path)
        sentence = forbidden_refusal(place, self.forbidden, self.exempt)
        if sentence is None and not self._outside(base_path) and outside_refusal(place, self.places):
            sentence = (
                f"{base_path} is reached through a link to {place}, outside of the storage roots: "
                f"put it right, or have {VARIABLE} name {place}"
            )
        if sentence is not None:
            raise StorageRefused(sentence)

    def notice(self, base_path: str) -> str | None:
        """What to know of an existing location at ``base_path``, or None. The file system is not read."""
        if sentence := forbidden_refusal(base_path, self.forbidden, self.exempt):
            return f"Nothing is written here: {sentence}"
        if self._outside(base_path):
            return (
                f"{base_path} lies outside of the storage roots. It still works; "
                f"have {VARIABLE} name its folder, or no such location can be entered or restored again"
            )
        return None

    def _outside(self, base_path: str) -> str | None:
        """Why the path, as it is written, lies outside of the roots, or None."""
        return outside_refusal(base_path, self.roots) and outside_refusal(base_path, self.places)


def listed_roots(text: str) -> tuple[str, ...]:
    """The roots of a list that is separated by commas or the system's path separator.

    Raises ``ValueError`` that names every entry that can't be used.
    """
    entries = [entry.strip() for entry in SEPARATORS.split(text) if entry.strip()]
    if wrong := [entry for entry in entries if not entry.startswith("/") or ".." in entry.split("/")]:
        raise ValueError(f"must be absolute paths without '..', and these are not: {', '.join(wrong)}")
    return tuple(dict.fromkeys("/" + posixpath.normpath(entry).lstrip("/") for entry in entries))


def storage_roots(
    roots: Sequence[str], *, home: Path, scripts_folder: Path | None = None, dagster_home: Path | None = None
) -> StorageRoots:
    """What this host allows: ``roots``, less the folders of the system, the program, its ``home`` and hooks' scripts.

    The folder ``storage`` of a home that exists is a root too.
    """
    home = Path(os.path.realpath(home.expanduser()))
    own = home / "storage"
    allowed = (*roots, str(own)) if own.is_dir() else tuple(roots)
    ours = [
        (home, "the system's home; its folder storage may be used"),
        (scripts_folder, "the scripts that hooks run"),
        (dagster_home, "Dagster's home"),
    ]
    forbidden = (
        *(Forbidden(os.path.realpath(folder), what) for folder, what in ours if folder is not None),
        *_program_folders(),
        *_system_folders(),
    )
    return StorageRoots(
        roots=allowed,
        places=tuple(map(os.path.realpath, allowed)),
        forbidden=tuple(dict.fromkeys(forbidden)),
        exempt=(str(own), REMOVABLE_DISKS),
    )


def _program_folders() -> Iterable[Forbidden]:
    paths = sysconfig.get_paths()
    whole = {sys.prefix, sys.base_prefix, sys.exec_prefix, site.getusersitepackages(), *site.getsitepackages()}
    whole |= {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    for folder in sorted(map(os.path.realpath, whole)):
        yield Forbidden(folder, "the program's Python")
    for entry in dict.fromkeys(map(os.path.realpath, filter(os.path.isdir, sys.path))):
        yield Forbidden(entry, "a folder that Python loads code from", RootReach.ITSELF)
    for package in sorted(Path(__file__).resolve().parents[2].glob("*/__init__.py")):  # those of a checkout
        yield Forbidden(str(package.parent), "a package of the program")


def _system_folders() -> Iterable[Forbidden]:
    for folder in SYSTEM_FOLDERS:
        yield from (Forbidden(path, "a system folder") for path in dict.fromkeys([folder, os.path.realpath(folder)]))
    for folder in SHARED_FOLDERS:
        yield Forbidden(folder, "a folder that others use too", RootReach.ITSELF)
    homes = [Path("/root"), Path.home()]
    with suppress(OSError):
        homes += sorted(Path("/home").iterdir())
    for folder in dict.fromkeys(map(os.path.realpath, homes)):
        yield Forbidden(folder, "a home folder and its settings", RootReach.HIDDEN)


def root_warning() -> list[str]:
    """A sentence if this process is root's, which it need not be."""
    return [AS_ROOT] if os.geteuid() == 0 else []


def start_warnings(sessions: Sessions, roots: StorageRoots) -> list[str]:
    """That of root, and one for each root that does not exist, and each location in use outside of the roots."""
    posix = listing(StorageLocation).where(StorageLocation.type == StorageType.POSIX).order_by(StorageLocation.name)
    with sessions() as session:
        notices = [(location.name, roots.notice(location.base_path)) for location in session.scalars(posix)]
    missing = [f"{VARIABLE}: there is no folder {root}: is the disk mounted?" for root in roots.missing()]
    return root_warning() + missing + [f"storage location {name}: {notice}" for name, notice in notices if notice]
