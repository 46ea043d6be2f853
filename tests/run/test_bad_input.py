"""What can be wrong before any work: one line that says what and where with the mend, and the right exit code."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_server import ModelServer
from coordinator.events.read import PAYLOAD_LIMIT
from tests.small_project import GOOD, submit
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from tests.run.support import Ended, Job


def fails(job: Job, code: int, *says: str) -> Ended:
    """Run, and see that it failed with this code and these words in all three places."""
    ended = job.run("--format", "json")
    assert ended.code == code, ended.err
    document = ended.document
    assert (document["outcome"], document["exit_code"]) == ("failed", code)
    for words in says:
        assert words in ended.complaint
        assert words in str(document["reason"])
    assert job.outputs()["outcome"] == "failed"
    assert says[0].split(" (")[0].split()[0] in job.summary
    return ended


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\x00\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "action: missing"),
        (b'{"action": 7}', "action: missing, or no text"),
        (b'{"action": "assigned"}', "issue: Field required"),
        (b'{"action": "assigned", "issue": {"number": "1"}}', "issue.number"),
        (b" " * (PAYLOAD_LIMIT + 1), "larger than the 25 MiB"),
    ],
    ids=["empty", "cut", "binary", "list", "deep", "bare", "typed", "missing", "wrong", "huge"],
)
def test_an_event_file_that_is_none(job: Job, content: bytes, says: str) -> None:
    job.event("issues", content)
    ended = fails(job, 2, "Event file", says, "GITHUB_EVENT_PATH")
    assert str(job.folder / "event.json") in ended.complaint
    assert not job.forge.requests


def test_an_event_file_that_is_missing(job: Job) -> None:
    job.assign()
    (job.folder / "event.json").unlink()
    fails(job, 2, "Event file", "No such file", "GITHUB_EVENT_PATH")


def test_an_event_file_that_is_a_folder(job: Job) -> None:
    job.assign()
    job.set(GITHUB_EVENT_PATH=job.folder)
    fails(job, 2, "Event file", "Is a directory")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("GITHUB_EVENT_NAME", "GITHUB_EVENT_NAME is not set"),
        ("GITHUB_EVENT_PATH", "GITHUB_EVENT_PATH is not set"),
        ("GITHUB_REPOSITORY", "Set GITHUB_REPOSITORY"),
        ("GITHUB_SERVER_URL", "Set GITEA_URL"),
        ("GITHUB_API_URL", "Set GITEA_URL"),
        ("INPUT_TOKEN", "the action's input `token`"),
    ],
)
def test_a_variable_that_is_missing_or_empty(job: Job, name: str, says: str) -> None:
    job.assign()
    job.set(**{name: " "})
    fails(job, 2, says)
    job.unset(name)
    fails(job, 2, says)
    assert not job.forge.requests


def test_no_key_for_any_model(job: Job) -> None:
    job.assign()
    job.unset("INPUT_ANTHROPIC_API_KEY")
    ended = job.run("--format", "json")
    assert ended.code == 2, ended.err
    assert "ANTHROPIC_API_KEY" in ended.complaint
    assert job.outputs()["outcome"] == "failed"
    assert not job.branch()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("GITHUB_REPOSITORY", "app", "owner/name"),
        ("GITHUB_API_URL", "ftp://x", "GITHUB_API_URL"),
        ("GITHUB_RUN_NUMBER", "seven", "GITHUB_RUN_NUMBER"),
        ("INPUT_ISSUE", "seven", "input issue"),
        ("INPUT_DRY_RUN", "maybe", "true or false"),
        ("INPUT_CONFIG", "../x.yml", "input config"),
        ("INPUT_TOKEN", f"{FORGE_CANARY}\nX-Injected: 1", "input token"),
        ("INPUT_LOG_LEVEL", "loud", "debug, info, warning, error"),
    ],
)
def test_a_value_that_is_wrong(job: Job, name: str, value: str, says: str) -> None:
    job.assign()
    job.set(**{name: value})
    ended = fails(job, 2, says)
    assert value not in ended.complaint
    assert not job.forge.requests


def test_a_dispatch_whose_issue_is_no_number(job: Job) -> None:
    job.dispatch(issue="one")
    fails(job, 2, "the dispatch input issue is no issue number", "Dispatch with issue set to a number")


def test_an_issue_that_does_not_exist(job: Job) -> None:
    job.dispatch(issue="99")
    fails(job, 2, "issue 99 of acme/app")


def test_an_agent_that_is_not_known(job: Job) -> None:
    job.assign()
    job.set(INPUT_AGENT="gpt")
    ended = job.run("--format", "json")
    assert ended.code == 2, ended.err
    assert "'gpt'" in ended.complaint or " gpt" in ended.complaint
    assert "haiku" in ended.complaint, "the mend names those that are known"
    assert job.outputs()["outcome"] == "failed"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gates:\n  lnt: {enabled: false}\n", (".coordinator.yml:2", "lnt", "lint")),
        ("attempts: none\n", (".coordinator.yml:1", "attempts")),
        ("a: [\n", (".coordinator.yml:",)),
    ],
)
def test_a_configuration_on_the_base_branch_that_is_wrong(job: Job, text: str, says: tuple[str, ...]) -> None:
    job.push({".coordinator.yml": text})
    job.assign()
    fails(job, 2, *says)
    assert not job.writes


def test_a_base_branch_that_does_not_exist(job: Job) -> None:
    job.assign()
    job.set(INPUT_BASE_BRANCH="develop")
    fails(job, 2, "develop")
    assert not job.writes


def test_a_forge_that_cannot_be_reached(job: Job) -> None:
    job.assign()
    address = f"http://127.0.0.1:{closed_port()}"
    job.set(GITHUB_SERVER_URL=address, GITHUB_API_URL=f"{address}/api/v1")
    fails(job, 4, address.removeprefix("http://"), "Check that the forge is up")


def test_a_forge_that_fails(job: Job) -> None:
    job.assign()
    job.forge.fail("GET /api/v1/repos/acme/app$", times=99, status=503, headers={"Retry-After": "100"})
    fails(job, 4, "503", "run again")


def test_a_token_that_is_rejected(job: Job) -> None:
    job.assign()
    job.set(INPUT_TOKEN="wrong-" + FORGE_CANARY)
    ended = fails(job, 2, "does not accept the token", "Give a valid one")
    assert FORGE_CANARY not in ended.err + ended.out


def test_a_repository_that_the_token_cannot_see(job: Job) -> None:
    stranger = job.forge.add_user("stranger")
    job.forge.state.private = True
    job.assign()
    job.set(INPUT_TOKEN=stranger.token)
    fails(job, 2, "acme/app", "token")
    assert not job.writes


def test_a_server_that_echoes_the_token(job: Job) -> None:
    job.assign()
    echo = f'{{"message": "no right for token {FORGE_CANARY}"}}'.encode()
    job.forge.fail("GET /api/v1/repos/acme/app$", times=99, status=403, body=echo)
    ended = fails(job, 2, "no right for token ***")
    assert FORGE_CANARY not in ended.err + ended.out + job.summary + str(job.outputs())


def test_a_server_that_is_no_gitea(job: Job) -> None:
    job.assign()
    job.forge.fail("GET /api/v1/repos/acme/app$", times=99, status=200, body=b"<html>Welcome</html>")
    fails(job, 4, "asked to read the repository acme/app", "Check that the API address leads to the forge")


def test_a_server_that_sends_the_token_elsewhere(job: Job) -> None:
    job.assign()
    elsewhere = f"http://127.0.0.1:{closed_port()}/api/v1/repos/acme/app"
    job.forge.fail("GET /api/v1/repos/acme/app$", times=99, status=301, headers={"Location": elsewhere})
    fails(job, 2, "redirect")


def test_addresses_that_are_no_github(job: Job) -> None:
    job.assign()
    job.unset("GITEA_ACTIONS")
    job.set(GITHUB_API_URL=job.forge.url)
    fails(job, 2, "GitHub", job.forge.url)


def test_a_key_that_is_refused(job: Job) -> None:
    job.assign()
    with ModelServer([], key="another-key") as model:
        job.use(model)
        ended = job.run("--format", "json")
    assert ended.code == 2, ended.err
    assert "refused the key" in ended.complaint
    assert "ANTHROPIC_API_KEY" in ended.complaint
    assert (ended.document["outcome"], job.outputs()["outcome"]) == ("failed", "failed")
    assert "refused the key" in job.headline()
    assert API_CANARY not in ended.err + ended.out + job.summary + job.comments[0]
    assert not job.branch()


@pytest.mark.slow
def test_a_model_that_cannot_be_reached(job: Job) -> None:
    job.assign()
    job.set(ANTHROPIC_BASE_URL=f"http://127.0.0.1:{closed_port()}")
    ended = job.run("--format", "json")
    assert ended.code == 4, ended.err
    assert "127.0.0.1" in ended.complaint
    assert (ended.document["outcome"], job.outputs()["outcome"]) == ("failed", "failed")
    assert "⛔ Not done" in job.headline()


def test_outputs_that_cannot_be_written_do_not_undo_the_work(job: Job) -> None:
    job.assign()
    folder = job.folder / "output"
    folder.unlink()
    folder.mkdir()
    with ModelServer([GOOD, submit()], key=API_CANARY) as model:
        job.use(model)
        ended = job.run()
    assert ended.code == 0, ended.err
    assert f"warning: {folder} cannot be written (Is a directory)" in ended.err
    assert job.pulls


def test_a_job_without_places_for_outputs_and_files(job: Job) -> None:
    job.unset("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "RUNNER_TEMP")
    job.set(TMPDIR=job.folder / "temp")
    job.assign()
    with ModelServer([GOOD, submit()], key=API_CANARY) as model:
        job.use(model)
        ended = job.run("--format", "json")
    assert ended.code == 0, ended.err
    assert Path(str(ended.document["report"])).is_file()


def test_a_temporary_folder_that_is_not_there(job: Job) -> None:
    job.assign()
    job.set(RUNNER_TEMP=job.folder / "nowhere")
    fails(job, 2, "RUNNER_TEMP", str(job.folder / "nowhere"), "No such file")
    assert not job.writes


def test_a_report_page_that_cannot_be_written_does_not_undo_the_work(job: Job) -> None:
    job.assign()
    page = job.folder / "temp" / "coordinator-issue-1" / "report.html"
    page.mkdir(parents=True)
    with ModelServer([GOOD, submit()], key=API_CANARY) as model:
        job.use(model)
        ended = job.run("--format", "json")
    assert (ended.code, ended.document["report"]) == (0, None)
    assert f"warning: the report page {page} cannot be written (Is a directory)" in ended.err
    assert job.outputs()["outcome"] == "completed"
    assert job.outputs()["report"] == ""
