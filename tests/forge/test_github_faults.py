"""What GithubForge does when GitHub stumbles, slows it down, or is not the one it should be; where its token goes."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from coordinator.errors import CoordinatorError, Misconfigured, Unreachable
from coordinator.forge.credentials import basic_authorization
from coordinator.forge.github import GithubForge
from coordinator.forge.http import RestClient
from coordinator.forge.models import Account, CommitStatus, StatusState
from coordinator.forge.rate_limit import seconds_until_allowed
from coordinator.forge.reply import Reply
from tests.forge.labs import basic
from tests.standins.github_lab import GithubLab
from tests.standins.github_server import GithubServer
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEAD = "coordinator/issue-1"
STATUS = CommitStatus(context="coordinator", state=StatusState.SUCCESS, description="fine")
LIMIT = b'{"message": "API rate limit exceeded for user ID 7."}'
SECONDARY = b'{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GithubServer]:
    with GithubServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path, server: GithubServer) -> Iterator[GithubLab]:
    made = GithubLab(tmp_path, server)
    yield made
    made.close()


def _open(forge: GithubForge) -> int:
    return forge.create_pull_request(head=HEAD, base="main", title="Add", body="b", draft=True).number


# Limits


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "7"}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{}"}],
    ids=["retry-after", "reset"],
)
def test_a_limit_is_waited_for(lab: GithubLab, server: GithubServer, status: int, headers: dict[str, str]) -> None:
    number = lab.add_issue("x", "y")
    filled = {key: value.format(int(time.time()) + 6) for key, value in headers.items()}
    server.fail("GET .*/issues/", status=status, headers=filled, body=LIMIT)
    assert lab.forge.issue(number).title == "x"
    (pause,) = lab.pauses
    assert 5 <= pause <= 7


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (formatdate(1_767_323_045, usegmt=True), 7),
        (formatdate(1_767_323_999, usegmt=True), 1),
        ("", 1),
        ("never", 1),
    ],
)
def test_the_reset_is_told_by_the_servers_clock(date: str, expected: float) -> None:
    """The reset is in January 2026: by our own clock it is over."""
    headers = httpx.Headers({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767323051", "date": date})
    assert seconds_until_allowed(Reply(403, headers, LIMIT, "host", "read"), 0) == expected
    assert seconds_until_allowed(Reply(404, headers, LIMIT, "host", "read"), 5) is None


def test_a_comment_that_met_a_limit_is_written_once(lab: GithubLab, server: GithubServer) -> None:
    number = lab.add_issue("x", "y")
    server.fail("POST .*/comments", status=403, headers={"Retry-After": "1"}, body=SECONDARY)
    lab.forge.create_comment(number, "text")
    assert [one.body for one in lab.forge.comments(number)] == ["text"]


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "3000"}, LIMIT, 3000),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{}"}, LIMIT, 1801),
        ({}, SECONDARY, 60),
        ({}, b'{"message": "You have triggered an abuse detection mechanism."}', 60),
        ({"Retry-After": "9" * 400}, LIMIT, 86_400),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 15}, LIMIT, 86_400),
    ],
    ids=["retry-after", "reset", "secondary", "abuse", "endless", "far"],
)
def test_a_limit_that_lasts_too_long_says_when_it_is_over(
    lab: GithubLab, server: GithubServer, *, headers: dict[str, str], body: bytes, seconds: int
) -> None:
    number = lab.add_issue("x", "y")
    now = time.time()
    filled = {key: value.format(int(now) + 1800) for key, value in headers.items()}
    server.fail("GET .*/issues/", status=403, headers=filled, body=body)
    with pytest.raises(Unreachable, match="takes no more requests of this token for now") as caught:
        lab.forge.issue(number)
    said = caught.value.mend.removeprefix("Run again after ").removesuffix(", when the limit is over")
    when = time.mktime(time.strptime(f"{said} GMT", "%Y-%m-%d %H:%M:%S UTC GMT")) - time.timezone
    assert abs(when - (now + seconds)) < 10
    assert lab.pauses == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Remaining": "17", "X-RateLimit-Reset": "9999999999"},
        {"X-RateLimit-Remaining": "0"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"},
    ],
)
def test_a_refusal_is_no_limit(lab: GithubLab, server: GithubServer, headers: dict[str, str]) -> None:
    number = lab.add_issue("x", "y")
    server.fail("GET .*/issues/", status=403, headers=headers, body=b'{"message": "Resource not accessible"}')
    with pytest.raises(Misconfigured, match="may not read issue 1 of acme/app") as caught:
        lab.forge.issue(number)
    assert "`permissions:`" in caught.value.mend
    assert lab.pauses == []


def test_a_limit_is_not_taken_for_no_right(lab: GithubLab, server: GithubServer) -> None:
    """403 means something to many methods; one that passes must not mean it."""
    limited = {"Retry-After": "3000"}
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    for act in _acts(lab, lab.push_branch("other", {"other.txt": "x"})):
        server.fail(".*", status=403, headers=limited, body=LIMIT)
        with pytest.raises(Unreachable, match="no more requests"):
            act()


def _acts(lab: GithubLab, commit: str) -> tuple[Callable[[], object], ...]:
    """Return a use of every method that sends something; each does the same when it is done again."""
    forge, number = lab.forge, lab.add_issue("x", "y")
    return (
        forge.server,
        forge.secret_names,
        forge.myself,
        forge.repository,
        lambda: forge.read_file("README.md", ref="main"),
        lambda: forge.account("acme"),
        lambda: forge.access(Account(id=lab.server.owner.id, login="acme")),
        lambda: forge.issue(number),
        lambda: forge.find_issues(assignee="acme", label="agent"),
        lambda: forge.history(number),
        lambda: forge.dependencies(number),
        lambda: forge.add_label(number, "agent"),
        lambda: forge.remove_label(number, "agent"),
        lambda: forge.comments(number),
        lambda: forge.create_comment(number, "text"),
        lambda: forge.branch_commit(HEAD),
        lambda: forge.find_pull_request(head=HEAD, base="main"),
        lambda: _open(forge),
        lambda: forge.set_statuses(commit, [STATUS]),
        lambda: forge.dispatch("coordinator.yml", ref="main", inputs={}),
        lambda: forge.run_is_cancelled(run_id=7, run_number=None),
        forge.facilities,
    )


# Faults


@pytest.mark.parametrize("fault", [{"status": 502}, {"status": 429}, {"drop": "before"}, {"drop": "after"}], ids=str)
def test_one_fault_changes_nothing(lab: GithubLab, server: GithubServer, fault: dict[str, int | str]) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    workflow = "on: {workflow_dispatch: {}}\n"
    lab.push_main({".github/workflows/coordinator.yml": workflow})
    for act in _acts(lab, commit):
        server.fail(".*", status=int(fault.get("status", 0)), drop=str(fault.get("drop", "")))
        act()
    assert [one.body for one in lab.forge.comments(1)] == ["text"]
    pulls = [one for one in server.state.issues.values() if one.pull]
    assert len(pulls) == 1
    assert server.state.dispatched


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_answer_never_makes_a_second_comment(lab: GithubLab, server: GithubServer, drop: str) -> None:
    number = lab.add_issue("x", "y")
    lab.ask("POST", f"/issues/{number}/comments", {"body": "the same text by another"})
    server.fail("POST .*/comments", drop=drop)
    comment = lab.forge.create_comment(number, "the same text by another")
    assert [one.author.login for one in lab.forge.comments(number)] == ["acme", lab.me]
    assert comment == lab.forge.comments(number)[1]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_answer_never_makes_a_second_pull_request(lab: GithubLab, server: GithubServer, drop: str) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    server.fail("POST .*/pulls", drop=drop)
    assert _open(lab.forge) == 1
    assert list(server.state.issues) == [1]


def test_a_post_that_is_lost_twice_is_unreachable(lab: GithubLab, server: GithubServer) -> None:
    number = lab.add_issue("x", "y")
    server.fail("POST .*/comments", status=502, times=2)
    with pytest.raises(Unreachable, match="502"):
        lab.forge.create_comment(number, "text")
    assert lab.forge.comments(number) == ()


def test_a_renamed_repository_is_named_by_where_it_is(lab: GithubLab, server: GithubServer) -> None:
    server.state.old_names.add("acme/old")
    with lab.forge_of(server.token, "acme/old") as forge, pytest.raises(Misconfigured) as caught:
        forge.issue(1)
    assert "redirects to" in caught.value.what
    assert "/repositories/1/issues/1" in caught.value.what


def test_a_token_that_is_not_known_is_said_and_not_shown(lab: GithubLab, server: GithubServer) -> None:
    wrong = FORGE_CANARY[::-1]
    with lab.forge_of(wrong) as forge, pytest.raises(Misconfigured, match="does not accept the token") as caught:
        forge.repository()
    assert "GITHUB_TOKEN" in caught.value.mend
    assert wrong not in str(caught.value)
    server.fail("GET", status=422, body=f'{{"message": "bad {FORGE_CANARY}", "errors": ["{FORGE_CANARY}"]}}'.encode())
    with pytest.raises(Misconfigured, match=r"bad \*\*\*: \*\*\*") as caught:
        lab.forge.repository()
    assert FORGE_CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": "Validation Failed", "errors": "Body is too long"}', "Validation Failed: Body is too long"),
        (
            b'{"message": "Validation Failed", "errors": [{"field": "base", "code": "invalid"}, {"message": "m"}, 7]}',
            "Validation Failed: base invalid; m",
        ),
        (b'{"errors": [{"code": "custom"}]}', "custom"),
        (b"[]", "status 422"),
    ],
)
def test_what_fails_validation_is_said(lab: GithubLab, server: GithubServer, body: bytes, said: str) -> None:
    server.fail("GET", status=422, body=body)
    with pytest.raises(Misconfigured, match=said):
        lab.forge.repository()


# Where the token goes


def test_every_request_speaks_githubs_language(lab: GithubLab, server: GithubServer) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    lab.push_main({".github/workflows/coordinator.yml": "on: {workflow_dispatch: {}}\n"})
    asked = len(server.requests)
    for act in _acts(lab, commit):
        act()
    spoken = [one for one in server.requests[asked:] if one.headers["user-agent"] == "coordinator"]
    assert len(spoken) > 20
    for request in spoken:
        assert request.headers["x-github-api-version"] == "2022-11-28"
        wanted = "application/vnd.github.raw+json" if "/contents/" in request.path else "application/vnd.github+json"
        assert request.headers["accept"] == wanted


def test_the_token_goes_into_the_header_and_nowhere_else(lab: GithubLab, server: GithubServer) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    lab.push_main({".github/workflows/coordinator.yml": "on: {workflow_dispatch: {}}\n"})
    for act in _acts(lab, commit):
        act()
    in_git = basic_authorization(SecretStr(FORGE_CANARY), user="x-access-token").removeprefix("Basic ")
    forms = (FORGE_CANARY, basic(FORGE_CANARY), in_git)
    for request in server.requests:
        elsewhere = {key: value for key, value in request.headers.items() if key != "authorization"}
        shown = f"{request.method} {request.path} {elsewhere} {request.body!r}"
        assert not any(form in shown for form in forms)
    parts = vars(lab.forge)
    for shown in (
        repr(lab.forge),
        str(lab.forge),
        repr(lab.forge.git_remote()),
        repr(parts),
        repr(vars(parts["_api"])),
    ):
        assert not any(form in shown for form in forms)


def test_no_address_of_an_answer_is_followed(lab: GithubLab, server: GithubServer, tmp_path: Path) -> None:
    """A next page elsewhere, or an answer that leads elsewhere, would take the token along."""
    with GithubServer(tmp_path / "elsewhere") as elsewhere:
        link = {"Link": f'<{elsewhere.api_url}/repos/acme/app/issues/1/comments?page=2>; rel="next"'}
        number = lab.add_issue("x", "y")
        server.fail("GET .*/comments", status=200, body=b"[]", headers=link)
        assert lab.forge.comments(number) == ()
        for status in (301, 302, 307, 308):
            server.fail("GET .*/issues/", status=status, headers={"Location": f"{elsewhere.api_url}/user"})
            with pytest.raises(Misconfigured, match="redirects are not followed"):
                lab.forge.issue(number)
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("server_url", "api_url"),
    [
        ("https://github.com", "https://github.com/api/v3"),
        ("https://github.com", "https://api.github.com.evil.example"),
        ("https://github.com", "https://git.example/api/v3"),
        ("https://github.com", "http://api.github.com"),
        ("http://github.com", "http://github.com/api/v3"),
        ("https://evil.example", "https://api.github.com"),
        ("https://www.github.com", "https://www.github.com/api/v3"),
        ("https://github.com:8443", "https://github.com:8443/api/v3"),
        ("https://git.example", "https://git.example"),
        ("https://git.example", "https://git.example/api/v1"),
        ("https://git.example", "http://git.example/api/v3"),
        ("https://git.example", "https://git.example:8443/api/v3"),
        ("https://git.example", "https://api.git.example/api/v3"),
        ("https://git.example", "https://git.example.evil/api/v3"),
    ],
)
def test_addresses_that_are_not_of_one_github_are_refused(server_url: str, api_url: str) -> None:
    with pytest.raises(Misconfigured, match="not the two addresses of one GitHub") as caught:
        GithubForge(api_url, server_url, "acme/app", SecretStr("t"))
    assert "https://api.github.com" in caught.value.mend


def test_github_com_has_two_hosts_and_an_enterprise_server_one() -> None:
    connected: list[str] = []

    def connect(address: str, token: SecretStr) -> RestClient:
        connected.append(address)
        return RestClient(address, token)

    token = SecretStr("t")
    with GithubForge("https://API.github.com/", "https://GitHub.com/", "acme/app", token, connect=connect) as forge:
        assert connected == ["https://api.github.com"]
        assert forge.git_remote().url == "https://github.com/acme/app.git"
        assert (forge.server().product, forge.server().version) == ("github", "")
        assert repr(forge) == "GithubForge('https://api.github.com', 'acme/app')"
    connected.clear()
    with GithubForge("https://git.example/api/v3/", "https://git.example", "acme/app", token, connect=connect) as forge:
        assert connected == ["https://git.example/api/v3", "https://git.example/api"]
        assert forge.git_remote().url == "https://git.example/acme/app.git"


def test_a_host_that_only_ends_like_github_is_its_own() -> None:
    with GithubForge("https://notgithub.com/api/v3", "https://notgithub.com", "acme/app", SecretStr("t")) as forge:
        assert forge.git_remote().url == "https://notgithub.com/acme/app.git"


@pytest.mark.parametrize("name", ["app", "acme/app/x", "../app", "acme/..", "acme/a b", "acme/app?x", "", "acme/"])
def test_a_name_that_is_no_repository_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="name of a repository"):
        GithubForge("https://api.github.com", "https://github.com", name, SecretStr("t"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": "x"}', b"<html>", b'{"data": 7}'])
def test_an_answer_that_is_none_is_an_error_and_no_crash(lab: GithubLab, server: GithubServer, body: bytes) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    lab.forge.repository()
    for act in _acts(lab, commit):
        server.fail(".*", status=200, body=body)
        try:
            act()
        except CoordinatorError as error:
            assert str(error)  # noqa: PT017  (some methods do without an answer, so that none need be raised)
