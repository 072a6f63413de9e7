"""The built-in hook ``metadata_enrichment``: metadata from a file's path or name."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator

from streamweave.hooks.base import Enrichment, HookConfig, HookContext, read_config
from streamweave.hooks.patterns import GroupPattern, group_pattern


class Rule(HookConfig):
    """The named groups of ``pattern`` become metadata; it is searched in the ``source_path`` or in the filename."""

    pattern: Annotated[GroupPattern, PlainValidator(group_pattern, json_schema_input_type=str)]
    source: Literal["path", "filename"] = "path"


class MetadataEnrichmentConfig(HookConfig):
    """Rules in order. Where two find the same key, the later one's value is kept."""

    rules: list[Rule] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class MetadataEnrichment:
    """Names like ``user_a/experiment_001`` in a path, turned into metadata. A rule that doesn't match adds nothing."""

    name: str
    config: MetadataEnrichmentConfig

    @classmethod
    def configured(cls, name: str, config: object) -> Self:
        """The hook with the configuration that was entered. Raises ``InvalidInput``."""
        return cls(name, read_config(MetadataEnrichmentConfig, config))

    def enrich(self, context: HookContext) -> Enrichment:
        """What the rules find in this file's path and name."""
        found: dict[str, str] = {}
        for rule in self.config.rules:
            found |= rule.pattern.groups(context.source_path if rule.source == "path" else context.filename)
        return Enrichment(found)
