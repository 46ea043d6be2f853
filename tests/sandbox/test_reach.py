"""Paths below closed folders: shown by a private view, or named before the first command."""

from __future__ import annotations

import os
import sys
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured, Unreachable
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.protocol import Command, Limits
from coordinator.sandbox.reach import NoView, Plan, Use, plan
from tests.sandbox.support import IS_ROOT, coordinator, sh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.sandbox.orders import Check, Cover
    from coordinator.sandbox.protocol import Sandbox
    from coordinator.sandbox.running import Launcher

OTHER_UID = 60999
"""One that owns nothing here."""

needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can give its commands another view")


@pytest.fixture(name="place")
def make_place() -> Iterator[Path]:
    """Make a folder that others can enter; those of pytest are closed."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(name="home")
def make_home(place: Path) -> Path:
    """Make a closed home with tools in it, next to something private."""
    home = place / "home"
    for name in ("tools/bin/tool", "private/key", "deep/closed/data/file", "plain"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\necho tool\n", encoding="utf-8")
        path.chmod(0o755)
    (home / "deep/closed").chmod(0o700)
    home.chmod(0o700)
    return home


def can_read(sandbox: Sandbox, *paths: Path) -> list[bool]:
    return [sh(sandbox, f"cat {path} || ls -U {path}").ok for path in paths]


@needs_root
def test_a_tool_in_a_closed_home_works_and_the_rest_stays_closed(home: Path, launcher: Launcher) -> None:
    with open_sandbox(visible=[home / "tools"], launcher=launcher) as sandbox:
        assert sh(sandbox, f"{home}/tools/bin/tool").stdout == b"tool\n"
        assert sh(sandbox, f"ls -A {home}").stdout == b"tools\n"
        assert can_read(sandbox, home / "private", home / "private/key", home / "plain") == [False] * 3
        assert not sh(sandbox, f"touch {home}/x || touch {home}/tools/x").ok
        assert f"private view of {home}" in sandbox.description
    assert sorted(os.listdir(home)) == ["deep", "plain", "private", "tools"]  # noqa: PTH208  (names are what is compared)
    assert not [line for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines() if str(home) in line]


@needs_root
def test_a_shown_folder_cannot_be_written_even_where_its_mode_allows(home: Path) -> None:
    (home / "tools").chmod(0o777)
    with open_sandbox(visible=[home / "tools"]) as sandbox:
        result = sh(sandbox, f"touch {home}/tools/x")
        assert b"Read-only" in result.stderr


@needs_root
def test_a_single_file_can_be_shown(home: Path, launcher: Launcher) -> None:
    with open_sandbox(visible=[home / "plain", home / "tools", home / "tools/bin/tool"], launcher=launcher) as sandbox:
        assert can_read(sandbox, home / "plain", home / "tools/bin/tool", home / "private/key") == [True, True, False]


@needs_root
def test_symbolic_links_on_the_way_are_shown_too(home: Path, launcher: Launcher) -> None:
    (home / "current").symlink_to("tools/../tools")
    (home / "first").symlink_to(home / "current")
    (home.parent / "outside").symlink_to("home/first/bin")
    with open_sandbox(visible=[home.parent / "outside"], launcher=launcher) as sandbox:
        assert sh(sandbox, f"{home.parent}/outside/tool").stdout == b"tool\n"
        assert sh(sandbox, f"{home}/first/bin/tool").stdout == b"tool\n"
        assert not can_read(sandbox, home / "plain")[0]


@needs_root
def test_a_closed_folder_itself_shows_what_is_in_it(home: Path, launcher: Launcher) -> None:
    (home / "link").symlink_to("plain")
    with open_sandbox(visible=[home], launcher=launcher) as sandbox:
        assert can_read(sandbox, home, home / "plain", home / "link", home / "private/key") == [True] * 4
        assert not can_read(sandbox, home / "deep/closed/data/file")[0]


@needs_root
def test_a_closed_folder_in_a_shown_one_is_opened_in_turn(home: Path, launcher: Launcher) -> None:
    wanted = [home / "deep", home / "deep/closed/data"]
    with open_sandbox(visible=wanted, launcher=launcher) as sandbox:
        assert can_read(sandbox, home / "deep/closed/data/file", home / "plain") == [True, False]


@needs_root
def test_the_sandboxs_own_folder_may_be_in_a_closed_place(home: Path, launcher: Launcher) -> None:
    with open_sandbox(folder=home / "private", visible=[home / "private"], launcher=launcher) as sandbox:
        folder = sandbox.make_folder("work")
        assert sh(sandbox, "touch $HOME/x $TMPDIR/y file && ls", cwd=folder).stdout == b"file\n"
        assert (folder / "file").exists()
        assert not sh(sandbox, f"touch {home}/private/key").ok
    assert os.listdir(home / "private") == ["key"]  # noqa: PTH208  (names are what is compared)


@needs_root
def test_a_folder_can_be_given_wherever_it_is(home: Path, launcher: Launcher) -> None:
    with open_sandbox(launcher=launcher) as sandbox:
        assert not can_read(sandbox, home / "tools")[0]
        sandbox.check_reachable(home / "tools")
        assert not sh(sandbox, f"touch {home}/tools/new").ok
        sandbox.give(home / "tools")
        assert sh(sandbox, f"touch {home}/tools/new").ok
        sandbox.check_reachable(home / "tools")
        assert sh(sandbox, f"touch {home}/tools/new").ok
        sandbox.take(home / "tools")
        assert (home / "tools/new").stat().st_uid == 0


@needs_root
def test_an_interpreter_in_a_closed_folder_runs(place: Path) -> None:
    closed = place / "closed"
    venv.create(closed / "venv", symlinks=True, with_pip=False)
    closed.chmod(0o700)
    with open_sandbox(visible=[closed / "venv", *interpreter_paths()]) as sandbox:
        argv = (str(closed / "venv/bin/python"), "-c", "import sys, json; print(sys.prefix)")
        result = sandbox.run(Command(argv=argv, cwd=Path("/"), limits=Limits(seconds=20)))
    assert result.stdout.decode() == f"{closed}/venv\n"


def test_the_interpreter_of_this_process_runs_whatever_its_place(sandbox: Sandbox) -> None:
    argv = (sys.executable, "-c", "import pydantic, ssl, sqlite3; print('fine')")
    result = sandbox.run(Command(argv=argv, cwd=Path("/"), limits=Limits(seconds=30)))
    assert result.stdout == b"fine\n", result


@needs_root
def test_folders_of_the_search_path_that_are_closed_are_left_out(home: Path) -> None:
    system, tools, missing = Path("/usr/bin"), home / "tools/bin", home / "missing"
    path = [Path(), missing, home / "private", tools, system, Path("/bin"), system]
    with open_sandbox(visible=[home / "tools"], search_path=path) as sandbox:
        assert sandbox.environment["PATH"] == f"{tools}:/usr/bin:/bin"
        assert sh(sandbox, "tool").stdout == b"tool\n"


@needs_root
def test_paths_of_passed_on_variables_are_seen_to(home: Path) -> None:
    passed = {"SSL_CERT_FILE": str(home / "plain"), "PIP_FIND_LINKS": f"/none {home}", "https_proxy": "http://[::1]:1"}
    with open_sandbox(passthrough=passed) as sandbox:
        assert sh(sandbox, 'cat "$SSL_CERT_FILE" && echo "$https_proxy"').stdout.endswith(b"http://[::1]:1\n")


@needs_root
def test_a_file_that_is_closed_itself_is_named(home: Path) -> None:
    (home / "plain").chmod(0o600)
    with pytest.raises(Misconfigured) as caught:
        open_sandbox(visible=[home / "plain"])
    assert f"cannot use {home / 'plain'}: {home / 'plain'} is closed to them" in caught.value.what
    assert f"chmod o+rx {home / 'plain'}" in caught.value.mend


def test_a_missing_path_and_a_circle_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(Misconfigured, match="a is a circle of symbolic links"):
        open_sandbox(visible=[tmp_path / "a"])
    with pytest.raises(Misconfigured, match="none does not exist"):
        open_sandbox(visible=[tmp_path / "none"])


@needs_root
def test_where_no_mounts_are_allowed_the_closed_folder_is_named(home: Path) -> None:
    script = f"""
