"""The tools of the agent: one set of plain tools for every model, so that every Messages API can take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import JsonValue

    from coordinator.agent.reply import Block, ToolCall

SUBMIT = "submit"

InputT = TypeVar("InputT", bound=BaseModel)


class ToolInput(Frozen):
    """What a tool takes. The string under a field is what the model reads about it."""

    model_config = ConfigDict(use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model is told about one call."""

    text: str
    is_error: bool = False


class BadInput(Exception):
    """The input of a call is not what the tool takes; the message teaches which field is wrong."""


class Tool(Protocol):
    """Something that the agent can ask for. It never raises for what the agent did wrong: that is a result."""

    @property
    def name(self) -> str:
        """Name in the API."""
        ...

    @property
    def definition(self) -> Block:
        """The definition in the API: name, description, input_schema. Constant."""
        ...

    def run(self, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """Do it. Raises `BadInput`."""
        ...


class SubmitInput(ToolInput):
    """The end of an attempt."""

    summary: str = Field(min_length=1)
    """What was changed and why, in a few sentences: it becomes the message of the commit. Say also what is not done."""


SUBMIT_DEFINITION_TEXT = (
    "Hand in the work. The quality gates then judge exactly the files in the checkout; if they reject it, the result "
    "says what failed, and you mend it and submit again. Call it alone, when everything is done and the checks pass."
)


def define(name: str, description: str, shape: type[ToolInput]) -> Block:
    """Return the definition of a tool, with the schema of its input. The order of its keys is fixed."""
    schema = shape.model_json_schema()
    properties: dict[str, JsonValue] = {
        field: {key: value for key, value in sorted(rules.items()) if key != "title"}
        for field, rules in sorted(schema["properties"].items())
    }
    required: list[JsonValue] = list(schema["required"])
    return {
        "name": name,
        "description": description,
        "input_schema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        },
    }


def read_input(shape: type[InputT], arguments: Mapping[str, JsonValue]) -> InputT:
    """Read the input of a call. Raises `BadInput` that names every field that is wrong."""
    try:
        return shape.model_validate(dict(arguments))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'input'}: {fault['msg']}" for fault in error.errors())
        raise BadInput(f"{faults}. The fields are: {', '.join(shape.model_fields)}") from None


class Toolbox:
    """The tools by name. `submit` is among the definitions, but the loop answers it."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        submit = define(SUBMIT, SUBMIT_DEFINITION_TEXT, SubmitInput)
        unsorted = [*(tool.definition for tool in tools), submit]
        self.definitions: tuple[Block, ...] = tuple(sorted(unsorted, key=lambda definition: str(definition["name"])))

    def run(self, call: ToolCall) -> ToolResult:
        """Answer one call. Whatever is wrong with it is a result that teaches."""
        if call.fault:
            return ToolResult(f"The call did not run: {call.fault}.", is_error=True)
        tool = self._tools.get(call.name)
        if tool is None:
            names = ", ".join(str(definition["name"]) for definition in self.definitions)
            return ToolResult(f"There is no tool {call.name[:100]!r}. The tools are: {names}.", is_error=True)
        try:
            return tool.run(call.arguments)
        except BadInput as error:
            return ToolResult(f"The call did not run: {error}.", is_error=True)
