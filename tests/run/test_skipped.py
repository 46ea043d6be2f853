"""Events that are none of ours, or ask for nothing now: green, one line, nothing written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.run.support import PAYLOADS, Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.standins.forge_state import Json


def assert_skipped(job: Job, says: str, *, issue: str = "") -> None:
    """Run, and see that it ended green with these words and wrote nothing but outputs and summary.

    `issue` is the output of that name: filled where the event is about one that is ours.
    """
    ended = job.run("--format", "json")
    assert ended.code == 0, ended.err
    document = ended.document
    assert (document["outcome"], document["exit_code"]) == ("skipped", 0)
    assert says in str(document["reason"])
    assert "skipped" in ended.err
    assert job.outputs() == dict.fromkeys(job.outputs(), "") | {
        "outcome": "skipped",
        "issue": issue,
        "input-tokens": "0",
        "output-tokens": "0",
        "cost-usd": "0.000000",
    }
    assert "skipped" in job.summary.lower()
    assert not job.writes


@pytest.mark.parametrize(
    ("name", "payload", "says"),
    [
        ("push", {"ref": "refs/heads/main"}, "the event push is none"),
        ("issues", {"action": "pinned"}, "the action 'pinned' of issues"),
        ("issue_comment", {"action": "deleted"}, "the action 'deleted' of issue_comment"),
        ("pull_request", {"action": "labeled"}, "the action 'labeled' of pull_request"),
        ("release", "not even an object", "the event release is none"),
    ],
)
def test_what_the_event_file_alone_tells_asks_the_forge_nothing(
    job: Job, name: str, payload: dict[str, str] | str, says: str
) -> None:
    job.event(name, dict(payload) if isinstance(payload, dict) else payload)
    assert_skipped(job, says)
    assert not job.forge.requests


def _unassigned(job: Job) -> None:
    job.assign()
    job.forge.state.set_assignees(job.issue, [], job.maintainer)
    job.issue_event("issues.unassigned.json", sender=job.maintainer)


def _closed(job: Job) -> None:
    job.issue.state = "closed"
    job.issue_event("issues.closed.json", sender=job.maintainer)


def _assigned_when_closed(job: Job) -> None:
    job.issue.state = "closed"
    job.assign()


def _other_label(job: Job) -> None:
    bug = job.forge.add_label("bug")
    job.forge.state.set_labels(job.issue, [bug], job.maintainer)
    changes: dict[str, Json] = {"added_labels": [{"id": bug, "name": "bug"}], "removed_labels": None}
    job.issue_event("issues.label_updated.added.json", sender=job.maintainer, changes=changes)


def _ours_by_an_earlier_act(job: Job) -> None:
    job.assign()
    for entry in job.issue.timeline:
        entry["created_at"] = "2026-01-01T00:00:00Z"
    job.forge.state.set_assignees(job.issue, [job.forge.bot, job.maintainer], job.maintainer)
    for entry in job.issue.timeline[1:]:
        entry["assignee"] = job.forge.state.user_json(job.maintainer)
    job.issue_event("issues.assigned.json", sender=job.maintainer)


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        (lambda job: job.comment("Looks good", by=job.maintainer), "a comment whose first line is none of"),
        (lambda job: job.comment("see /coordinator run", by=job.maintainer), "a comment whose first line is none of"),
        (lambda job: job.issue_event("issues.opened.json", sender=job.maintainer), "neither assigned"),
        (lambda job: job.issue_event("issues.assigned.json", sender=job.maintainer), "is not assigned"),
        (lambda job: job.issue_event("issues.edited.json", sender=job.maintainer), "asks for nothing"),
        (lambda job: job.assign(by=job.forge.bot), "the coordinator's own account"),
        (lambda job: job.comment("/coordinator run", by=job.forge.bot), "the coordinator's own account"),
        (lambda job: job.dispatch(), "nothing was started (it is empty)"),
        (_assigned_when_closed, "is closed"),
        (_other_label, "labels other than agent changed"),
        (_ours_by_an_earlier_act, "before this event"),
        (_closed, "nothing that could start was waiting for issue #1"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) and value.__name__ != "<lambda>" else None,
)
def test_what_asks_for_nothing(job: Job, happens: Callable[[Job], None], says: str) -> None:
    happens(job)
    assert_skipped(job, says)


@pytest.mark.parametrize("happens", [_unassigned, lambda job: job.comment("/coordinator stop", by=job.maintainer)])
def test_what_nobody_works_on_cannot_be_stopped(job: Job, happens: Callable[[Job], None]) -> None:
    happens(job)
    assert_skipped(job, "nobody works on issue #1", issue="1")


def test_a_schedule_finds_an_empty_queue(job: Job) -> None:
    job.event("schedule", (PAYLOADS.parent / "derived" / "schedule.json").read_bytes())
    event = json.loads((job.folder / "event.json").read_bytes())
    repository = job.payload("workflow_dispatch.json", job.maintainer)["repository"]
    job.event("schedule", {**event, "repository": repository})
    assert_skipped(job, "nothing was started (it is empty)")


def test_the_trigger_of_the_configuration(job: Job) -> None:
    configuration = job.git("show", "main:.coordinator.yml")
    job.push({".coordinator.yml": f"{configuration}\ntrigger: {{label: robot, assignee: robot}}\n"})
    job.assign()
    assert_skipped(job, "is not assigned to @robot")
    job.set(INPUT_TRIGGER_ASSIGNEE="coordinator", INPUT_DRY_RUN="true")
    assert "Dry run" in job.run().out
