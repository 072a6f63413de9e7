"""Electronic Resource Citations: who, what, when, where, and what is promised (draft-kunze-erc, in ANVL).

``?info`` after an ARK answers with such a record: the citation, then the support block that says who stands behind the
identifier, and how firmly (draft-kunze-ark, section 5).
"""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

UNKNOWN = "(:unkn)"  # the code of draft-kunze-erc for a value that is not known


@dataclass(frozen=True, slots=True)
class Citation:
    """The four questions of an ERC. ``when`` is in UTC."""

    who: str
    what: str
    when: datetime | None
    where: str


@dataclass(frozen=True, slots=True)
class Support:
    """Who stands behind the identifier, and what they promise."""

    who: str
    commitment: str


def erc(citation: Citation, support: Support) -> str:
    """The record as text: a blank line ends it."""
    promised = Citation(support.who, support.commitment, None, citation.where)
    return "\n".join([*_block("erc", citation), *_block("erc-support", promised)]) + "\n\n"


def answers(citation: Citation) -> dict[str, str]:
    """The citation's elements by their labels."""
    when = UNKNOWN if citation.when is None else _date(citation.when)
    return {"who": _one_line(citation.who), "what": _one_line(citation.what), "when": when, "where": citation.where}


def tombstone(citation: Citation, why: str, withdrawn_at: datetime) -> dict[str, str]:
    """What remains of something that was withdrawn: who, what, when, where, since when it is withdrawn, and why."""
    return {**answers(citation), "withdrawn": _date(withdrawn_at), "why": why}


def _block(label: str, citation: Citation) -> list[str]:
    return [f"{label}:", *(f"{element}: {value}" for element, value in answers(citation).items())]


def _date(time: datetime) -> str:
    """TEMPER, the dates of ERC: digits only."""
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def _one_line(value: str) -> str:
    """A value may not begin another element: control characters become blanks."""
    plain = "".join(" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in value)
    return plain.strip() or UNKNOWN
