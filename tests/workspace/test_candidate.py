"""What the agent may leave in its checkout, and what of it gets into the commit."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.workspace.changes import Change, ChangeLimits, object_id
from coordinator.workspace.commit import write_tree
from tests.support import commit_files, git, make_repository, write_files
from tests.workspace.parts import OPTIONS, git_bytes, open_workspace, write_blob, write_tree_of
from tests.workspace.test_objects import poison

if TYPE_CHECKING:
    from coordinator.workspace.protocol import Candidate
    from coordinator.workspace.workspace import Workspace


@pytest.fixture
def workspace(source: Path, tmp_path: Path) -> Workspace:
    return open_workspace(str(source), tmp_path)


def content(workspace: Workspace, candidate: Candidate, path: str) -> bytes | None:
    return workspace.repository.read_file(candidate.commit, path)


def modes(workspace: Workspace, candidate: Candidate) -> dict[str, str]:
    return {entry.path: entry.mode for entry in workspace.repository.entries(candidate.commit)}


def limited(source: Path, folder: Path, limits: ChangeLimits, protected: tuple[str, ...] = ()) -> Workspace:
    options = replace(OPTIONS, changes=limits, protected_paths=protected)
    return open_workspace(str(source), folder, options=options)


def test_an_untouched_checkout_is_an_empty_candidate(workspace: Workspace) -> None:
    candidate = workspace.candidate("Nothing")
    assert candidate.empty
    assert candidate.commit == candidate.base == workspace.base_commit
    assert candidate.tree == workspace.repository.tree_of(workspace.base_commit)
    assert (candidate.insertions, candidate.deletions, candidate.refused_files) == (0, 0, ())


def test_changed_new_and_deleted_files_become_one_commit(workspace: Workspace, source: Path) -> None:
    write_files(workspace.checkout, {"src/app.py": "x = 1\nz = 3\n", "src/new/a.py": "a\n", "build/more.txt": "m\n"})
    (workspace.checkout / "src" / "util.py").unlink()
    candidate = workspace.candidate("Add z\n\nBecause.")
    assert candidate.changed_files == ("build/more.txt", "src/app.py", "src/new/a.py", "src/util.py")
    assert (candidate.insertions, candidate.deletions) == (3, 1)
    assert content(workspace, candidate, "src/new/a.py") == b"a\n"
    assert "src/util.py" not in modes(workspace, candidate)
    shown = git(workspace.repository.git_dir, "show", "-s", "--format=%P|%an|%ae|%cn|%ce|%B", candidate.commit)
    me = "coordinator|coordinator@noreply.invalid"
    assert shown.rstrip("\n") == f"{git(source, 'rev-parse', 'HEAD')}|{me}|{me}|Add z\n\nBecause.\n\nIssue: #7"
    assert candidate.tree == git(workspace.repository.git_dir, "rev-parse", f"{candidate.commit}^{{tree}}")


def test_git_itself_finds_the_commit_sound(workspace: Workspace) -> None:
    write_files(workspace.checkout, {"ä/ö.txt": "1\n", "a-b/c": "2\n", "a/b": "3\n", '"quoted"': "4\n"})
    candidate = workspace.candidate("Names")
    assert len(candidate.changed_files) == 4
    git(workspace.repository.git_dir, "fsck", "--strict", "--no-dangling", candidate.commit)


def test_the_agents_own_commits_and_git_directory_do_not_matter(workspace: Workspace, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    checkout = workspace.checkout
    write_files(checkout, {"src/app.py": "x = 7\n"})
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "Maintainer work", "--author", "Maintainer <m@example.org>")
    poison(checkout, marker)
    first = workspace.candidate("Mine")
    shutil.rmtree(checkout / ".git")
    (checkout / ".git").write_text("gitdir: /proc/self/cwd\n")
    second = workspace.candidate("Mine")
    assert first.tree == second.tree
    assert first.changed_files == ("src/app.py",)
    assert "Maintainer" not in git(workspace.repository.git_dir, "show", "-s", first.commit)
    assert not marker.exists()


def test_filters_and_attributes_of_the_agent_do_not_change_a_byte(workspace: Workspace, tmp_path: Path) -> None:
    text = "a\r\nb\n$Id$\n"
    write_files(workspace.checkout, {".gitattributes": "* text eol=lf filter=evil ident\n"})
    (workspace.checkout / "crlf.txt").write_bytes(text.encode())
    git(workspace.checkout, "config", "filter.evil.clean", f"touch {tmp_path}/marker")
    candidate = workspace.candidate("CRLF")
    assert content(workspace, candidate, "crlf.txt") == text.encode()
    assert not (tmp_path / "marker").exists()


def test_repositories_inside_are_refused_and_run_nothing(workspace: Workspace, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    nested = make_repository(workspace.checkout / "nested", {"a": "b"})
    poison(nested, marker)
    git(workspace.checkout, "init", "--quiet", "--bare", "bare")
    write_files(workspace.checkout, {"src/.git/config": "[core]\n", "src/new.py": "n\n", "odd/.GIT": "gitdir: x\n"})
    candidate = workspace.candidate("Nested")
    assert candidate.changed_files == ("src/new.py",)
    assert candidate.refused_files == (
        "bare/: a repository of its own",
        "nested/: a repository of its own",
        "odd/: a repository of its own",
        "src/.git: a name that belongs to git",
    )
    assert not marker.exists()


def test_a_submodule_stays_what_it_is(source: Path, tmp_path: Path) -> None:
    tip = git(source, "rev-parse", "HEAD")
    git(source, "update-index", "--add", "--cacheinfo", f"160000,{tip},sub")
    git(source, "commit", "--quiet", "--message", "Submodule")
    workspace = open_workspace(str(source), tmp_path)
    write_files(
        workspace.checkout, {"sub/evil.py": "e\n", ".gitmodules": '[submodule "x"]\n\tupdate = !cmd\n', "a": "1"}
    )
    candidate = workspace.candidate("Submodule")
    assert candidate.changed_files == ("a",)
    assert modes(workspace, candidate)["sub"] == "160000"
    assert candidate.refused_files == (".gitmodules: protected: no run may change it",)


@pytest.mark.parametrize(
    "path",
    [
        ".gitea/workflows/new.yml",
        ".GitHub/workflows/x.yml",
        ".forgejo/workflows/x.yml",
        ".gitea/actions/a/action.yml",
        "CODEOWNERS",
        "action.yml",
        ".pre-commit-config.yaml",
        ".npmrc",
        "pip.conf",
        "CLAUDE.md",
        "AGENTS.md",
        "infra/prod.tf",
    ],
)
def test_protected_paths_are_refused_and_listed(source: Path, tmp_path: Path, path: str) -> None:
    workspace = limited(source, tmp_path, ChangeLimits(), ("infra/**",))
    write_files(workspace.checkout, {path: "evil\n", "fine.py": "f\n"})
    candidate = workspace.candidate("Evil")
    assert candidate.changed_files == ("fine.py",)
    assert candidate.refused_files == (f"{path}: protected: no run may change it",)


def test_a_protected_file_keeps_its_version_through_every_trick(source: Path, tmp_path: Path) -> None:
    path = ".gitea/workflows/ci.yml"
    commit_files(source, {"infra/a": "1\n", "infra/b": "1\n"})
    workspace = limited(source, tmp_path, ChangeLimits(), ("infra/*",))
    checkout = workspace.checkout
    for trick in ("edit", "delete", "link", "file for folder", "pipe"):
        shutil.rmtree(checkout / ".gitea", ignore_errors=True)
        if trick == "file for folder":
            (checkout / ".gitea").write_text("x")
        else:
            (checkout / ".gitea" / "workflows").mkdir(parents=True)
        if trick == "edit":
            (checkout / path).write_text("evil\n")
        elif trick == "link":
            (checkout / path).symlink_to("../../README.md")
        elif trick == "pipe":
            os.mkfifo(checkout / path)
        candidate = workspace.candidate(trick)
        assert content(workspace, candidate, path) == b"on: push\n", trick
        assert any(line.startswith(".gitea") for line in candidate.refused_files), trick
        (checkout / ".gitea").unlink() if trick == "file for folder" else None
    shutil.rmtree(checkout / "infra")
    (checkout / "infra").write_text("a file where a protected folder was\n")
    candidate = workspace.candidate("Collision")
    assert content(workspace, candidate, "infra/a") == b"1\n"
    assert "infra: what may not be changed is in its way" in candidate.refused_files


def test_a_file_may_become_a_folder_and_a_folder_a_file(workspace: Workspace) -> None:
    checkout = workspace.checkout
    (checkout / "README.md").unlink()
    write_files(checkout, {"README.md/part.md": "p\n"})
    shutil.rmtree(checkout / "src")
    (checkout / "src").write_text("s\n")
    candidate = workspace.candidate("Swap")
    assert candidate.changed_files == ("README.md", "README.md/part.md", "src", "src/app.py", "src/util.py")
    assert candidate.refused_files == ()
    assert {"README.md/part.md", "src"} <= set(modes(workspace, candidate))


def test_links_may_stay_inside_only(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    checkout = workspace.checkout
    (checkout / "good").symlink_to("src/app.py")
    (checkout / "src" / "up").symlink_to("../README.md")
    for name, target in {
        "absolute": str(tmp_path / "secret"),
        "climbing": "../secret",
        "winding": "src/../../secret",
        "proc": "/proc/self/environ",
        ".gitattributes": "README.md",
    }.items():
        (checkout / name).symlink_to(target)
    (checkout / "src" / "util.py").unlink()
    (checkout / "src" / "util.py").symlink_to("/etc/passwd")
    candidate = workspace.candidate("Links")
    assert candidate.changed_files == ("good", "src/up")
    assert modes(workspace, candidate)["good"] == "120000"
    assert len(candidate.refused_files) == 6
    assert content(workspace, candidate, "src/util.py") == b"y = 2\n"
    assert git_bytes(workspace.repository.git_dir, "cat-file", "blob", f"{candidate.commit}:src/up") == b"../README.md"


def test_a_folder_behind_a_link_is_not_read(workspace: Workspace, tmp_path: Path) -> None:
    write_files(tmp_path / "outside", {"app.py": "secret\n", "util.py": "secret\n", "more.py": "secret\n"})
    shutil.rmtree(workspace.checkout / "src")
    (workspace.checkout / "src").symlink_to(tmp_path / "outside")
    candidate = workspace.candidate("Link")
    assert candidate.changed_files == ("src/app.py", "src/util.py")
    assert candidate.deletions == 2
    assert candidate.refused_files == ("src: a symbolic link that leads out of the repository",)
    assert b"secret" not in git_bytes(workspace.repository.git_dir, "cat-file", "--batch-all-objects", "--batch")


def test_what_is_no_file_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    checkout = workspace.checkout
    os.mkfifo(checkout / "pipe")
    (checkout / "src" / "util.py").unlink()
    os.mkfifo(checkout / "src" / "util.py")
    (tmp_path / "secret").write_text("secret")
    os.link(tmp_path / "secret", checkout / "hard")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(checkout)
        listener.bind("socket")
        os.chdir(here)
        candidate = workspace.candidate("Odd")
    assert candidate.empty
    assert [line.partition(":")[0] for line in candidate.refused_files] == ["hard", "pipe", "socket", "src/util.py"]


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "back\\slash", "bidi\u202e", os.fsdecode(b"\xff")])
def test_bad_names_are_refused_and_shown_escaped(workspace: Workspace, name: str) -> None:
    (workspace.checkout / name).write_text("x")
    candidate = workspace.candidate("Name")
    assert candidate.empty
    (line,) = candidate.refused_files
    assert line.isprintable()


@pytest.mark.parametrize("name", [".GIT", ".git ", "git~1", ".g\u200cit"])
def test_lookalikes_of_git_never_get_in(workspace: Workspace, name: str) -> None:
    write_files(workspace.checkout, {f"{name}/hooks/x": "evil\n", f"sub/{name}/config": "evil\n"})
    candidate = workspace.candidate("Git")
    assert candidate.empty
    assert candidate.refused_files == ("sub/: a repository of its own",)


def test_git_refuses_a_bad_path_even_if_we_would_not(workspace: Workspace) -> None:
    like = workspace.base_commit
    for path in (".git/config", "../x", "a/.GIT/hooks/x", "/abs", ".g\u200cit/x", "git~1/x"):
        change = Change(path, "100644", object_id(b"x", like), b"x")
        with pytest.raises(ValueError, match="git did not take"):
            write_tree(workspace.repository, like, [change])


def test_a_tracked_file_with_a_bad_name_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    blob = write_blob(source, b"x\n")
    tree = write_tree_of(source, f"100644 blob {blob}\tb".encode() + b"\xff", f"100644 blob {blob}\ta".encode())
    git(source, "update-ref", "refs/heads/main", git(source, "commit-tree", tree, "-m", "x"))
    workspace = open_workspace(str(source), tmp_path)
    assert workspace.candidate("Nothing").empty
    (workspace.checkout / os.fsdecode(b"b\xff")).unlink()
    candidate = workspace.candidate("Deleted")
    assert candidate.empty
    assert candidate.refused_files == ("b\\udcff: the name is not UTF-8",)


def test_entries_that_could_not_be_written_are_not_deleted(source: Path, tmp_path: Path) -> None:
    (source / "absolute").symlink_to("/etc/hostname")
    (source / "inside").symlink_to("README.md")
    commit_files(source, {})
    workspace = open_workspace(str(source), tmp_path)
    write_files(workspace.checkout, {"new": "n\n"})
    candidate = workspace.candidate("New")
    assert candidate.changed_files == ("new",)
    write_files(workspace.checkout, {"absolute": "now a file\n"})
    assert workspace.candidate("File").changed_files == ("absolute", "new")


def test_executable_only_if_it_was_or_if_it_is_a_script(source: Path, tmp_path: Path) -> None:
    write_files(source, {"run": "#!/bin/sh\n", "tool": "binary\n"})
    for name in ("run", "tool"):
        (source / name).chmod(0o755)
    commit_files(source, {})
    workspace = open_workspace(str(source), tmp_path)
    checkout = workspace.checkout
    assert workspace.candidate("Nothing").empty
    write_files(checkout, {"script": "#!/bin/sh\n", "data": "d\n", "tool": "changed\n"})
    for name in ("script", "data", "README.md", "src/app.py"):
        (checkout / name).chmod(0o755)
    write_files(checkout, {"src/app.py": "#!/usr/bin/python\n"})
    (checkout / "run").chmod(0o644)
    candidate = workspace.candidate("Modes")
    found = modes(workspace, candidate)
    assert candidate.changed_files == ("data", "run", "script", "src/app.py", "tool")
    assert {name for name, mode in found.items() if mode == "100755"} == {"script", "src/app.py", "tool"}


def test_caches_are_silent_and_build_leftovers_are_named(workspace: Workspace) -> None:
    caches = (
        "__pycache__/a.pyc .mypy_cache/x .ruff_cache/x .pytest_cache/x htmlcov/i.html .tox/x .nox/x .venv/bin/python"
    )
    files = (
        f"{caches} venv/x node_modules/m/i.js src/__pycache__/b.pyc c.pyc .coverage .coverage.1 coverage.xml .DS_Store"
    )
    leftovers = (
        "src/x.egg-info/PKG-INFO dist/x.whl sub/build/lib/x.py build/lib/y.py debug.log data/big.bin src/data/fine.py"
    )
    write_files(workspace.checkout, dict.fromkeys([*files.split(), *leftovers.split()], "x\n"))
    candidate = workspace.candidate("Leftovers")
    assert candidate.changed_files == ("build/lib/y.py", "src/data/fine.py")
    assert candidate.refused_files == ()
    assert candidate.left_out == (
        "data/big.bin: ignored by the base's .gitignore",
        "debug.log: ignored by the base's .gitignore",
        "dist/: left by a build",
        "sub/build/: left by a build",
    )


def test_tracked_files_count_whatever_ignores_them(source: Path, tmp_path: Path) -> None:
    write_files(source, {"kept.log": "1\n", "src/__pycache__/kept.pyc": "1\n"})
    git(source, "add", "--force", "--all")
    commit_files(source, {})
    workspace = open_workspace(str(source), tmp_path)
    write_files(
        workspace.checkout, {"kept.log": "2\n", "src/__pycache__/kept.pyc": "2\n", "src/__pycache__/n.pyc": "n"}
    )
    assert workspace.candidate("Kept").changed_files == ("kept.log", "src/__pycache__/kept.pyc")


def test_the_agents_own_ignore_rules_hide_and_free_nothing(workspace: Workspace) -> None:
    write_files(workspace.checkout, {".gitignore": "*.py\n!debug.log\n", "hidden.py": "h\n", "debug.log": "d\n"})
    write_files(workspace.checkout, {"sub/.gitignore": "*\n", "sub/x": "x\n"})
    candidate = workspace.candidate("Rules")
    assert candidate.changed_files == (".gitignore", "hidden.py", "sub/.gitignore", "sub/x")
    assert candidate.left_out == ("debug.log: ignored by the base's .gitignore",)


def test_rules_of_folders_apply_and_names_are_no_magic(source: Path, tmp_path: Path) -> None:
    commit_files(source, {"src/.gitignore": "/local/\n!important.log\n"})
    workspace = open_workspace(str(source), tmp_path)
    names = ["src/local/x", "local/x", "src/important.log", ":(glob)x", ":!y", "-z", "[a]", ":(glob)q.log"]
    write_files(workspace.checkout, dict.fromkeys(names, "x\n"))
    candidate = workspace.candidate("Rules")
    assert candidate.changed_files == ("-z", ":!y", ":(glob)x", "[a]", "local/x", "src/important.log")
    assert [line.partition(": ")[0] for line in candidate.left_out] == [":(glob)q.log", "src/local/x"]


def test_large_files_long_lines_and_large_binaries_are_refused(source: Path, tmp_path: Path) -> None:
    limits = ChangeLimits(file_bytes=5000, binary_bytes=1000, line_bytes=2000)
    workspace = limited(source, tmp_path, limits)
    checkout = workspace.checkout
    (checkout / "large").write_bytes(b"x\n" * 2501)
    (checkout / "fits").write_bytes(b"x\n" * 2500)
    (checkout / "line").write_bytes(b"a\n" + b"x" * 2000 + b"\n")
    (checkout / "short").write_bytes(b"a\n" + b"x" * 1999 + b"\n")
    (checkout / "binary").write_bytes(b"\0" * 1001)
    (checkout / "icon").write_bytes(b"\0" * 1000)
    (checkout / "src" / "app.py").write_bytes(b"x\n" * 9000)
    candidate = workspace.candidate("Sizes")
    assert candidate.changed_files == ("fits", "icon", "short")
    assert candidate.refused_files == (
        "binary: a binary file of 1001 bytes, more than the 1000 allowed",
        "large: 5002 bytes, more than the 5000 allowed",
        "line: a line of 2000 bytes or more",
        "src/app.py: 18000 bytes, more than the 5000 allowed",
    )


def test_a_large_tracked_file_may_stay_and_be_deleted(source: Path, tmp_path: Path) -> None:
    (source / "asset").write_bytes(b"\0" * 9000)
    commit_files(source, {})
    workspace = limited(source, tmp_path, ChangeLimits(file_bytes=5000))
    assert workspace.candidate("Nothing").empty
    (workspace.checkout / "asset").write_bytes(b"\1" * 9000)
    assert workspace.candidate("Same size").refused_files == ("asset: 9000 bytes, more than the 5000 allowed",)
    (workspace.checkout / "asset").unlink()
    assert workspace.candidate("Deleted").changed_files == ("asset",)


def test_the_number_of_files_is_bounded(source: Path, tmp_path: Path) -> None:
    workspace = limited(source, tmp_path, ChangeLimits(files=3))
    write_files(workspace.checkout, {f"f{number}": "x\n" for number in range(6)})
    (workspace.checkout / "README.md").unlink()
    candidate = workspace.candidate("Many")
    assert candidate.changed_files == ("README.md", "f0", "f1")
    assert candidate.refused_files == ("f2: this and every later change: more than 3 changed files",)


def test_the_sum_of_the_change_is_bounded(source: Path, tmp_path: Path) -> None:
    workspace = limited(source, tmp_path, ChangeLimits(total_bytes=10))
    write_files(workspace.checkout, {"a": "12345", "b": "12345", "c": "1"})
    candidate = workspace.candidate("Much")
    assert candidate.changed_files == ("a", "b")
    assert candidate.refused_files == ("c: this and every later change: more than 10 bytes of change altogether",)


def test_the_default_bounds_are_those_promised() -> None:
    limits = ChangeLimits()
    assert (limits.files, limits.total_bytes, limits.file_bytes) == (5000, 50 * 1024**2, 10 * 1024**2)


def test_endless_entries_are_not_looked_at_but_tracked_files_still_count(source: Path, tmp_path: Path) -> None:
    workspace = limited(source, tmp_path, ChangeLimits(new_entries=20))
    write_files(workspace.checkout, {f"many/f{number}": "x\n" for number in range(100)})
    write_files(workspace.checkout, {"src/app.py": "x = 2\n"})
    candidate = workspace.candidate("Endless")
    assert "src/app.py" in candidate.changed_files
    assert len(candidate.changed_files) <= 21
    assert candidate.refused_files == (".: more than 20 new entries: the rest was not looked at",)


def test_depth_is_bounded(source: Path, tmp_path: Path) -> None:
    workspace = limited(source, tmp_path, ChangeLimits(depth=3))
    write_files(workspace.checkout, {"a/b/c/fine": "x\n", "a/b/c/d/deep": "x\n"})
    candidate = workspace.candidate("Deep")
    assert candidate.changed_files == ("a/b/c/fine",)
    assert candidate.refused_files == ("a/b/c/d/: deeper than 3 folders",)


def test_a_very_deep_checkout_is_survived(workspace: Workspace) -> None:
    folder = os.open(workspace.checkout, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    candidate = workspace.candidate("Deep")
    remove = ["rm", "-rf", str(workspace.checkout / "d")]  # shutil.rmtree would recurse too deep
    subprocess.run(remove, check=True)
    assert candidate.empty
    assert len(candidate.refused_files) == 1


def test_many_refusals_are_counted(workspace: Workspace) -> None:
    for number in range(130):
        (workspace.checkout / f"link{number:03}").symlink_to("/etc/passwd")
    refused = workspace.candidate("Links").refused_files
    assert len(refused) == 101
    assert refused[-1] == "and 30 more"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_keeps_its_version(workspace: Workspace) -> None:
    closed = workspace.checkout / "src"
    write_files(workspace.checkout, {"private/x": "x"})
    for folder in (closed, workspace.checkout / "private"):
        folder.chmod(0)
    try:
        candidate = workspace.candidate("Closed")
    finally:
        closed.chmod(0o755)
        (workspace.checkout / "private").chmod(0o755)
    assert candidate.empty
    assert len(candidate.refused_files) == 4


def test_an_unchanged_checkout_of_three_thousand_files_costs_less_than_opening_it(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "big", {f"d{n % 40}/f{n}": f"{n}\n" for n in range(3000)})
    started = time.monotonic()
    workspace = open_workspace(str(source), tmp_path)
    opened = time.monotonic() - started
    started = time.monotonic()
    assert workspace.candidate("Nothing").empty
    assert time.monotonic() - started < opened
