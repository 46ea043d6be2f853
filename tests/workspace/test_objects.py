from __future__ import annotations

import hashlib
import os
import zlib
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.workspace.export import export
from coordinator.workspace.git import GitFailed
from coordinator.workspace.objects import TrustedRepository
from tests.support import commit_files, git
from tests.workspace.parts import snapshot, write_tree_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MISSING = "1" * 40


@pytest.fixture
def repository(source: Path) -> TrustedRepository:
    return TrustedRepository.discover(source)


def test_a_repository_is_found_from_a_folder_inside_it(source: Path) -> None:
    assert TrustedRepository.discover(source / "src").git_dir == source / ".git"


def test_a_bare_repository_is_found(source: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(source), "bare.git")
    bare = TrustedRepository.discover(tmp_path / "bare.git")
    assert bare.resolve() == git(source, "rev-parse", "HEAD")


def test_a_folder_inside_a_bare_repository_is_none_of_it(source: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(source), "bare.git")
    with pytest.raises(Misconfigured, match="is not a git repository"):
        TrustedRepository.discover(tmp_path / "bare.git" / "refs")


def test_a_linked_work_tree_has_its_own_head(source: Path, tmp_path: Path) -> None:
    git(source, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    commit = commit_files(tmp_path / "linked", {"x": "1"})
    assert TrustedRepository.discover(tmp_path / "linked").resolve() == commit


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_repository_of_another_user_is_read(source: Path) -> None:
    for path in (source, *source.rglob("*")):
        os.lchown(path, 12345, 12345)
    assert TrustedRepository.discover(source).resolve() == git(source, "rev-parse", "HEAD")


def test_what_is_no_repository_is_told_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("", "missing", "file"):
        with pytest.raises(Misconfigured, match=r"is not a git repository.*git init"):
            TrustedRepository.discover(tmp_path / place)


def test_a_repository_without_commits_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(Misconfigured, match="has no commits"):
        TrustedRepository.discover(tmp_path).resolve()


@pytest.mark.parametrize("name", ["nowhere", "--help", "HEAD:README.md", "-x"])
def test_a_revision_that_is_not_there_is_named(repository: TrustedRepository, name: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        repository.resolve(name)


def test_names_become_commits_and_trees(source: Path, repository: TrustedRepository) -> None:
    git(source, "tag", "-a", "v1", "-m", "v1")
    commit = git(source, "rev-parse", "HEAD")
    assert repository.resolve("v1") == repository.resolve("main") == repository.resolve() == commit
    assert repository.tree_of(commit) == git(source, "rev-parse", "HEAD^{tree}")


def test_a_wrong_object_id_is_a_failure(repository: TrustedRepository) -> None:
    with pytest.raises(GitFailed):
        repository.entries(MISSING)


def test_merge_bases(source: Path, repository: TrustedRepository) -> None:
    first = repository.resolve()
    second = commit_files(source, {"a": "1"})
    git(source, "checkout", "--quiet", "-b", "side", first)
    side = commit_files(source, {"b": "1"})
    git(source, "checkout", "--quiet", "--orphan", "other")
    other = commit_files(source, {"c": "1"})
    assert repository.merge_base(second, side) == first
    assert repository.merge_base(second, other) is None
    assert repository.is_ancestor(first, side)
    assert not repository.is_ancestor(second, side)


def test_entries_have_mode_id_and_size(source: Path, repository: TrustedRepository) -> None:
    (source / "run").write_text("#!/bin/sh\n")
    (source / "run").chmod(0o755)
    (source / "link").symlink_to("run")
    git(source, "update-index", "--add", "--cacheinfo", f"160000,{MISSING},sub")
    commit_files(source, {"tab\tname": "1\n"})
    found = {entry.path: entry for entry in repository.entries("HEAD")}
    assert found["run"].is_executable
    assert found["run"].size == 10
    assert not found["README.md"].is_executable
    assert not found["link"].is_file
    assert found["tab\tname"].object_id == git(source, "rev-parse", "HEAD:tab\tname")


def test_submodules_have_no_size(source: Path, repository: TrustedRepository) -> None:
    tree = write_tree_of(source, f"160000 commit {MISSING}\tsub".encode())
    (entry,) = repository.entries(tree)
    assert (entry.mode, entry.object_id, entry.size, entry.is_file) == ("160000", MISSING, 0, False)


def test_files_are_read_at_a_commit(source: Path, repository: TrustedRepository) -> None:
    first = repository.resolve()
    (source / "link").symlink_to("README.md")
    commit_files(source, {"README.md": "new\n", ":(top)odd": "odd\n"})
    assert repository.read_file(first, "README.md") == b"# Sample\n"
    assert repository.read_file("HEAD", "README.md") == b"new\n"
    assert repository.read_file("HEAD", ":(top)odd") == b"odd\n"
    for path in ("missing", "src", "link", "src/", "*"):
        assert repository.read_file("HEAD", path) is None


def test_a_file_that_is_too_large_is_not_read(repository: TrustedRepository) -> None:
    with pytest.raises(Misconfigured, match=r"README.md has 9 bytes"):
        repository.read_file("HEAD", "README.md", limit=8)


def test_blobs_come_in_the_order_asked_for(source: Path, repository: TrustedRepository) -> None:
    ids = [git(source, "rev-parse", f"HEAD:{path}") for path in ("src/util.py", "README.md", "src/util.py")]
    assert [blob.read() for blob in repository.blobs(ids)] == [b"y = 2\n", b"# Sample\n", b"y = 2\n"]
    assert list(repository.blobs([])) == []


def test_a_missing_object_is_told_with_the_mend(repository: TrustedRepository) -> None:
    with pytest.raises(Misconfigured, match=r"lacks the object 111.*git fetch --refetch"):
        list(repository.blobs([MISSING]))


def test_differences(source: Path, repository: TrustedRepository) -> None:
    first = repository.resolve()
    (source / "src" / "util.py").unlink()
    (source / "blob").write_bytes(b"\0" * 10)
    commit_files(source, {"src/app.py": "x = 1\nz = 3\n", "ä": "1\n"})
    assert repository.changed_files(first, "HEAD") == ("blob", "src/app.py", "src/util.py", "ä")
    assert repository.line_counts(first, "HEAD") == (2, 1)
    patch = repository.diff(first, "HEAD")
    assert "+z = 3" in patch
    assert "\x1b" not in patch
    assert repository.diff(first, "HEAD", limit=20).endswith("[cut off after 20 bytes]\n")
    assert repository.changed_files(first, first) == ()
    assert repository.line_counts(first, first) == (0, 0)
    assert repository.diff(first, first) == ""


def poison(folder: Path, marker: Path) -> None:
    """Make a repository run something for whatever is done in it."""
    touch = f"touch {marker}"
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    samples = "pre-receive update post-receive post-update reference-transaction post-index-change post-checkout"
    for name in (*samples.split(), "pre-commit", "pre-push", "push-to-checkout", "proc-receive", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\n{touch}\nexit 1\n")
        (hooks / name).chmod(0o755)
    settings = {
        "core.hooksPath": str(hooks),
        "core.fsmonitor": touch,
        "core.pager": touch,
        "core.editor": touch,
        "core.sshCommand": touch,
        "core.alternateRefsCommand": touch,
        "core.askPass": touch,
        "credential.helper": f"!{touch}",
        "diff.external": touch,
        "diff.evil.command": touch,
        "diff.evil.textconv": touch,
        "filter.evil.clean": touch,
        "filter.evil.smudge": touch,
        "gpg.program": touch,
        "commit.gpgSign": "true",
        "log.showSignature": "true",
        "uploadpack.packObjectsHook": touch,
        "remote.origin.uploadpack": touch,
        "remote.origin.receivepack": touch,
        "protocol.ext.allow": "always",
        "pager.diff-tree": touch,
        "gc.auto": "1",
    }
    for key, value in settings.items():
        git(folder, "config", key, value)
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil\n")


def test_reading_a_poisoned_repository_runs_nothing_and_writes_nothing(source: Path, tmp_path: Path) -> None:
    first = git(source, "rev-parse", "HEAD")
    commit_files(source, {"src/app.py": "x = 5\n"})
    marker = tmp_path / "marker"
    poison(source, marker)
    before = snapshot(source)
    repository = TrustedRepository.discover(source)
    head = repository.resolve()
    repository.read_file(head, "src/app.py")
    repository.entries(head)
    repository.changed_files(first, head)
    repository.line_counts(first, head)
    assert "+x = 5" in repository.diff(first, head)
    assert not marker.exists()
    assert snapshot(source) == before


def test_a_missing_object_is_fetched_by_nobody(tmp_path: Path, source: Path) -> None:
    marker = tmp_path / "marker"
    git(tmp_path, "clone", "--quiet", "--bare", str(source), "partial.git")
    partial = tmp_path / "partial.git"
    git(source, "config", "uploadpack.allowAnySHA1InWant", "true")
    missing = commit_files(source, {"later": "1"})
    for key, value in (
        ("remote.origin.url", f"ext::sh -c touch% {marker}"),
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
        ("core.repositoryFormatVersion", "1"),
        ("protocol.ext.allow", "always"),
    ):
        git(partial, "config", key, value)
    with pytest.raises(Misconfigured, match=r"a partial clone.*git fetch --refetch"):
        list(TrustedRepository(partial).blobs([missing]))
    assert not marker.exists()


READERS: dict[str, Callable[[TrustedRepository, str, str], object]] = {
    "entries": lambda repository, old, _: repository.entries(old),
    "entry": lambda repository, old, _: repository.entry(old, "src/app.py"),
    "file": lambda repository, old, _: repository.read_file(old, "src/app.py"),
    "counts": lambda repository, old, new: repository.line_counts(old, new),
    "diff": lambda repository, old, new: repository.diff(old, new),
    "stat": lambda repository, old, new: repository.stat(old, new),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_what_a_partial_clone_lacks_is_told(
    tmp_path: Path, source: Path, reader: Callable[[TrustedRepository, str, str], object]
) -> None:
    old, new = git(source, "rev-parse", "HEAD"), commit_files(source, {"src/app.py": "x = 5\n"})
    git(source, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", source.as_uri(), "partial")
    with pytest.raises(Misconfigured, match=r"a partial clone.*git fetch --refetch"):
        reader(TrustedRepository.discover(tmp_path / "partial"), old, new)
    git(tmp_path / "partial", "fetch", "--quiet", "--refetch", "--no-filter")
    reader(TrustedRepository.discover(tmp_path / "partial"), old, new)


def cut_short(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def no_zlib(_: bytes) -> bytes:
    return b"garbage"


def less_than_it_says(raw: bytes) -> bytes:
    return zlib.compress(zlib.decompress(raw)[:-100])


def of_no_type(raw: bytes) -> bytes:
    return zlib.compress(b"x" + zlib.decompress(raw)[1:])


def damage_object(repository: Path, object_id: str, damage: Callable[[bytes], bytes]) -> None:
    place = repository / ".git" / "objects" / object_id[:2] / object_id[2:]
    place.chmod(0o644)
    place.write_bytes(damage(place.read_bytes()))


@pytest.mark.parametrize("damage", [cut_short, no_zlib, less_than_it_says, of_no_type])
def test_a_damaged_file_is_told(tmp_path: Path, source: Path, damage: Callable[[bytes], bytes]) -> None:
    rows = "".join(hashlib.sha256(bytes([row])).hexdigest() for row in range(256))
    head = commit_files(source, {"a": rows, "b": "second\n"})
    damage_object(source, git(source, "rev-parse", "HEAD:a"), damage)
    with pytest.raises(Misconfigured, match=r"cannot read it.*git fsck names what is damaged"):
        export(TrustedRepository.discover(source), head, tmp_path / "exported")


@pytest.mark.parametrize("damage", [cut_short, of_no_type])
@pytest.mark.parametrize("name", ["HEAD", "HEAD:src"])
def test_a_damaged_commit_or_folder_is_told(source: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    first, head = git(source, "rev-parse", "HEAD"), commit_files(source, {"src/app.py": "x = 5\n"})
    damage_object(source, git(source, "rev-parse", name), damage)
    with pytest.raises(Misconfigured, match="cannot read it"):
        TrustedRepository.discover(source).changed_files(first, head)


def test_a_folder_that_is_gone_is_told(source: Path) -> None:
    first, head = git(source, "rev-parse", "HEAD"), commit_files(source, {"src/app.py": "x = 5\n"})
    folder = git(source, "rev-parse", "HEAD:src")
    (source / ".git" / "objects" / folder[:2] / folder[2:]).unlink()
    repository = TrustedRepository.discover(source)
    with pytest.raises(Misconfigured, match="cannot read it"):
        repository.entries(head)
    with pytest.raises(Misconfigured, match="cannot read it"):
        repository.changed_files(first, head)
