"""Destination paths: where a version lies within a storage location, and what it is a version of.

``archive folder/source_path``, each part made safe for every file system. Ordinary names pass unchanged; the others are
encoded so that no two (path, version) get the same path, and that they can be decoded:

- What is not safe is percent-encoded in UTF-8: control characters, ``\\ < > : " | ? * %``, surrogates and
  non-characters anywhere; a dot or blank at the end (so ``.`` and ``..``); the first character of names that Windows
  reserves (``CON``, ``nul.txt``) or that begin like our own hidden folder.
- Nothing is normalised: names that only appear alike stay different.
- Versions from the second on carry their number before the extension: ``scan_01~v2.csv``; copies that repair a damaged
  one carry both numbers: ``scan_01~v1r1.csv``. The tilde of a source name of this form is encoded.
- An empty part becomes ``%-``.
- A part of more than 255 bytes is cut; ``%~`` and 16 hexadecimal digits of the whole's SHA-256 take the place of what
  is missing. Encoding never makes a ``%~``. Such a part can't be decoded.

A storage may refuse such a path all the same: other bytes have the name already, a file has the name of a folder that
is needed (or the reverse), or its file system takes no name like it. Then the next name is taken (``next_path``), and
the path that was taken is the one on record:

1. The part whose name is taken gets a number before its version and extension: ``result%~2/inside.csv``,
   ``scan%~2~v3.csv``, up to ``%~9``. ``source_path_of`` decodes it.
2. Where no number helps: ``%~/`` and 32 hexadecimal digits of the SHA-256 of the path that was wanted, with its
   extension if that is 1 to 8 ASCII letters and digits: ``%~/5c1f…e0.csv``. Short, plain ASCII, one folder for all:
   every file system takes it. Only the catalog knows what it is.
"""

import functools
import hashlib
import re
from urllib.parse import unquote_to_bytes

from streamweave.errors import InvalidInput

LONGEST_PART = 255  # bytes: the limit of the usual file systems
LONGEST_ARCHIVE_FOLDER = 120  # bytes
LONGEST_EXTENSION = 32  # bytes, with its dot: what is longer is cut like the rest of the name
EMPTY = "%-"
ASIDE = "%~"
LAST_NUMBER = 9

_LAST_OF_EACH_PLANE = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_UNSAFE = re.compile(rf'[\x00-\x1f\x7f-\x9f/\\<>:"|?*%\ud800-\udfff\ufdd0-\ufdef{_LAST_OF_EACH_PLANE}]|[. ]\Z')
_RESERVED_BY_WINDOWS = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\.|\Z)", re.IGNORECASE)
_RESERVED_BY_US = re.compile(r"\.streamweave", re.IGNORECASE)
_TILDE_OF_A_VERSION = re.compile(r"~(?=v[0-9]+(?:r[0-9]+)?(?:\.[^.]*)?\Z)")
_FILENAME = re.compile(r"(?P<stem>.+?)(?P<mark>~v(?P<version>[0-9]+)(?:r(?P<repair>[0-9]+))?)?(?P<extension>\.[^.]*)?")
_NUMBER_ASIDE = re.compile(rf"{ASIDE}([2-{LAST_NUMBER}])(?=(?:~v[0-9]+(?:r[0-9]+)?)?(?:\.[^.]*)?\Z)")
_PLAIN_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")
_HALF_AN_ESCAPE = re.compile(r"%[0-9A-F]?\Z")


def archive_folder_problem(name: str) -> str | None:
    """Why ``name`` can't be an instrument's folder in the archive, or None if it can. Such a name needs no encoding."""
    if not name:
        return "must not be empty"
    if len(_utf8(name)) > LONGEST_ARCHIVE_FOLDER:
        return f"must not be longer than {LONGEST_ARCHIVE_FOLDER} bytes in UTF-8"
    if name[0] in ". " or name[-1] in ". ":
        return "must neither begin nor end with a dot or a blank"
    if _RESERVED_BY_WINDOWS.match(name):
        return "must not be a name that Windows reserves for devices"
    if unsafe := _UNSAFE.search(name):
        return f"must not contain {unsafe[0]!r}"
    return None


def destination_path(archive_folder: str, source_path: str, version: int, repair: int = 0) -> str:
    """The path of a version within its storage location, ``/``-separated: ``Microscope 01/share/scan~v2.csv``.

    ``repair`` counts the copies of it that were found damaged there before: each further one has a name of its own.
    Never leaves the location; no part has more than 255 bytes. Raises ``InvalidInput`` if the folder has an
    ``archive_folder_problem``, or if ``version`` is less than 1.
    """
    if version < 1:
        raise InvalidInput("version", "must be at least 1")
    folder, slash, filename = source_path.rpartition("/")
    mark = f"~v{version}" if version > 1 or repair else ""
    mark += f"r{repair}" if repair else ""
    return f"{_placed_folder(archive_folder, folder + slash)}{_placed(filename, mark)}"


