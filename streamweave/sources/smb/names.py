"""Names on a share, and paths made of them."""

_SEPARATORS_AND_NUL = frozenset("/\\\0")


def is_askable(name: str) -> bool:
    """Whether a file can be asked for by a path with this name in it: valid Unicode, no separator, no NUL."""
    return _SEPARATORS_AND_NUL.isdisjoint(name) and not any("\ud800" <= character <= "\udfff" for character in name)


def shown(name: str) -> str:
    r"""The name with its invalid parts escaped (``\ud800``, ``\x00``). No two names are shown alike."""
    escaped = "".join(
        f"\\x{ord(character):02x}" if character in _SEPARATORS_AND_NUL else character for character in name
    )
    return escaped.encode("utf-8", "backslashreplace").decode("utf-8")
