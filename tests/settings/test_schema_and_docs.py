from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from coordinator.configuration import Configuration
from coordinator.configuration_file import load_configuration
from coordinator.configuration_help import explanation
from coordinator.configuration_schema import configuration_schema, schema_text

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def section_of(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := section_of(inner))), None)


def keys(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every key of the configuration with its default, as the documentation writes them."""
    for name, field in section.model_fields.items():
        inner = section_of(field.annotation)
        default: object = field.get_default(call_default_factory=True, validated_data={})
        path = f"{prefix}{name}"
        if inner is None or not isinstance(default, BaseModel):
            yield path, default
        if inner is not None:
            path += ".NAME" if isinstance(default, dict) else "[]" if isinstance(default, tuple) else ""
            yield from keys(inner, f"{path}.")


def documented(default: object) -> str:
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "none"
    if isinstance(default, str):
        return f"`{default}`"
    if isinstance(default, float) and default.is_integer():
        return f"`{int(default)}`"
    return f"`{json.dumps(default)}`"


def test_the_published_schema_is_current() -> None:
    published = (ROOT / "docs" / "coordinator.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "run `make schema`"


def test_the_schema_is_written_by_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "coordinator" / "configuration_schema.py"), run_name="__main__")
    assert capsys.readouterr().out == schema_text()


def test_the_schema_describes_every_key() -> None:
    schema = json.loads(schema_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "$id" not in schema
    assert "coordinator" in schema["title"]
    sections = {"Configuration": schema, **schema["$defs"]}
    for name, section in sections.items():
        if section.get("type") != "object":
            continue
        assert section["additionalProperties"] is False, name
        for key, field in section["properties"].items():
            described = {**sections.get(field.get("$ref", "").removeprefix("#/$defs/"), {}), **field}
            assert described.get("description"), f"{name}.{key} has no docstring"
    assert "``" not in schema_text()


def test_a_section_has_the_explanations_of_what_it_extends() -> None:
    assert explanation("TestGateSection", "args") == explanation("GateSection", "args")
    assert explanation("TestGateSection", "minutes") == "Wall time for the whole suite."


def test_a_key_that_is_not_explained_is_told() -> None:
    with pytest.raises(KeyError):
        explanation("GateSection", "minutes")


def test_the_schema_is_built_anew_each_time() -> None:
    configuration_schema()["title"] = "changed"
    assert configuration_schema()["title"] != "changed"


def test_every_key_is_documented_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", DOCS.split("## Inputs of the action")[0], re.MULTILINE))
    expected = {path: documented(default) for path, default in keys(Configuration) if path != "agents"}
    assert rows == expected
    assert "`agents` (default `{}`)" in DOCS


def test_the_example_in_the_documentation_is_valid() -> None:
    block = next(block for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL) if "trigger:" in block)
    configuration = load_configuration(block.encode(), file="docs")
    assert set(yaml.safe_load(block)) == set(Configuration.model_fields)
    assert configuration.budget == Configuration().budget
    assert configuration.gates.coverage == Configuration().gates.coverage


def test_the_error_in_the_documentation_is_the_real_one() -> None:
    assert (
        "budget.run.dolars: unknown key. Write dollars instead; valid here are dollars, tokens, turns, minutes." in DOCS
    )
