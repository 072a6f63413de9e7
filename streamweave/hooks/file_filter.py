"""The built-in hook ``file_filter``: which files are transferred, and to where."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, PlainValidator

from streamweave.hooks.base import Decision, HookConfig, HookContext, Proceed, Redirect, Skip, read_config
from streamweave.hooks.patterns import ShellPattern, shell_pattern

Pattern = Annotated[ShellPattern, PlainValidator(shell_pattern, json_schema_input_type=str)]


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


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Skips what is excluded, not included where anything is, or too small; redirects by the first rule that fits."""

    name: str
    config: FileFilterConfig

    @classmethod
    def configured(cls, name: str, config: object) -> Self:
        """The hook with the configuration that was entered. Raises ``InvalidInput``."""
        return cls(name, read_config(FileFilterConfig, config))

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
