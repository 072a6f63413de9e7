"""Names on a share, and paths made of them."""

import hashlib
import re

UNASKABLE = "its name is not valid Unicode, or holds a character that no file name may hold"
LONGEST_NAME = 255
"""In UTF-16 code units ([MS-FSCC] 2.1.5.2): what is longer is no name of a file."""
TOO_LONG = f"its name is longer than {LONGEST_NAME} characters"

_SEPARATOR_OR_NUL = re.compile(r"[/\\\0]")
_INVALID = re.compile("[/\\\\\0\ud800-\udfff]")


def is_askable(name: str) -> bool:
    """Whether a file can be asked for by a path with this name in it: valid Unicode, no separator, no NUL."""
    return _INVALID.search(name) is None


def is_too_long(name: str) -> bool:
    """Whether no file can have so long a name."""
    return len(name) > LONGEST_NAME // 2 and len(name.encode("utf-16-le", "surrogatepass")) > 2 * LONGEST_NAME


def shown(name: str) -> str:
    r"""The name with its invalid parts escaped (``\ud800``, ``\x00``). No two names are shown alike.

    Of a name that is too long the beginning is shown, with its digest.
    """
    if is_too_long(name):
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"{shown(name[: LONGEST_NAME // 2])}… ({digest})"
    if is_askable(name):
        return name
    escaped = _SEPARATOR_OR_NUL.sub(lambda found: f"\\x{ord(found[0]):02x}", name)
    return escaped.encode("utf-8", "backslashreplace").decode("utf-8")
