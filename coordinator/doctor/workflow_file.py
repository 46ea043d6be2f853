"""The workflow of a repository as a forge reads it: which file it is, and what stands in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field, JsonValue, ValidationError

from coordinator.errors import Misconfigured
from coordinator.init.workflow import FOLDERS, WORKFLOW_NAME
from coordinator.models import Foreign, Frozen
from coordinator.yaml_lines import YamlProblem, read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_ORDER = list(FOLDERS.values())
READ_BY = {"forgejo": _ORDER, "gitea": _ORDER[1:], "github": _ORDER[2:]}
"""Folders that a forge reads, the first that it has winning."""
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def _nothing_is_empty(value: object) -> object:
    """Take a key without a value as an empty mapping, as forges do."""
    return {} if value is None else value


Mapping = Annotated[dict[str, JsonValue], BeforeValidator(_nothing_is_empty)]
MappingOrText = Annotated[dict[str, JsonValue] | str, BeforeValidator(_nothing_is_empty)]
"""``env`` may be one expression."""


class Step(Foreign):
    """One step of a job."""

    name: str = ""
    uses: str = ""
    run: str = ""
    env: MappingOrText = Field(default_factory=dict)
    inputs: Mapping = Field(default_factory=dict, alias="with")


class Job(Foreign):
    """One job. One that calls another workflow has no steps."""

    runs_on: JsonValue = Field(default=None, alias="runs-on")
    permissions: JsonValue = None
    concurrency: JsonValue = None
    env: MappingOrText = Field(default_factory=dict)
    steps: tuple[Step, ...] = ()


class Content(Foreign):
    """What is looked at of a workflow file."""

    on: str | list[str] | dict[str, JsonValue]
    permissions: JsonValue = None
    concurrency: JsonValue = None
    env: MappingOrText = Field(default_factory=dict)
    jobs: dict[str, Job] = Field(min_length=1)

    @property
    def events(self) -> dict[str, dict[str, JsonValue]]:
        """The events by name, with what is said about them."""
        if isinstance(self.on, dict):
            return {name: said if isinstance(said, dict) else {} for name, said in self.on.items()}
        return {name: {} for name in ([self.on] if isinstance(self.on, str) else self.on)}


class Workflow(Frozen):
    """The workflow that the forge runs."""

    path: str
    content: Content
    texts: tuple[str, ...]
    """Every value in the file that is a text; no comment."""
    unused: tuple[str, ...] = ()
    """Files of the same name that the forge does not read beside this one."""

    @property
    def action(self) -> tuple[Job, Step] | None:
        """The job and the step that call the coordinator; None where there is none."""
        steps = [(job, step) for job in self.content.jobs.values() for step in job.steps]
        by_name = [pair for pair in steps if "coordinator" in pair[1].uses.lower()]
        by_input = [pair for pair in steps if pair[1].uses and "anthropic-api-key" in pair[1].inputs]
        return next(iter([*by_name, *by_input]), None)

    @property
    def plain_inputs(self) -> dict[str, str]:
        """The inputs of the action that are texts without an expression."""
        inputs = self.action[1].inputs if self.action else {}
        texts = {name: value for name, value in inputs.items() if isinstance(value, str)}
        return {name: value.strip() for name, value in texts.items() if "${{" not in value}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that expressions use, without those that every job has, sorted."""
        inside = " ".join(found for text in self.texts for found in EXPRESSION.findall(text))
        names = re.findall(r"\bsecrets\s*(?:\.\s*|\[\s*')([A-Za-z_]\w*)", inside, re.ASCII)
        job_tokens = {"GITHUB_TOKEN", "GITEA_TOKEN", "FORGEJO_TOKEN"}
        return tuple(sorted({name.upper() for name in names} - job_tokens))


def find_workflow(read: Callable[[str], bytes | None], product: str, branch: str) -> Workflow:
    """Return the workflow that a forge of this product would run on events of issues.

    `read` returns a file of the default branch, whose name is `branch`. Raises `Misconfigured` where there is none,
    and where it is no workflow.
    """
    paths = [f"{folder}/{WORKFLOW_NAME}" for folder in _ORDER]
    texts = {path: text for path in paths if (text := read(path)) is not None}
    own = [f"{folder}/{WORKFLOW_NAME}" for folder in READ_BY[product]]
    path = next((path for path in own if path in texts), None)
    if path is not None:
        return _parsed(path, texts[path], tuple(other for other in texts if other != path))
    if texts:
        what = f"{next(iter(texts))} is in a folder that {product} does not read"
        raise Misconfigured(what, mend=f"Move it to {own[0]}")
    what = f"there is no {own[0]} on the branch {branch}"
    raise Misconfigured(what, mend="Write one with `coordinator init`, then commit and push it")


def _parsed(path: str, text: bytes, unused: tuple[str, ...]) -> Workflow:
    try:
        document = read_yaml(text)
        content = Content.model_validate(document.data)
    except YamlProblem as problem:
        what = f"{path}:{problem.line}: {problem.problem}"
        raise Misconfigured(what, mend="Correct that line; `coordinator init` writes a whole one") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        what = f"{path} is no workflow: {where}: {first['msg']}"
        raise Misconfigured(what, mend="Correct it; `coordinator init` writes a whole one") from None
    return Workflow(path=path, content=content, texts=tuple(_texts(document.data)), unused=unused)


def _texts(data: JsonValue) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value)
