"""The built-in hook ``access_assignment``: who may see a file, by its configuration or by the file's metadata."""

import uuid
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.catalog.tables import GranteeType
from streamweave.errors import HookFailed
from streamweave.hooks.base import Enrichment, HookConfig, HookContext, read_config
from streamweave.validation import has_control_character

LONGEST_NAME = 254  # of an e-mail address; groups and projects have shorter ones


def entered_id(entered: object) -> uuid.UUID:
    """The id that was entered as text. Raises ``ValueError``."""
    if not isinstance(entered, str):
        raise ValueError("must be an id")  # noqa: TRY004 - what pydantic makes a problem of the field
    try:
        return uuid.UUID(entered)
    except ValueError as error:
        raise ValueError("must be an id") from error


class GrantRule(HookConfig):
    """A grant to ``grantee_id``; or, with ``match``, to whoever the metadata's value under ``key`` names.

    It names a group or a project, or a user by e-mail address; ``mail_domain`` is added to a value without ``@``.
    """

    grantee_type: Literal["user", "group", "project"]
    grantee_id: Annotated[uuid.UUID, PlainValidator(entered_id, json_schema_input_type=str)] | None = None
    match: Literal["metadata"] | None = None
    key: str | None = Field(default=None, min_length=1)
    mail_domain: str | None = Field(default=None, min_length=1, pattern=r"^[A-Za-z0-9.-]+$")

    @model_validator(mode="after")
    def _says_who_in_one_way(self) -> Self:
        if (self.grantee_id is None) == (self.match is None):
            raise ValueError("needs either grantee_id, or match and key")
        if (self.match is None) != (self.key is None):
            raise ValueError("needs match and key together")
        if self.mail_domain is not None and (self.match is None or self.grantee_type != "user"):
            raise ValueError("mail_domain is for users that are found by metadata")
        return self

    @property
    def grantee(self) -> Grantee | None:
        """The grantee that the rule names by id."""
        return None if self.grantee_id is None else Grantee(GranteeType(self.grantee_type), self.grantee_id)


class AccessAssignmentConfig(HookConfig):
    """All rules apply. A file without the metadata that a rule asks for is granted to nobody by that rule."""

    grants: list[GrantRule] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class AccessAssignment:
    """Grants on archived files; it runs after the hooks whose metadata it reads."""

    name: str
    config: AccessAssignmentConfig

    @classmethod
    def configured(cls, name: str, config: object) -> Self:
        """The hook with the configuration that was entered. Raises ``InvalidInput``."""
        return cls(name, read_config(AccessAssignmentConfig, config))

    @property
    def literal_grantees(self) -> list[Grantee | None]:
        """For each rule, the grantee that it names by id, if it does."""
        return [rule.grantee for rule in self.config.grants]

    def enrich(self, context: HookContext) -> Enrichment:
        """Who the rules grant this file to. Raises ``HookFailed`` for metadata that can't be anybody's name."""
        grantees = (rule.grantee or _named(rule, context) for rule in self.config.grants)
        return Enrichment({}, frozenset(grantee for grantee in grantees if grantee is not None))


def _named(rule: GrantRule, context: HookContext) -> NamedGrantee | None:
    value = str(context.metadata.get(rule.key or "", "")).strip()
    if not value:
        return None
    name = f"{value}@{rule.mail_domain}" if rule.mail_domain and "@" not in value else value
    if len(name) > LONGEST_NAME or has_control_character(name):
        raise HookFailed(f"the metadata {rule.key} can't be the name of a {rule.grantee_type}")
    return NamedGrantee(GranteeType(rule.grantee_type), name)
