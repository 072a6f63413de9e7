"""Archival Resource Keys: minting, checking, and writing each one in a single way (draft-kunze-ark).

An ARK is ``ark:/NAAN/Name[Suffix]``: the NAAN says who assigns names, the name begins with a shoulder, and a suffix
beginning with ``/`` or ``.`` leads to a part or a variant of the thing. ``ark:`` and ``ark:/`` are the same;
we write ``ark:/``.
"""

import re
from dataclasses import dataclass
from random import Random, SystemRandom

from streamweave.errors import InvalidInput

BETANUMERICS = "0123456789bcdfghjkmnpqrstvwxz"  # no vowels, so no words; no l, which resembles 1
_VALUES = {character: value for value, character in enumerate(BETANUMERICS)}
BLADE_LENGTH = 18  # 18 · log2(29) = 87 random bits, and short enough for the check character to see every slip

_NAAN = re.compile(f"[{BETANUMERICS}]{{5,}}")
_SHOULDER = re.compile(f"[{BETANUMERICS[10:]}]+[0-9]")
_BETANUMERIC_NAME = re.compile(f"[{BETANUMERICS}]{{2,}}")
_ARK = re.compile(r"ark:/?(?P<naan>[0-9a-z]+)/(?P<name>[^/.]+)(?P<suffix>[/.].*)?", re.ASCII | re.IGNORECASE)
_ALLOWED = re.compile(r"(?:[A-Za-z0-9=~*+@_$./]|%[0-9A-Fa-f]{2})+")
_PERCENT = re.compile("%..")
_HYPHENS = re.compile("[-\u2010-\u2015]")  # word processors put others in the place of the ASCII one

_SYSTEM = SystemRandom()


@dataclass(frozen=True, slots=True)
class Ark:
    """A normalised ARK: two of them name the same exactly if they are equal.

    ``suffix`` is empty or begins with a slash or a dot.
    """

    naan: str
    name: str
    suffix: str = ""

    def __str__(self) -> str:
        return f"ark:/{self.naan}/{self.name}{self.suffix}"


def mint(naan: str, shoulder: str, *, randomness: Random = _SYSTEM) -> str:
    """A new ARK: shoulder, 87 random bits, check character, e.g. ``ark:/99999/fk4…``.

    Among a million of them the chance of any two being equal is below 10⁻¹⁴. Raises ``InvalidInput``.
    """
    if not _NAAN.fullmatch(naan):
        raise InvalidInput("naan", f"must be at least 5 of the characters {BETANUMERICS}")
    if not _SHOULDER.fullmatch(shoulder):
        raise InvalidInput("shoulder", "must be consonants (no l) that end in one digit")
    number = randomness.randrange(len(BETANUMERICS) ** BLADE_LENGTH)  # asked once: each question goes to the system
    unchecked = f"{naan}/{shoulder}{_blade(number)}"
    return f"ark:/{unchecked}{check_character(unchecked)}"


def _blade(number: int) -> str:
    digits = []
    for _ in range(BLADE_LENGTH):
        number, digit = divmod(number, len(BETANUMERICS))
        digits.append(BETANUMERICS[digit])
    return "".join(digits)


def check_character(text: str) -> str:
    """The NOID Check Digit Algorithm's character for ``text``: ``NAAN/`` and a name, still without check character.

    With fewer than 29 characters, the check character included, every single wrong betanumeric and every transposition
    of neighbours shows. With more, a wrong one in each 29th place doesn't, nor do the last two transposed if there are
    29, 58, … characters.
    """
    total = 0
    for position, character in enumerate(text, start=1):
        total += position * _VALUES.get(character, 0)
    return BETANUMERICS[total % len(BETANUMERICS)]


def verify(ark: str) -> bool:
    """Whether this is an ARK of betanumerics whose name ends in the right check character. A suffix is ignored."""
    try:
        parsed = normalise(ark)
    except InvalidInput:
        return False
    checked = f"{parsed.naan}/{parsed.name}"
    return bool(_BETANUMERIC_NAME.fullmatch(parsed.name)) and check_character(checked[:-1]) == checked[-1]


def normalise(text: str) -> Ark:
    """The one form in which ARKs are compared.

    The label is taken in any case, with or without its slash; the NAAN becomes lower case, ``%hex`` upper case; hyphens
    and slashes or dots at the end go. Names keep their case. Raises ``InvalidInput`` with field ``ark``.
    """
    parts = _ARK.fullmatch(_HYPHENS.sub("", text.strip()).rstrip("/."))
    if not parts:
        raise InvalidInput("ark", "must be written ark:/NAAN/name")
    naan, name, suffix = parts["naan"].lower(), parts["name"], parts["suffix"] or ""
    if not _NAAN.fullmatch(naan):
        raise InvalidInput("ark", f"its NAAN must be at least 5 of the characters {BETANUMERICS}")
    if not _ALLOWED.fullmatch(name + suffix):
        raise InvalidInput("ark", "only letters, digits, = ~ * + @ _ $ . / and %hex may follow the NAAN")
    return Ark(naan, _upper_hex(name), _upper_hex(suffix))


def _upper_hex(text: str) -> str:
    return _PERCENT.sub(lambda escape: escape[0].upper(), text)