with open_sandbox() as sandbox:
    print(sandbox.description)
    print(sh(sandbox, "id -u", network=Network.NONE).stdout)
    try:
        sandbox.check_reachable(Path({str(home / "tools")!r}))
    except Misconfigured as error:
        print(error)
    print(sh(sandbox, "echo still works").stdout)
"""
    described, uid, error, after = coordinator(script, "setpriv", "--bounding-set", "-sys_admin").splitlines()
    assert "network not held back here" in described
    assert described.startswith(f"uid {uid[2:-3]}, ")
    assert f"cannot use {home}/tools: {home} is closed to them. Open it with `chmod o+rx {home}`" in error
    assert after == "b'still works\\n'"


@needs_root
def test_root_that_may_not_change_its_uid_still_gets_a_sandbox_that_says_so(home: Path) -> None:
    script = f"""
with open_sandbox(visible=[Path({str(home / "tools")!r})]) as sandbox:
    print(sandbox.description)
    print(sh(sandbox, "id -u").stdout)
"""
    described, uid = coordinator(script, "setpriv", "--bounding-set", "-setuid").splitlines()
    assert described.startswith("the coordinator's own uid 0, ")
    assert "private view" not in described
    assert uid == "b'0\\n'"


@needs_root
def test_root_of_a_user_namespace_with_one_uid_still_gets_a_sandbox_that_says_so() -> None:
    script = "with open_sandbox() as sandbox: print(sandbox.description, sh(sandbox, 'id -u').stdout)"
    try:
        seen = coordinator(script, "unshare", "--user", "--map-root-user")
    except AssertionError as error:
        if "unshare" not in str(error):
            raise
        pytest.skip("user namespaces are not allowed here")
    assert "the coordinator's own uid 0" in seen
    assert "b'0\\n'" in seen


@needs_root
def test_a_shown_path_that_vanishes_is_gone_and_a_covered_folder_is_told(home: Path, launcher: Launcher) -> None:
    with open_sandbox(visible=[home / "tools", home / "plain"], launcher=launcher) as sandbox:
        (home / "tools").rename(home / "gone")
        assert can_read(sandbox, home / "tools", home / "plain") == [False, True]
        sandbox.check_reachable(home / "private")
        assert can_read(sandbox, home / "tools", home / "private/key") == [False, True]
        home.rename(home.parent / "moved")
        with pytest.raises(Unreachable, match=r"could not be confined: view: .*No such file"):
            sh(sandbox, "true")


def test_what_is_closed_by_its_mode_is_covered_at_the_first_question(home: Path) -> None:
    asked: list[list[str]] = []

    def probe(checks: list[Check], covers: list[Cover]) -> list[bool]:
        asked.append([cover["folder"] for cover in covers])
        return [True] * len(checks)

    wanted = {home / "tools": Use.READ, home / "plain": Use.READ, home.parent: Use.ENTER}
    assert plan(wanted, [], probe, "uid 1", OTHER_UID).covers
    assert not plan(wanted, [], probe, "uid 1", home.stat().st_uid).covers
    assert not plan(wanted, [], probe, "us").covers
    assert asked == [[str(home)], [], []]


def test_a_mode_that_says_closed_is_not_believed_where_no_mounts_are_allowed(home: Path) -> None:
    def probe(checks: list[Check], covers: list[Cover]) -> list[bool]:
        if covers:
            raise NoView
        return [check["path"] != str(home / "plain") for check in checks]

    assert plan({home / "tools": Use.READ}, [home / "plain"], probe, "uid 1", OTHER_UID) == Plan((), frozenset())
    with pytest.raises(Misconfigured, match=f"cannot use {home / 'plain'}: {home / 'plain'} is closed"):
        plan({home / "plain": Use.READ}, [], probe, "uid 1", OTHER_UID)


@needs_root
def test_closed_folders_without_end_are_given_up(place: Path) -> None:
    wanted: list[Path] = []
    folder = place
    for _ in range(6):
        folder = folder / "closed" / "shown"
        folder.mkdir(parents=True)
        wanted.append(folder)
    for path in wanted:
        path.parent.chmod(0o700)
    with pytest.raises(Misconfigured, match="closed is closed to them"):
        open_sandbox(visible=wanted)


@needs_root
def test_groups_of_the_coordinator_are_left_behind() -> None:
    script = "with open_sandbox() as sandbox: print(sh(sandbox, 'id -G').stdout)"
    groups = coordinator(script, "setpriv", "--groups", "4,20")
    assert len(groups.split()) == 1


@needs_root
def test_limits_of_the_runner_hold_without_the_right_to_raise_them() -> None:
    script = "with open_sandbox() as sandbox: print(sh(sandbox, 'ulimit -f; ulimit -n; ulimit -c').stdout)"
    prefix = (
        "prlimit",
        "--fsize=1048576",
        "--nofile=100",
        "--core=1048576",
        "setpriv",
        "--bounding-set",
        "-sys_resource",
    )
    assert coordinator(script, *prefix) == "b'1024\\n100\\n0\\n'\n"
