"""Names on a share, and paths made of them."""

import re

UNASKABLE = "its name is not valid Unicode, or holds a character that no file name may hold"

_SEPARATOR_OR_NUL = re.compile(r"[/\\\0]")
_INVALID = re.compile("[/\\\\\0\ud800-\udfff]")


def is_askable(name: str) -> bool:
    """Whether a file can be asked for by a path with this name in it: valid Unicode, no separator, no NUL."""
    return _INVALID.search(name) is None


def shown(name: str) -> str:
    r"""The name with its invalid parts escaped (``\ud800``, ``\x00``). No two names are shown alike."""
    if is_askable(name):
        return name
    escaped = _SEPARATOR_OR_NUL.sub(lambda found: f"\\x{ord(found[0]):02x}", name)
    return escaped.encode("utf-8", "backslashreplace").decode("utf-8")
