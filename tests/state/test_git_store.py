"""The state on a ref: real git, over HTTP where it matters how."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import CoordinatorError, Misconfigured, Unreachable
from coordinator.forge.models import GitRemote
from coordinator.state.git_store import GitStateStore, RacePatience
from coordinator.state.records import State
from coordinator.workspace.git import Git
from coordinator.workspace.remote import STATE_REF
from tests.state.parts import IMPATIENT, QUICK, GitPlace, push_state, remote_of, with_text
from tests.support import FORGE_CANARY, git, make_repository
from tests.workspace.parts import git_server, write_blob

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.standins.forge_server import ForgeServer
    from tests.state.parts import Clock

TOTALS = '{"format": 1}'


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    source = make_repository(tmp_path / "origin", {"README.md": "# App\n"})
    git(tmp_path, "clone", "--quiet", "--bare", str(source), "bare.git")
    return tmp_path / "bare.git"


@pytest.fixture
def folder_place(bare: Path, tmp_path: Path, clock: Clock) -> GitPlace:
    """A bare repository without a server in front of it."""
    return GitPlace(GitRemote(url=str(bare)), tmp_path, clock)


def log(bare: Path, form: str = "%H") -> list[str]:
    """Return one line for each change, the newest first."""
    return git(bare, "log", "--first-parent", f"--format={form}", STATE_REF).splitlines()


def git_requests(server: ForgeServer, since: int = 0) -> list[str]:
    return [f"{request.method} {request.path.partition('.git/')[2]}" for request in server.requests[since:]]


def test_every_change_is_one_commit_that_says_why(folder_place: GitPlace, bare: Path) -> None:
    store = folder_place.open_store()
    store.change("Issue #1: claimed\n(run 1/work)", with_text(1, "a"))
    folder_place.open_store().change("Issue #1: given back", with_text(1, "b"))
    assert log(bare, "%s") == ["Issue #1: given back", "Issue #1: claimed (run 1/work)"]
    assert log(bare, "%an <%ae>")[0] == "coordinator <coordinator@noreply.invalid>"
    assert git(bare, "ls-tree", "-r", "--name-only", STATE_REF).splitlines() == ["issues/1.json", "totals.json"]
    assert git(bare, "cat-file", "blob", f"{STATE_REF}:issues/1.json").startswith('{\n "number": 1,\n "text": "b"')
    assert git(bare, "cat-file", "blob", f"{STATE_REF}:totals.json") == '{\n "format": 1\n}'


def test_a_change_that_changes_nothing_is_no_commit(folder_place: GitPlace, bare: Path) -> None:
    store = folder_place.open_store()
    store.change("one", with_text(1, "a"))
    store.change("the same", lambda state: state.model_copy())
    assert log(bare, "%s") == ["one"]


def test_a_thread_waits_until_another_one_is_done(folder_place: GitPlace) -> None:
    store = folder_place.open_store()
    seen: list[State] = []
    reader = threading.Thread(target=lambda: seen.append(store.read()))

    def edit(state: State) -> State:
        reader.start()
        reader.join(0.5)
        assert not seen
        return with_text(1, "a")(state)

    after = store.change("one", edit)
    reader.join()
    assert seen == [after]


def test_the_state_is_in_no_clone(folder_place: GitPlace, bare: Path, tmp_path: Path) -> None:
    folder_place.open_store().change("one", with_text(1, "a"))
    git(tmp_path, "clone", "--quiet", str(bare), "clone")
    assert "coordinator" not in git(tmp_path / "clone", "for-each-ref")


def test_the_same_change_by_two_runs_at_one_moment_is_two_commits(folder_place: GitPlace, bare: Path) -> None:
    """Else git would call the second push up to date, and the second run would take that for winning."""
    first, second = folder_place.open_store(), folder_place.open_store()
    calls: list[State] = []

    def edit(state: State) -> State:
        calls.append(state)
        if len(calls) == 1:
            second.change("claimed", with_text(1, "mine"))
        return with_text(1, "mine")(state) if not state.issues else state

    first.change("claimed", edit)
    assert len(calls) == 2
    assert len(log(bare)) == 1


def test_a_lost_race_is_edited_again_on_what_the_other_one_wrote(folder_place: GitPlace) -> None:
    first, second = folder_place.open_store(), folder_place.open_store()
    seen: list[set[int]] = []

    def edit(state: State) -> State:
        seen.append(set(state.issues))
        if len(seen) < 3:
            second.change("faster", with_text(10 + len(seen), "theirs"))
        return with_text(1, "ours")(state)

    after = first.change("slower", edit)
    assert seen == [set(), {11}, {11, 12}]
    assert set(after.issues) == {1, 11, 12}
    assert second.read() == after


def test_a_race_that_is_lost_forever_ends(folder_place: GitPlace) -> None:
    first = replace(folder_place, patience=RacePatience(0.01, 0.02, 0.5)).open_store()
    second, number = folder_place.open_store(), iter(range(1, 1000))

    def edit(state: State) -> State:
        second.change("faster", with_text(next(number), "theirs"))
        return with_text(1000, "ours")(state)

    with pytest.raises(Unreachable, match=r"changed refs/coordinator/state in .* for 0.5 s .*queue.parallel"):
        first.change("slower", edit)
    assert 1000 not in second.read().issues
    assert len(second.read().issues) > 1


def test_a_push_whose_answer_was_lost_counts_once(git_place: GitPlace, server: ForgeServer) -> None:
    patient = replace(IMPATIENT, pauses=(0.0, 0.0))
    store = replace(git_place, limits=patient).open_store()
    server.fail(r"POST .*git-receive-pack", drop="after")
    before = store.change("one", with_text(1, "a"))
    assert before.issues[1].text == "a"
    assert len(log(server.bare_repository)) == 1
    assert git_place.open_store().read() == before


def test_after_a_push_that_nobody_knows_the_end_of_the_state_is_read_again(
    git_place: GitPlace, server: ForgeServer
) -> None:
    store = git_place.open_store()
    server.fail(r"POST .*git-receive-pack", drop="after")
    server.fail(r"POST .*git-receive-pack", drop="before", times=10)  # the client itself sends it again
    with pytest.raises(Unreachable):
        store.change("one", with_text(1, "a"))
    server._faults.clear()
    assert store.read().issues[1].text == "a"
    assert store.change("two", with_text(2, "b")).issues.keys() == {1, 2}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("route", ["GET .*upload-pack", "POST .*upload-pack", "GET .*receive-pack", "POST .*receive-p"])
def test_a_server_that_stumbles_once_costs_a_try(
    git_place: GitPlace, server: ForgeServer, route: str, status: int
) -> None:
    git_place.open_store().change("start", with_text(1, "a"))
    server.fail(route, status=status)
    store = replace(git_place, limits=replace(IMPATIENT, pauses=(0.0, 0.0))).open_store()
    store.change("one", with_text(2, "b"))
    assert git_place.open_store().read().issues.keys() == {1, 2}
    assert len(log(server.bare_repository)) == 2


def test_a_known_state_is_read_without_a_fetch(git_place: GitPlace, server: ForgeServer) -> None:
    git_place.open_store().change("one", with_text(1, "a"))
    store = git_place.open_store()
    store.read()
    since = len(server.requests)
    first = store.read()
    assert git_requests(server, since) == ["GET info/refs?service=git-upload-pack", "POST git-upload-pack"]
    since = len(server.requests)
    assert store.change("two", with_text(1, "b")) != first
    store.read()
    assert git_requests(server, since).count("POST git-upload-pack") == 2  # two look-ups; what we wrote is known


def test_only_the_newest_commit_is_ever_fetched(git_place: GitPlace, server: ForgeServer, tmp_path: Path) -> None:
    writer = git_place.open_store()
    for number in range(1, 8):
        writer.change("more", with_text(number, "a"))
    folder = tmp_path / "reader"
    reader = GitStateStore(remote_of(server), Git(), folder, limits=IMPATIENT, patience=QUICK)
    assert len(reader.read().issues) == 7
    assert git(folder / "state.git", "rev-list", "--all", "--count") == "1"
    writer.change("more", with_text(8, "a"))
    assert len(reader.change("mine", with_text(9, "a")).issues) == 9
    assert git(folder / "state.git", "rev-list", "refs/coordinator/fetched", "--count") == "1"
    assert len(log(server.bare_repository)) == 9


def test_a_ref_that_a_person_deleted_is_an_empty_state(folder_place: GitPlace, bare: Path) -> None:
    store = folder_place.open_store()
    store.change("one", with_text(1, "a"))
    git(bare, "update-ref", "-d", STATE_REF)
    assert store.read() == State()
    assert store.change("two", with_text(2, "b")).issues.keys() == {2}
    assert folder_place.open_store().read().issues.keys() == {2}


def test_an_empty_repository_and_one_with_long_ids_can_keep_state(tmp_path: Path, clock: Clock) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    make_repository(tmp_path / "long", {})
    git(tmp_path, "init", "--quiet", "--bare", "--object-format=sha256", "long.git")
    git(tmp_path, "init", "--quiet", "--object-format=sha256", "long-source")
    git(tmp_path / "long-source", "commit", "--quiet", "--allow-empty", "--message", "Start")
    git(tmp_path / "long-source", "push", "--quiet", str(tmp_path / "long.git"), "main")
    for name in ("empty.git", "long.git"):
        place = GitPlace(GitRemote(url=str(tmp_path / name)), tmp_path, clock)
        place.open_store().change("one", with_text(1, "a"))
        store = place.open_store()
        assert store.change("two", with_text(2, "b")).issues.keys() == {1, 2}


BROKEN = {
    "no JSON": ({"totals.json": TOTALS, "issues/12.json": "{"}, r"issues/12\.json of refs/coordinator/state in"),
    "no totals": ({"issues/12.json": '{"number": 12}'}, r"totals\.json of refs/coordinator/state in"),
    "a wrong value": (
        {"totals.json": TOTALS, "issues/12.json": '{"number": 12, "answered": "no"}'},
        r"issues/12\.json .*\(answered: ",
    ),
    "too large": ({"totals.json": TOTALS, "issues/12.json": " " * 1_100_000}, r"issues/12\.json .* at most 1048576"),
}


@pytest.mark.parametrize(("files", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_with_what_to_do(
    folder_place: GitPlace, bare: Path, tmp_path: Path, files: Mapping[str, str], words: str
) -> None:
    push_state(bare, tmp_path / "person", files)
    store = folder_place.open_store()
    for _ in range(2):
        with pytest.raises(Misconfigured, match=words) as caught:
            store.read()
        assert f"git push {bare} :{STATE_REF}" in caught.value.mend
    with pytest.raises(Misconfigured, match=words):
        store.change("one", with_text(1, "a"))


def test_a_link_in_the_state_is_not_followed(folder_place: GitPlace, bare: Path, tmp_path: Path) -> None:
    person = make_repository(tmp_path / "person", {"totals.json": TOTALS, "issues/1.json": '{"number": 1}'})
    (person / "issues" / "2.json").symlink_to("1.json")
    git(person, "add", "--all")
    git(person, "commit", "--quiet", "--message", "Link")
    git(person, "push", "--quiet", str(bare), f"HEAD:{STATE_REF}")
    with pytest.raises(Misconfigured, match=r"issues/2\.json .* is no file"):
        folder_place.open_store().read()


def test_a_ref_that_is_no_commit_is_named(folder_place: GitPlace, bare: Path) -> None:
    git(bare, "update-ref", STATE_REF, write_blob(bare, b"text"))
    with pytest.raises(Misconfigured, match=r"refs/coordinator/state in .* is no commit"):
        folder_place.open_store().read()


def test_files_of_later_versions_stay(folder_place: GitPlace, bare: Path, tmp_path: Path) -> None:
    person = make_repository(tmp_path / "person", {"totals.json": TOTALS, "teams/a.json": "?" * 1_100_000})
    (person / "teams" / "b.json").symlink_to("a.json")
    push_state(bare, person, {"issues/1.json": '{"number":1}'})
    folder_place.open_store().change("one", with_text(2, "a"))
    names = git(bare, "ls-tree", "-r", "--name-only", STATE_REF).splitlines()
    assert names == ["issues/1.json", "issues/2.json", "teams/a.json", "teams/b.json", "totals.json"]


def test_a_token_that_may_only_read_reads_and_is_told_what_it_lacks(git_place: GitPlace, server: ForgeServer) -> None:
    git_place.open_store().change("one", with_text(1, "a"))
    reader = server.add_user("reader", "read")
    store = replace(git_place, remote=remote_of(server, token=reader.token)).open_store()
    assert store.read().issues.keys() == {1}
    with pytest.raises(
        Misconfigured, match=r"could not be written to refs/coordinator/state.*write:repository"
    ) as told:
        store.change("two", with_text(2, "b"))
    assert reader.token not in f"{told.value!r} {told.value} {told.value.__cause__!r}"
    assert git_place.open_store().read().issues.keys() == {1}


def test_a_wrong_token_is_refused(git_place: GitPlace, server: ForgeServer) -> None:
    with pytest.raises(Misconfigured, match="refused the token"):
        replace(git_place, remote=remote_of(server, token="wrong-0123456789")).open_store().read()


@pytest.mark.parametrize(
    "refuse",
    [
        {"config": ("receive.hideRefs", "refs/coordinator")},
        {"hook": "#!/bin/sh\necho 'GL-HOOK: only branches and tags' >&2\nexit 1\n"},
    ],
    ids=["hidden", "hook"],
)
def test_a_server_that_takes_no_such_ref_is_named(
    git_place: GitPlace, server: ForgeServer, refuse: Mapping[str, tuple[str, str] | str]
) -> None:
    if isinstance(config := refuse.get("config"), tuple):
        git(server.bare_repository, "config", *config)
    if isinstance(script := refuse.get("hook"), str):
        hook = server.bare_repository / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(script)
        hook.chmod(0o755)
    with pytest.raises(
        Misconfigured, match=r"could not be written to refs/coordinator/state: .*no hook or rule"
    ) as told:
        git_place.open_store().change("one", with_text(1, "a"))
    assert "\n" not in str(told.value)


def test_the_token_stands_in_no_file_no_command_line_and_no_message(bare: Path, tmp_path: Path) -> None:
    git(bare, "config", "http.receivepack", "true")
    authorization = f"token {FORGE_CANARY}"
    with git_server(bare.parent) as served:
        remote = GitRemote(url=f"{served.url}/bare.git", authorization=authorization)
        place = GitPlace(remote, tmp_path)
        place.open_store().change("one", with_text(1, "a"))
        place.open_store().change("two", with_text(2, "a"))
        served.status = 403
        with pytest.raises(CoordinatorError) as told:
            place.open_store().read()
    assert {sent for _, _, sent in served.requests} == {authorization}
    assert any(STATE_REF in lines for lines in served.command_lines)
    assert not any(FORGE_CANARY in lines for lines in served.command_lines)
    assert FORGE_CANARY not in str(told.value)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert FORGE_CANARY.encode() not in path.read_bytes(), path


def test_a_server_that_is_away_is_unreachable(tmp_path: Path, clock: Clock) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    place = GitPlace(GitRemote(url=f"http://127.0.0.1:{port}/r.git"), tmp_path, clock)
    with pytest.raises(Unreachable, match="did not get through"):
        place.open_store().read()
    with pytest.raises(Unreachable, match="did not get through"):
        place.open_store().change("one", with_text(1, "a"))
