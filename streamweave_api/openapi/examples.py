"""Examples of bodies, at every place of the document where a body goes in or out."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

SCAN = "time,value\n0,1.0\n1,2.0\n"
ERC = """\
erc:
who: StreamWeave
what: microscope/user_a/experiment_001/scan_01.csv
when: 20260224170559
where: ark:/99999/fk4biqspimyync43nspm5elixje3m

"""
DATASET = {
    "@context": "https://schema.org/",
    "@type": "Dataset",
    "@id": "ark:/99999/fk4biqspimyync43nspm5elixje3m",
    "name": "scan_01.csv",
    "description": "microscope/user_a/experiment_001/scan_01.csv",
}
# of what is no JSON, or has no body of ours
BY_MEDIA_TYPE: dict[str, Any] = {
    "*/*": SCAN,
    "application/zip": "PK\x03\x04…",
    "text/plain": ERC,
    "application/ld+json": DATASET,
}
STATUS = {"status": "ok"}
REFERENCE = "#/components/schemas/"


@cache
def examples() -> dict[str, Any]:
    """One example or a list of them for each body, by the body's name."""
    story = yaml.safe_load(files(__package__).joinpath("examples.yaml").read_text("utf-8"))
    return {name: example for name, example in story.items() if not name.startswith(".")}


def with_examples(media_type: str, content: dict[str, Any]) -> dict[str, Any]:
    """The content of a request or response, with examples unless it has some."""
    if content.get("examples"):
        return content
    if media_type in BY_MEDIA_TYPE:
        return {**content, "examples": _named([BY_MEDIA_TYPE[media_type]])}
    return {**content, "examples": _named(_of(content["schema"]))}


def _of(schema: dict[str, Any]) -> list[Any]:
    if "$ref" in schema:
        example = examples()[schema["$ref"].removeprefix(REFERENCE)]
        return example if isinstance(example, list) else [example]
    if "items" in schema:
        return [_of(schema["items"])]
    if "oneOf" in schema:
        return [example for each in schema["oneOf"] for example in _of(each)]
    return [STATUS]


def _named(found: list[Any]) -> dict[str, Any]:
    return {f"example {number}": {"value": value} for number, value in enumerate(found, start=1)}