@functools.lru_cache(maxsize=1024)  # file after file comes from the same folder
def _placed_folder(archive_folder: str, folders: str) -> str:
    """The path of ``folders``, each closed by a slash, within the storage location, closed by a slash too."""
    if problem := archive_folder_problem(archive_folder):
        raise InvalidInput("archive_folder", problem)
    *parts, _ = folders.split("/")
    return "".join(f"{part}/" for part in [archive_folder, *map(_placed, parts)])


def next_path(wanted: str, path: str, part: int | None) -> str | None:
    """The path to try when ``path`` can't be used; ``wanted`` is what ``destination_path`` made of the version.

    ``part`` is the index of the part whose name something else has, None where no name like it will do. The paths that
    are tried for one version are never tried for another, and depend on the storage's answers alone: who publishes the
    same version again finds the bytes of an earlier attempt. Returns None after the last one.
    """
    if part is not None and (numbered := _with_next_number(path, part)):
        return numbered
    return None if path.startswith(ASIDE) else _last_resort(wanted)


def _with_next_number(path: str, part: int) -> str | None:
    parts = path.split("/")
    number = _NUMBER_ASIDE.search(parts[part])
    following = int(number[1]) + 1 if number else 2
    named = _FILENAME.fullmatch(_NUMBER_ASIDE.sub("", parts[part]))
    assert named, "no part of a destination is empty"
    stem, mark, extension = named["stem"], named["mark"] or "", named["extension"] or ""
    parts[part] = f"{stem}{ASIDE}{following}{mark}{extension}"
    fits = following <= LAST_NUMBER and len(_utf8(parts[part])) <= LONGEST_PART
    return "/".join(parts) if fits else None


def _last_resort(wanted: str) -> str:
    extension = _PLAIN_EXTENSION.search(wanted)
    return f"{ASIDE}/{hashlib.sha256(_utf8(wanted)).hexdigest()[:32]}{extension[0] if extension else ''}"


def source_path_of(destination: str) -> tuple[str, int]:
    """The source path and version of a ``destination``, be it of a repaired copy, or a numbered name.

    Raises ``InvalidInput`` for a path that is none of ours, and for one that can't be decoded: a part of it was cut, or
    it is the last resort.
    """
    destination = "/".join(_NUMBER_ASIDE.sub("", part) for part in destination.split("/"))
    archive_folder, _, rest = destination.partition("/")
    *folders, filename = rest.split("/")
    named = _FILENAME.fullmatch(filename)
    try:
        version, repair = (int(named["version"] or 1), int(named["repair"] or 0)) if named else (1, 0)
        bare = named["stem"] + (named["extension"] or "") if named else filename
        source_path = "/".join(_decoded(part) for part in [*folders, bare])
    except ValueError as undecodable:
        raise InvalidInput("destination_path", "is not encoded as StreamWeave does it") from undecodable
    if destination_path(archive_folder, source_path, version, repair) != destination:
        raise InvalidInput("destination_path", "is not a path that StreamWeave makes, or a part of it was cut")
    return source_path, version


def _placed(part: str, mark: str = "") -> str:
    """One part of the destination: safe, marked, and short enough."""
    named = _FILENAME.fullmatch(_TILDE_OF_A_VERSION.sub("%7E", _encoded(part)))
    assert named, "an encoded part is neither empty nor has it line breaks"
    stem, extension = named["stem"], named["extension"] or ""
    whole = _utf8(stem + mark + extension)
    if len(whole) <= LONGEST_PART:
        return whole.decode()
    kept = extension if len(_utf8(extension)) <= LONGEST_EXTENSION else ""
    ending = f"%~{hashlib.sha256(whole).hexdigest()[:16]}{mark}{kept}"
    rest = _utf8((stem + extension).removesuffix(kept))
    beginning = rest[: LONGEST_PART - len(_utf8(ending))].decode(errors="ignore")
    return _HALF_AN_ESCAPE.sub("", beginning) + ending


def _encoded(part: str) -> str:
    if not part:
        return EMPTY
    reserved = 1 if _RESERVED_BY_WINDOWS.match(part) or _RESERVED_BY_US.match(part) else 0
    return _percent(part[:reserved]) + _UNSAFE.sub(lambda unsafe: _percent(unsafe[0]), part[reserved:])


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in _utf8(text))


def _decoded(part: str) -> str:
    return "" if part == EMPTY else unquote_to_bytes(_utf8(part)).decode("utf-8", "surrogatepass")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
