from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator import preflight
from coordinator.errors import CoordinatorError
from coordinator.events.models import Event, EventKind
from coordinator.events.read import PAYLOAD_LIMIT, parse_payload, read_event
from coordinator.events.trigger import Command, Decision, decide
from tests.events.payload_files import FLOWS, event_name, payload_path
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCRIPT = Path(preflight.__file__)


@dataclass(frozen=True)
class Answer:
    """What the program said."""

    exit_code: int
    outputs: dict[str, str]
    log: str
    errors: str

    @property
    def ours(self) -> bool:
        """Whether the event is ours; it says so in no other words than these two."""
        return {"true": True, "false": False}[self.outputs["ours"]]


def answer(folder: Path, environment: Mapping[str, str], *arguments: str) -> Answer:
    """Run the program as the action does, in an environment of nothing but what is given."""
    output = folder / "output"
    output.write_text("before=kept\n")
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), *arguments],
        env={"GITHUB_OUTPUT": str(output), "GITHUB_TOKEN": FORGE_CANARY, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = output.read_text().splitlines()
    assert lines[0] == "before=kept"
    outputs = dict(line.split("=", 1) for line in lines[1:])
    assert FORGE_CANARY not in done.stdout + done.stderr + output.read_text()
    return Answer(done.returncode, outputs, done.stdout, done.stderr)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Give this process the variables, and its own back."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def judged(name: str, path: Path) -> tuple[bool, str]:
    """Judge without a process of its own, for the many cases."""
    with environment({"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path)}):
        return preflight.judge_environment()


def asks_for_something(name: str, path: Path) -> bool:
    """Whether the run itself would find a flow, or an error to tell."""
    try:
        event = read_event(name, path, repository="acme/app")
        return isinstance(event, Event) and isinstance(
            decide(event, trigger_assignee="coordinator", trigger_label="agent"), Decision
        )
    except CoordinatorError:
        return True


def write(folder: Path, document: object) -> Path:
    path = folder / "event.json"
    path.write_text(json.dumps(document))
    return path


# As a program


@pytest.mark.parametrize("name", ["gitea/issues.assigned", "github/issues.labeled", "gitea/workflow_dispatch"])
def test_an_event_that_is_ours(name: str, tmp_path: Path) -> None:
    variables = {"GITHUB_EVENT_NAME": event_name(name), "GITHUB_EVENT_PATH": str(payload_path(name))}
    said = answer(tmp_path, variables)
    assert (said.exit_code, said.ours, said.errors) == (0, True, "")
    assert said.outputs["reason"]
    assert said.log == f"coordinator: starting: {said.outputs['reason']}\n"


@pytest.mark.parametrize("name", ["gitea/issues.edited", "github/issues.assigned.other", "github/pull_request.closed"])
def test_an_event_that_is_not_ours(name: str, tmp_path: Path) -> None:
    variables = {"GITHUB_EVENT_NAME": event_name(name), "GITHUB_EVENT_PATH": str(payload_path(name))}
    said = answer(tmp_path, variables)
    assert (said.exit_code, said.ours, said.errors) == (0, False, "")
    assert said.log == f"coordinator: skipped: {said.outputs['reason']}\n"


@pytest.mark.parametrize("prefix", ["GITEA", "FORGEJO"])
def test_the_other_names_of_the_runners_variables(prefix: str, tmp_path: Path) -> None:
    path = payload_path("gitea/issues.edited")
    said = answer(tmp_path, {f"{prefix}_EVENT_NAME": "issues", f"{prefix}_EVENT_PATH": str(path)})
    assert not said.ours


@pytest.mark.parametrize("variable", ["INPUT_TRIGGER-ASSIGNEE", "INPUT_TRIGGER_ASSIGNEE"])
def test_the_inputs_with_hyphen_and_with_underscore(variable: str, tmp_path: Path) -> None:
    path = payload_path("gitea/issues.assigned")
    variables = {"GITHUB_EVENT_NAME": "issues", "GITHUB_EVENT_PATH": str(path)}
    assert not answer(tmp_path, {**variables, variable: "helper"}).ours
    assert answer(tmp_path, {**variables, variable: "Coordinator"}).ours
    assert answer(tmp_path, {**variables, variable: ""}).ours


def test_without_anything_in_the_environment_the_run_is_to_tell(tmp_path: Path) -> None:
    said = answer(tmp_path, {})
    assert (said.exit_code, said.ours) == (0, True)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe\x00", b"{}", b'{"action": "opened"}', b"[" * 200_000, b'{"action": []}', b"null"],
    ids=range(9),
)
def test_what_cannot_be_read_is_ours(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_bytes(content)
    said = answer(tmp_path, {"GITHUB_EVENT_NAME": "issues", "GITHUB_EVENT_PATH": str(path)})
    assert (said.exit_code, said.ours, said.errors) == (0, True, "")


def test_a_missing_file_a_folder_and_an_oversized_file_are_ours(tmp_path: Path) -> None:
    assert judged("issues", tmp_path / "none.json")[0]
    assert judged("issues", tmp_path)[0]
    path = tmp_path / "event.json"
    document = payload_path("gitea/issues.edited").read_bytes()
    path.write_bytes(document.ljust(PAYLOAD_LIMIT))
    assert not judged("issues", path)[0]
    path.write_bytes(document.ljust(PAYLOAD_LIMIT + 1))
    assert judged("issues", path)[0]


def test_wrong_use_is_exit_code_two(tmp_path: Path) -> None:
    said = answer(tmp_path, {}, "--help")
    assert (said.exit_code, said.outputs, said.log) == (2, {}, "")
    assert "GITHUB_EVENT_PATH" in said.errors
    path = str(payload_path("gitea/issues.edited"))
    variables = {"GITHUB_EVENT_NAME": "issues", "GITHUB_EVENT_PATH": path, "GITHUB_OUTPUT": str(tmp_path)}
    said = answer(tmp_path, variables)
    assert said.exit_code == 2
    assert "GITHUB_OUTPUT cannot be written" in said.errors


def test_main_is_what_the_program_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = str(payload_path("gitea/issues.edited")), tmp_path / "output"
    variables = {"GITHUB_EVENT_NAME": "issues", "GITHUB_EVENT_PATH": path, "GITHUB_OUTPUT": str(output)}
    with environment(variables):
        assert preflight.main([]) == 0
        assert preflight.main(["x"]) == 2
    with environment({**variables, "GITHUB_OUTPUT": str(tmp_path)}):
        assert preflight.main([]) == 2
    with environment({**variables, "GITHUB_EVENT_NAME": "a::b", "GITHUB_OUTPUT": ""}):
        assert preflight.main([]) == 0
    assert output.read_text() == "ours=false\nreason=this action on an issue asks for nothing\n"
    assert capsys.readouterr().out.endswith("coordinator: skipped: the event a:b is none that is handled\n")


def test_it_logs_where_nobody_asks_for_outputs(tmp_path: Path) -> None:
    path = str(payload_path("gitea/issues.edited"))
    said = answer(tmp_path, {"GITHUB_EVENT_NAME": "issues", "GITHUB_EVENT_PATH": path, "GITHUB_OUTPUT": ""})
    assert (said.exit_code, said.outputs) == (0, {})
    assert said.log.startswith("coordinator: skipped: ")


def test_text_of_people_comes_out_nowhere(tmp_path: Path) -> None:
    """Not in the output file, where it could set ``ours``, and not in the log, which obeys commands."""
    canary = "canary\nours=true\n::set-output name=ours::true ##[add-mask]x"
    document = json.loads(payload_path("gitea/issues.label_updated.added").read_bytes())
    document["issue"].update(title=canary, body=canary, labels=[{"name": canary}])
    document["issue"]["assignees"][0]["login"] = canary
    document["changes"]["added_labels"][0]["name"] = canary
    for action in ("label_updated", "opened", "assigned", "unassigned", "edited", canary):
        document["action"] = action
        variables = {"GITHUB_EVENT_NAME": "issues", "GITHUB_EVENT_PATH": str(write(tmp_path, document))}
        said = answer(tmp_path, variables)
        assert set(said.outputs) == {"ours", "reason"}
        assert "canary" not in said.log + said.outputs["reason"] + said.errors
        assert said.log.count("\n") == 1


def test_names_from_the_workflow_are_made_harmless(tmp_path: Path) -> None:
    path = str(payload_path("github/issues.opened.plain"))
    said = answer(
        tmp_path,
        {
            "GITHUB_EVENT_NAME": "issues",
            "GITHUB_EVENT_PATH": path,
            "INPUT_TRIGGER-LABEL": "a\nours=true\r:::x::y##[z]\x1b[1m" + "l" * 500,
        },
    )
    assert not said.ours
    reason = said.outputs["reason"]
    assert reason.isprintable()
    assert "::" not in reason
    assert "##[" not in reason
    assert len(reason) < 250
    said = answer(tmp_path, {"GITHUB_EVENT_NAME": "push\nours=true"})
    assert not said.ours
    assert said.outputs["reason"] == "the event push ours=true is none that is handled"


def test_it_imports_the_standard_library_only_and_little_of_that() -> None:
    program = (
        f"import sys; before = set(sys.modules); sys.path.insert(0, {str(SCRIPT.parent)!r}); import preflight;"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - {'preflight'}))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded <= {*sys.stdlib_module_names}
    assert not loaded & {"pathlib", "argparse", "typing", "dataclasses", "asyncio", "ssl", "subprocess", "tempfile"}


# Held together with the decision of the run


def test_the_two_know_the_same_bounds_and_commands() -> None:
    assert preflight.PAYLOAD_LIMIT == PAYLOAD_LIMIT
    assert set(preflight.COMMANDS) == {f"/coordinator {command}" for command in Command}


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_every_payload_file_is_judged_as_the_run_decides(name: str) -> None:
    path = payload_path(name)
    ours, reason = judged(event_name(name), path)
    assert ours is (FLOWS[name] is not None), reason
    assert asks_for_something(event_name(name), path) is ours


def _issue_documents() -> Iterator[dict[str, object]]:
    """Return every combination of what the two look at in an event of an issue."""
    agent, bug, us, dev = (
        {"name": "Agent"},
        {"name": "bug"},
        {"id": 5, "login": "COORDINATOR"},
        {"id": 2, "login": "dev"},
    )
    actions = ["opened", "closed", "edited", "assigned", "unassigned", "labeled", "unlabeled"]
    named: list[dict[str, object]] = [{}, {"assignee": dev}, {"assignee": us}, {"label": agent}, {"label": bug}]
    changes: list[dict[str, object]] = [
        {},
        {"changes": None},
        {"changes": {"added_labels": [agent], "removed_labels": [bug]}},
        {"changes": {"added_labels": None, "removed_labels": [agent]}},
    ]
    for action, state, assignees, labels, one, both, pull in product(
        [*actions, "label_updated", "label_cleared", "pinned"],
        ["open", "closed"],
        [None, [us], [dev]],
        [[], [agent], [bug]],
        named,
        changes,
        [None, {"url": "x"}],
    ):
        issue = {"number": 7, "title": "T", "state": state, "assignees": assignees, "labels": labels}
        repository = {"id": 1, "full_name": "acme/app"}
        issue["pull_request"] = pull
        yield {"action": action, "issue": issue, "sender": dev, "repository": repository, **one, **both}


def test_every_issue_event_is_judged_as_the_run_decides() -> None:
    judgements = []
    for document in _issue_documents():
        event = parse_payload(EventKind.ISSUES, document, source="x", repository=None)
        asks = isinstance(event, Event) and isinstance(
            decide(event, trigger_assignee="coordinator", trigger_label="agent"), Decision
        )
        ours, reason = preflight.judge_issue(document)
        assert ours is asks, (document, reason)
        judgements.append(ours)
    assert judgements.count(False) > 1000
    assert judgements.count(True) > 500


@pytest.mark.parametrize("body", ["/coordinator run", "/coordinator stop\nx", "/coordinator plan \r\n", "no", None, ""])
@pytest.mark.parametrize("on_pull_request", [True, False])
def test_no_command_is_turned_away(body: object, on_pull_request: bool, tmp_path: Path) -> None:
    document = json.loads(payload_path("github/issue_comment.created").read_bytes())
    document["comment"]["body"] = body
    document["is_pull"] = on_pull_request
    path = write(tmp_path, document)
    ours, _ = judged("issue_comment", path)
    assert ours or not asks_for_something("issue_comment", path)


@pytest.mark.parametrize("name", ["gitea/issues.assigned", "gitea/issues.label_updated.added"])
def test_a_damaged_event_is_left_to_the_run(name: str, tmp_path: Path) -> None:
    for broken in ({"assignees": "x"}, {"assignees": [7]}, {"labels": [{"name": 7}]}, {"labels": 7}):
        document = json.loads(payload_path(name).read_bytes())
        document["issue"].update(broken)
        path = write(tmp_path, document)
        assert judged("issues", path)[0]
        assert asks_for_something("issues", path)


@pytest.mark.parametrize("body", [7, ["/coordinator run"], {"x": 1}])
def test_a_damaged_comment_is_left_to_the_run(body: object, tmp_path: Path) -> None:
    document = json.loads(payload_path("github/issue_comment.created").read_bytes())
    document["comment"]["body"] = body
    path = write(tmp_path, document)
    assert judged("issue_comment", path)[0]
    assert asks_for_something("issue_comment", path)


def test_a_relayed_event_is_left_to_the_run(tmp_path: Path) -> None:
    document = json.loads(payload_path("gitea/workflow_dispatch").read_bytes())
    document["inputs"] = {"event": "{}", "signature": "00"}
    assert judged("workflow_dispatch", write(tmp_path, document))[0]
