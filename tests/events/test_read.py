from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.events.models import Event, EventKind, Skipped
from coordinator.events.read import PAYLOAD_LIMIT, read_event
from coordinator.forge.models import Account
from tests.events.payload_files import FLOWS, PAYLOADS, event_name, payload_path

if TYPE_CHECKING:
    from pathlib import Path


def read(name: str, *, repository: str | None = "acme/app") -> Event:
    event = read_event(event_name(name), payload_path(name), repository=repository)
    assert isinstance(event, Event)
    return event


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "event.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    return path


def changed(name: str, folder: Path, **changes: object) -> Path:
    """Write a payload file with some of its parts changed: ``issue__title="x"`` or ``sender=None``."""
    document = json.loads(payload_path(name).read_bytes())
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = document
        for parent in parents:
            place = place[parent]
        if value is KeyError:
            del place[last]
        else:
            place[last] = value
    return write(folder, json.dumps(document))


def test_every_payload_file_has_its_case() -> None:
    files = {str(path.relative_to(PAYLOADS).with_suffix("")) for path in PAYLOADS.rglob("*.json")}
    assert files == set(FLOWS)


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_every_payload_file_becomes_an_event_or_is_skipped_with_a_reason(name: str) -> None:
    event = read_event(event_name(name), payload_path(name), repository="acme/app")
    if isinstance(event, Skipped):
        assert FLOWS[name] is None
        assert event.reason
    else:
        assert event.kind == event_name(name)
        assert event.repository.full_name == "acme/app"


def test_an_assigned_issue_of_gitea() -> None:
    event = read("gitea/issues.assigned")
    assert (event.kind, event.action) == (EventKind.ISSUES, "assigned")
    assert event.sender == Account(id=2, login="maintainer")
    assert (event.repository.id, event.repository.full_name, event.repository.default_branch) == (1, "acme/app", "main")
    assert event.issue is not None
    assert (event.issue.number, event.issue.state, event.issue.body) == (1, "open", "b")
    assert event.issue.title == "assign at creation ${{ secrets.X }} and ${{ github.token }}"
    assert event.issue.assignees == (Account(id=5, login="coordinator"),)
    assert event.issue.labels == ("agent",)
    assert event.issue.author == Account(id=2, login="maintainer")
    assert event.issue.html_url == "https://gitea.example/acme/app/issues/1"
    assert not event.issue.is_pull_request
    assert event.assignee is None
    assert event.added_labels == event.removed_labels == ()


