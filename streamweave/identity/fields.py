"""What may be entered about a user: one rule for each field."""

import re
from typing import Any

from streamweave.catalog.tables import Role
from streamweave.errors import InvalidInput
from streamweave.identity.blocklist import weakness
from streamweave.validation import Rule, flag, one_word_of, shaped

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024
LONGEST_EMAIL = 254

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# the HTML standard's "valid e-mail address" (section 4.10.5.1.5)
EMAIL = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")


@shaped(type="string", maxLength=LONGEST_EMAIL, pattern=f"^{EMAIL.pattern}$")
def email_address(field: str, value: Any) -> str:
    """An e-mail address, as browsers accept it."""
    if not isinstance(value, str) or len(value) > LONGEST_EMAIL or not EMAIL.fullmatch(value):
        raise InvalidInput(field, "is not an e-mail address")
    return value


@shaped(type="string", minLength=SHORTEST_PASSWORD, maxLength=LONGEST_PASSWORD)
def password(field: str, value: Any) -> str:
    """Any text of a length that is neither easily guessed nor costly to hash, and that is not on the blocklist."""
    if not isinstance(value, str) or not SHORTEST_PASSWORD <= len(value) <= LONGEST_PASSWORD:
        raise InvalidInput(field, f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return password_for(None, field, value)


def password_for(email: str | None, field: str, value: str) -> str:
    """The password, unless it is easily guessed for the user with that address. Raises ``InvalidInput``."""
    if problem := weakness(value, email):
        raise InvalidInput(field, problem)
    return value


FIELDS: dict[str, Rule] = {
    "email": email_address,
    "password": password,
    "role": one_word_of(*Role),
    "is_active": flag,
    "is_verified": flag,
}
