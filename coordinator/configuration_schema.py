"""The JSON Schema of `.coordinator.yml`, made from its models: ``python -m coordinator.configuration_schema``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from coordinator.configuration import Configuration
from coordinator.configuration_help import explanation

if TYPE_CHECKING:
    from pydantic import JsonValue

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def configuration_schema() -> dict[str, JsonValue]:
    """Return the schema; editors take the descriptions, which are the docstrings of the fields, for their help."""
    schema = Configuration.model_json_schema()
    for name, section in {Configuration.__name__: schema, **schema["$defs"]}.items():
        for key, field in section.get("properties", {}).items():
            described = {**field, "description": explanation(name, key)}
            section["properties"][key] = dict(sorted(described.items()))
    tidy = {name: _tidy(part) for name, part in schema.items()}
    return {"$schema": DIALECT, **tidy, "title": "Configuration of the coordinator (.coordinator.yml)"}


def schema_text() -> str:
    """Return the content of ``docs/coordinator.schema.json``."""
    return json.dumps(configuration_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidy(part: JsonValue) -> JsonValue:
    """Take out the titles, which repeat the names, and the markup of docstrings."""
    if isinstance(part, dict):
        return {name: _tidy(inner) for name, inner in part.items() if name != "title"}
    if isinstance(part, list):
        return [_tidy(inner) for inner in part]
    return part.replace("``", "`").replace("\n", " ") if isinstance(part, str) else part


if __name__ == "__main__":
    sys.stdout.write(schema_text())
