import pytest

from streamweave.errors import InvalidInput
from streamweave.hooks.builtin import FileFilter, MetadataEnrichment
from streamweave.hooks.configuration import BUILTINS, build_hook

RULES = {"rules": [{"pattern": "(?P<a>x)"}]}


def test_a_row_becomes_the_hook_it_describes() -> None:
    assert isinstance(build_hook("pre_transfer", "file_filter", {}), FileFilter)
    assert isinstance(build_hook("post_transfer", "metadata_enrichment", RULES), MetadataEnrichment)


def test_a_hook_is_called_by_its_own_name_or_else_by_that_of_its_kind() -> None:
    assert build_hook("pre_transfer", "file_filter", {}, name="No temporary files").name == "No temporary files"
    assert build_hook("post_transfer", "metadata_enrichment", RULES).name == "metadata_enrichment"


@pytest.mark.parametrize(
    ("trigger", "builtin_name", "field", "problem"),
    [
        ("at_night", "file_filter", "trigger", "must be one of pre_transfer, post_transfer"),
        ("post_transfer", "file_filter", "trigger", "the hook file_filter runs at pre_transfer"),
        ("pre_transfer", "metadata_enrichment", "trigger", "runs at post_transfer"),
        ("pre_transfer", None, "builtin_name", "known hooks are file_filter, metadata_enrichment"),
        ("pre_transfer", "virus_scan", "builtin_name", "'virus_scan' is unknown; known hooks are"),
    ],
)
def test_a_hook_that_does_not_exist_is_refused_with_the_field_and_what_exists(
    trigger: str, builtin_name: str | None, field: str, problem: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        build_hook(trigger, builtin_name, {})
    assert refused.value.field == field
    assert problem in refused.value.problem


@pytest.mark.parametrize(("trigger", "name"), [(trigger, name) for trigger in BUILTINS for name in BUILTINS[trigger]])
def test_every_builtin_refuses_a_configuration_that_is_none(trigger: str, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        build_hook(trigger, name, None)
    assert refused.value.field == "config"
