"""`coordinator gate` on a tree that was judged before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from coordinator.commands.confining import Confinement
from coordinator.settings import read_environment
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.support import Project, Shell

NOTE = "note: this tree was judged at 2"


def results(tool_cache: Path) -> list[Path]:
    folder = tool_cache / "coordinator-environments" / "results"
    return list(folder.iterdir()) if folder.exists() else []


def test_an_unchanged_tree_is_not_judged_again_and_that_is_said(
    shell: Shell, project: Project, tool_cache: Path
) -> None:
    first = shell.run("gate", project.folder, "--format", "json")
    assert (first.code, first.err, len(results(tool_cache))) == (0, "", 1)
    again = shell.run("gate", project.folder, "--format", "json")
    assert again.code == 0
    assert again.err.startswith(NOTE)
    assert again.err.endswith("--no-cache judges it anew\n")
    (gate,) = again.document["gates"]
    (before,) = first.document["gates"]
    assert gate["details"].pop("kept_at").startswith("2")
    assert gate == before


def test_a_rejection_is_kept_as_well(shell: Shell, project: Project) -> None:
    commit_files(project.folder, {"tool.py": "import os\n"})
    first, again = (shell.run("gate", project.folder) for _ in range(2))
    assert (first.code, again.code) == (1, 1)
    assert first.out == again.out
    assert again.err.startswith(NOTE)


def test_another_commit_of_the_same_tree_is_the_same(shell: Shell, project: Project) -> None:
    shell.run("gate", project.folder)
    commit_files(project.folder, {}, "The same")
    assert shell.run("gate", project.folder).err.startswith(NOTE)


@pytest.mark.parametrize("change", ["--no-cache", "--base", "tree", "configuration", "--only"])
def test_what_is_not_the_same_question_is_judged(shell: Shell, project: Project, tool_cache: Path, change: str) -> None:
    shell.run("gate", project.folder)
    options: list[str] = []
    if change == "tree":
        commit_files(project.folder, {"tool.py": "ONE = 11\n"})
    elif change == "configuration":
        text = git(project.folder, "show", "HEAD:.coordinator.yml").replace("escalate", "attempts: 3\nescalate")
        commit_files(project.folder, {".coordinator.yml": text + "\n  lint: {args: [--quiet]}\n"})
    else:
        options = {"--no-cache": ["--no-cache"], "--base": ["--base", "HEAD"], "--only": ["--only", "lint"]}[change]
    ended = shell.run("gate", project.folder, *options)
    assert (ended.code, ended.err) == (0, "")
    assert len(results(tool_cache)) == (1 if change in {"--no-cache", "--only"} else 2)


def test_a_result_that_somebody_else_could_write_is_not_believed(
    shell: Shell, project: Project, tool_cache: Path
) -> None:
    commit_files(project.folder, {"tool.py": "import os\n"})
    assert shell.run("gate", project.folder).code == 1
    (kept,) = results(tool_cache)
    kept.write_text(kept.read_text().replace('"passed":false', '"passed":true'))
    assert shell.run("gate", project.folder).code == 0, "as this test shows, what stands there decides"
    kept.chmod(0o666)
    ended = shell.run("gate", project.folder)
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has commands of another uid")
def test_in_a_runner_results_are_kept_where_commands_have_a_uid_of_their_own(
    shell: Shell, project: Project, tool_cache: Path
) -> None:
    shell.set(GITHUB_ACTIONS="true")
    assert shell.run("gate", project.folder).code == 0
    (kept,) = results(tool_cache)
    again = shell.run("gate", project.folder)
    assert (again.code, again.err.startswith(NOTE)) == (0, True)
    assert results(tool_cache) == [kept]


def confinement(tmp_path: Path) -> Confinement:
    environment = read_environment({"RUNNER_TOOL_CACHE": str(tmp_path)})
    return Confinement(environment, {"TZ": "UTC"}, None, cache=tmp_path / "cache")


def test_what_confined_commands_could_write_is_not_kept_between_runs(tmp_path: Path) -> None:
    """A test that runs as the coordinator's own uid could write a verdict for the tree that comes next."""
    confined = confinement(tmp_path)
    with confined.open_sandbox() as sandbox:
        is_apart = sandbox.means.uid is not None
        caches = confined.caches(sandbox)
        assert (caches.mypy is not None) == (is_apart and sandbox.means.hides_processes)
        assert (caches.results.outlives_the_process) == is_apart
    person = confined.caches(None)
    assert person.mypy == tmp_path / "cache" / "mypy"
    assert person.results.outlives_the_process
    other = Confinement(read_environment({}), {"TZ": "Asia/Tokyo"}, None, cache=tmp_path / "cache").caches(None)
    assert other.confinement != person.confinement


def test_an_installed_distribution_makes_it_another_question(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "toy", {})
    environment = tmp_path / "environment"
    for name in ("bin", "lib/python3.11/site-packages"):
        (environment / name).mkdir(parents=True)
    (environment / "bin" / "python").symlink_to("/bin/false")
    confined = Confinement(read_environment({"VIRTUAL_ENV": str(environment)}), {}, folder, cache=tmp_path / "cache")
    first = confined.stamp(folder, None)
    (environment / "lib/python3.11/site-packages/a-1.dist-info").mkdir()
    assert confined.stamp(folder, None) not in {None, first}
    plain = Confinement(read_environment({}), {}, folder, cache=tmp_path / "cache")
    assert plain.stamp(folder, None) != plain.stamp(folder, ("make",))