def test_a_time_stamp_of_1970_is_no_time() -> None:
    assigned, opened = read("gitea/issues.assigned").issue, read("gitea/issues.opened").issue
    assert assigned is not None
    assert assigned.updated_at is None
    assert opened is not None
    assert opened.updated_at == datetime(2026, 11, 20, 23, 58, 53, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "action", "added", "removed"),
    [
        ("gitea/issues.label_updated.added", "labeled", ("agent",), ()),
        ("gitea/issues.label_updated.removed", "unlabeled", (), ("agent",)),
        ("derived/issues.label_updated.replaced", "labeled", ("agent",), ("bug",)),
        ("derived/issues.label_updated.webhook", "labeled", (), ()),
        ("derived/issues.label_cleared.webhook", "unlabeled", (), ()),
        ("forgejo/issues.label_updated", "labeled", ("agent",), ()),
        ("forgejo/issues.label_cleared", "unlabeled", (), ("agent",)),
        ("github/issues.labeled", "labeled", ("agent",), ()),
        ("github/issues.unlabeled", "unlabeled", (), ("agent",)),
    ],
)
def test_label_events_of_all_forges(name: str, action: str, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
    event = read(name)
    assert (event.action, event.added_labels, event.removed_labels) == (action, added, removed)


def test_github_names_the_assignee() -> None:
    assert read("github/issues.assigned").assignee == Account(id=3005, login="coordinator")
    assert read("github/issues.assigned.other").assignee == Account(id=3001, login="dev")


def test_null_body_and_gone_author_of_github() -> None:
    opened, plain = read("github/issues.opened").issue, read("github/issues.opened.plain").issue
    assert opened is not None
    assert opened.body == ""
    assert plain is not None
    assert plain.author == Account(id=-1, login="ghost")


def test_a_comment() -> None:
    event = read("github/issue_comment.created")
    assert event.comment is not None
    assert (event.comment.id, event.comment.author.login) == (8001, "dev")
    assert event.comment.body.startswith("/coordinator run\r\n")
    assert event.comment.created_at == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    assert event.issue is not None
    assert not event.issue.is_pull_request


@pytest.mark.parametrize(
    "name", ["github/issue_comment.created.on-pull-request", "derived/issue_comment.created.on-pull-request"]
)
def test_a_comment_on_a_pull_request_is_told_by_the_value_and_not_by_the_key(name: str) -> None:
    issue = read(name).issue
    assert issue is not None
    assert issue.is_pull_request


def test_a_pull_request() -> None:
    event = read("gitea/pull_request.synchronized")
    pull = event.pull_request
    assert event.action == "synchronize"
    assert pull is not None
    assert (pull.number, pull.head, pull.base) == (6, "coordinator/pat", "main")
    assert pull.head_commit == "f32e981924bb73065204f342ad0b30a24d95f950"
    assert (pull.head_repository_id, pull.base_repository_id) == (1, 1)
    assert pull.author == Account(id=5, login="coordinator")
    assert not pull.fork


@pytest.mark.parametrize(
    "name",
    ["github/pull_request.opened.fork", "github/pull_request.reopened.fork-gone", "derived/pull_request.opened.agit"],
)
def test_heads_that_a_stranger_may_have_made_count_as_forks(name: str) -> None:
    pull = read(name).pull_request
    assert pull is not None
    assert pull.fork


def test_a_fork_is_told_by_the_ids_whatever_the_flag_says(tmp_path: Path) -> None:
    path = changed(
        "github/pull_request.opened.fork", tmp_path, pull_request__head__repo__fork=False, repository__fork=False
    )
    event = read_event("pull_request", path, repository=None)
    assert isinstance(event, Event)
    assert event.pull_request is not None
    assert event.pull_request.fork


def test_the_base_is_the_repository_that_the_event_came_from(tmp_path: Path) -> None:
    path = changed("github/pull_request.opened.fork", tmp_path, pull_request__base__repo__id=77999)
    event = read_event("pull_request", path, repository=None)
    assert isinstance(event, Event)
    assert event.pull_request is not None
    assert event.pull_request.fork


def test_inputs_are_text_also_where_booleans_are_native(tmp_path: Path) -> None:
    assert read("github/workflow_dispatch").inputs == {"issue": "12", "verbose": "true", "event": "", "signature": ""}
    assert read("gitea/workflow_dispatch").inputs == {"issue": "1", "ev": ""}
    assert read("github/workflow_dispatch.queue").inputs == {}
    path = changed("gitea/workflow_dispatch", tmp_path, inputs={"issue": 7, "dry": False})
    event = read_event("workflow_dispatch", path, repository=None)
    assert isinstance(event, Event)
    assert event.inputs == {"issue": "7", "dry": "false"}
    assert event.action == ""


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("coordinator.yml", "coordinator.yml"),
        (".forgejo/workflows/coordinator.yaml", "coordinator.yaml"),
        ("../../etc/passwd", ""),
        ("a b.yml", ""),
        (".yml", ""),
        ("x.yml\n::set-output", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_dispatch_names_the_file_of_its_workflow(written: str | None, name: str, tmp_path: Path) -> None:
    event = read_event(
        "workflow_dispatch", changed("gitea/workflow_dispatch", tmp_path, workflow=written), repository=None
    )
    assert isinstance(event, Event)
    assert event.workflow == name


def test_the_built_in_actions_user_has_a_negative_id() -> None:
    assert read("gitea/workflow_dispatch.by-job-token").sender == Account(id=-2, login="gitea-actions")


def test_a_schedule_of_forgejo_names_no_repository_so_the_job_does() -> None:
    event = read("forgejo/schedule", repository="acme/app")
    assert (event.sender, event.action) == (None, "")
    assert (event.repository.id, event.repository.full_name) == (None, "acme/app")
    with pytest.raises(Misconfigured, match=r"repository: missing.*GITHUB_REPOSITORY"):
        read("forgejo/schedule", repository=None)


@pytest.mark.parametrize("name", ["push", "pull_request_target", "pull_request_review", "workflow_call", "", "x\ny"])
def test_events_that_are_none_of_ours_are_skipped_unread(name: str, tmp_path: Path) -> None:
    skipped = read_event(name, tmp_path / "missing", repository=None)
    assert isinstance(skipped, Skipped)
    assert skipped.reason.isprintable()


@pytest.mark.parametrize(
    ("name", "action"), [("issues", "pinned"), ("issue_comment", "edited"), ("pull_request", "labeled"), ("issues", "")]
)
def test_actions_that_are_none_of_ours_are_skipped_whatever_else_is_there(
    name: str, action: str, tmp_path: Path
) -> None:
    skipped = read_event(name, write(tmp_path, json.dumps({"action": action})), repository=None)
    assert isinstance(skipped, Skipped)
    assert name in skipped.reason


def test_text_of_an_action_cannot_make_a_second_line(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps({"action": "a\n::set-output name=ours::true"}))
    skipped = read_event("issues", path, repository=None)
    assert isinstance(skipped, Skipped)
    assert "\n" not in skipped.reason


def test_lone_surrogates_and_nul_are_replaced(tmp_path: Path) -> None:
    path = changed(
        "gitea/issues.assigned", tmp_path, issue__title="a\ud800b\0c", issue__body="\udfff 😀", issue__labels=[]
    )
    event = read_event("issues", path, repository=None)
    assert isinstance(event, Event)
    assert event.issue is not None
    assert event.issue.title == "a\ufffdb\ufffdc"
    assert event.issue.body == "\ufffd 😀"
    event.model_dump_json().encode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("\xff\xfe", "not JSON"),
        ('{"action": 1' + "0" * 5000 + "}", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ("null", "not a JSON object"),
        ('"x"', "not a JSON object"),
        ("{}", "action: missing"),
        ('{"action": ["opened"]}', "action: missing, or no text"),
        ('{"action": "opened"}', "issue: Field required"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
        ("[" * 1_000_000, "nested too deeply"),
    ],
    ids=range(12),
)
def test_a_broken_file_is_one_line_that_names_the_file(text: str, says: str, tmp_path: Path) -> None:
    path = write(tmp_path, text.encode("latin-1"))
    with pytest.raises(Misconfigured) as caught:
        read_event("issues", path, repository=None)
    message = str(caught.value)
    assert says in message
    assert str(path) in message
    assert "GITHUB_EVENT_PATH" in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sender": None}, "sender"),
        ({"sender": KeyError}, "sender"),
        ({"sender__id": "2"}, "sender.id"),
        ({"sender__id": True}, "sender.id"),
        ({"sender__id": 2.0}, "sender.id"),
        ({"sender__id": 2**70}, "sender.id"),
        ({"sender__login": 7}, "sender.login"),
        ({"issue": None}, "issue"),
        ({"issue": KeyError}, "issue"),
        ({"issue": []}, "issue"),
        ({"issue__number": "1"}, "issue.number"),
        ({"issue__number": 0}, "issue.number"),
        ({"issue__number": -1}, "issue.number"),
        ({"issue__title": None}, "issue.title"),
        ({"issue__state": "locked"}, "issue.state"),
        ({"issue__assignees": [{"login": "coordinator"}]}, "issue.assignees.0.id"),
        ({"issue__labels": {"name": "agent"}}, "issue.labels"),
        ({"issue__updated_at": "yesterday"}, "issue.updated_at"),
        ({"repository": KeyError}, "repository"),
        ({"repository__id": "1"}, "repository.id"),
        ({"changes": {"added_labels": ["agent"]}}, "changes.added_labels.0"),
    ],
    ids=str,
)
def test_wrong_types_and_missing_fields_are_named_by_their_path(
    changes: dict[str, object], field: str, tmp_path: Path
) -> None:
    path = changed("gitea/issues.assigned", tmp_path, **changes)
    with pytest.raises(Misconfigured) as caught:
        read_event("issues", path, repository=None)
    assert f"{path}: {field}: " in caught.value.what
    assert str(caught.value).isprintable()


def test_a_message_quotes_no_text_that_a_person_wrote(tmp_path: Path) -> None:
    path = changed("gitea/workflow_dispatch", tmp_path, inputs={"x\n::add-mask::y" * 50: ["canary"]})
    with pytest.raises(Misconfigured) as caught:
        read_event("workflow_dispatch", path, repository=None)
    message = str(caught.value)
    assert "inputs." in message
    assert "canary" not in message
    assert message.isprintable()
    assert len(message) < 500


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        read_event("issues", tmp_path / "none.json", repository=None)
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_event("issues", tmp_path, repository=None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = write(tmp_path, "{}")
    path.chmod(0)
    with pytest.raises(Misconfigured, match="Permission denied"):
        read_event("issues", path, repository=None)


def test_the_size_is_bounded(tmp_path: Path) -> None:
    document = payload_path("gitea/issues.assigned").read_bytes()
    path = write(tmp_path, document.ljust(PAYLOAD_LIMIT))
    assert isinstance(read_event("issues", path, repository=None), Event)
    path = write(tmp_path, document.ljust(PAYLOAD_LIMIT + 1))
    with pytest.raises(Misconfigured, match="larger than"):
        read_event("issues", path, repository=None)
