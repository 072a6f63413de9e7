"""What an instrument is called: its name for people, and the slug that code and Dagster know it by."""

import re
import unicodedata
from typing import Any

from streamweave.errors import InvalidInput
from streamweave.storage.archive_paths import LONGEST_ARCHIVE_FOLDER, archive_folder_problem
from streamweave.validation import CONTROL, LONGEST_NAME, shaped, sound, text

LONGEST_SLUG = 63

_SLUG = re.compile(r"[a-z0-9][a-z0-9_]*")


@shaped(
    type="string",
    minLength=1,
    maxLength=LONGEST_ARCHIVE_FOLDER,
    pattern=sound(CONTROL + r"/\\<>:\"|?*%\ufdd0-\ufdef\ufffe\uffff", besides=r"(?![. ])(?!.*[. ]$)"),
)
def instrument_name(field: str, value: Any) -> str:
    """A name that can be a folder of the archive, because it becomes one."""
    checked: str = text(longest=LONGEST_NAME)(field, value)
    if problem := archive_folder_problem(checked):
        raise InvalidInput(field, problem)
    return checked


@shaped(type="string", maxLength=LONGEST_SLUG, pattern=f"^{_SLUG.pattern}$")
def slug(field: str, value: Any) -> str:
    """Lower-case letters, digits and underscores."""
    if not isinstance(value, str) or len(value) > LONGEST_SLUG or not _SLUG.fullmatch(value):
        raise InvalidInput(field, f"must be 1 to {LONGEST_SLUG} of a-z, 0-9 and _, not beginning with _")
    return value


def slug_from(name: str) -> str:
    """``X-Ray Diffraction 01`` gives ``x_ray_diffraction_01``. ``InvalidInput`` where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_SLUG].rstrip("_")
    if not made:
        raise InvalidInput("slug", "can't be made from the name: give one")
    return made
