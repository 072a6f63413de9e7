"""The built-in hooks.

``file_filter`` decides which files are transferred, and to where; ``metadata_enrichment`` takes metadata from a file's
path or name; ``access_assignment`` grants files by its configuration or by their metadata.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from streamweave.access.grants import Grantee, NamedGrantee
from streamweave.catalog.tables import GranteeType
from streamweave.errors import HookFailed
from streamweave.hooks.base import (
    Config,
    Decision,
    Enrichment,
    HookConfig,
    HookContext,
    Proceed,
    Redirect,
    Skip,
    read_config,
)
from streamweave.hooks.patterns import GroupPattern, ShellPattern, group_pattern, shell_pattern
from streamweave.validation import has_control_character

Pattern = Annotated[ShellPattern, PlainValidator(shell_pattern, json_schema_input_type=str)]

LONGEST_NAME = 254  # of an e-mail address; groups and projects have shorter ones


@dataclass(frozen=True)
class BuiltinHook(Generic[Config]):
    """A built-in hook, with the ``name`` that users gave it and its configuration, an instance of ``model``."""

    name: str
    config: Config
    model: ClassVar[type[Any]]

    @classmethod
    def configured(cls, name: str, config: object) -> Self:
        """The hook with the configuration that was entered. Raises ``InvalidInput``."""
        return cls(name, read_config(cls.model, config))


class RedirectRule(HookConfig):
    """Files that match ``pattern`` go to the storage location named ``destination``."""

    pattern: Pattern
    destination: str = Field(min_length=1)


class FileFilterConfig(HookConfig):
    """Shell patterns are held against the filename and the whole ``source_path``, in any case; one match is enough."""

    exclude_patterns: list[Pattern] = Field(default_factory=list)
    include_patterns: list[Pattern] = Field(default_factory=list)
    minimum_size_bytes: int = Field(default=0, ge=0)
    redirect_rules: list[RedirectRule] = Field(default_factory=list)


class FileFilter(BuiltinHook[FileFilterConfig]):
    """Skips what is excluded, not included where anything is, or too small; redirects by the first rule that fits."""

    model = FileFilterConfig

    def decide(self, context: HookContext) -> Decision:
        """Exclusion wins over inclusion, inclusion over the minimum size, and all of them over a redirect."""
        config = self.config
        if excluding := _first_match(config.exclude_patterns, context):
            return Skip(f"excluded by pattern '{excluding.text}'")
        if config.include_patterns and not _first_match(config.include_patterns, context):
            return Skip(f"matches none of the patterns to include: {_quoted(config.include_patterns)}")
        if context.size_bytes < config.minimum_size_bytes:
            return Skip(f"{context.size_bytes} bytes are fewer than the minimum of {config.minimum_size_bytes}")
        for rule in config.redirect_rules:
            if _first_match([rule.pattern], context):
                return Redirect(rule.destination, f"redirected by pattern '{rule.pattern.text}'")
        return Proceed()


def _first_match(patterns: Iterable[ShellPattern], context: HookContext) -> ShellPattern | None:
    return next((pattern for pattern in patterns if pattern.matches(context.filename, context.source_path)), None)


def _quoted(patterns: Iterable[ShellPattern]) -> str:
    return ", ".join(f"'{pattern.text}'" for pattern in patterns)


class Rule(HookConfig):
    """The named groups of ``pattern`` become metadata; it is searched in the ``source_path`` or in the filename."""

    pattern: Annotated[GroupPattern, PlainValidator(group_pattern, json_schema_input_type=str)]
    source: Literal["path", "filename"] = "path"


class MetadataEnrichmentConfig(HookConfig):
    """Rules in order. Where two find the same key, the later one's value is kept."""

    rules: list[Rule] = Field(min_length=1)


class MetadataEnrichment(BuiltinHook[MetadataEnrichmentConfig]):
    """Names like ``user_a/experiment_001`` in a path, turned into metadata. A rule that doesn't match adds nothing."""

    model = MetadataEnrichmentConfig

    def enrich(self, context: HookContext) -> Enrichment:
        """What the rules find in this file's path and name."""
        found: dict[str, str] = {}
        for rule in self.config.rules:
            found |= rule.pattern.groups(context.source_path if rule.source == "path" else context.filename)
        return Enrichment(found)


def entered_id(entered: object) -> uuid.UUID:
    """The id that was entered as text. Raises ``ValueError``."""
    if not isinstance(entered, str):
        raise ValueError("must be an id")  # noqa: TRY004 - what pydantic makes a problem of the field
    try:
        return uuid.UUID(entered)
    except ValueError as error:
        raise ValueError("must be an id") from error


class GrantRule(HookConfig):
    """A grant to ``grantee_id``; or, with ``match``, to the grantee that the metadata's value under ``key`` names.

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
    """All rules apply. A rule grants nothing for a file without the metadata that it asks for."""

    grants: list[GrantRule] = Field(min_length=1)


class AccessAssignment(BuiltinHook[AccessAssignmentConfig]):
    """Grants on archived files; it runs after the hooks whose metadata it reads."""

    model = AccessAssignmentConfig

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
