from __future__ import annotations

import pytest

from coordinator.workspace.paths import (
    ALWAYS_PROTECTED,
    Leftover,
    is_git_name,
    is_protected,
    leftover,
    link_stays_inside,
    refusal_of_name,
    shown,
)


@pytest.mark.parametrize(
    "name",
    [".git", ".GIT", ".Git", ".git ", ".git.", ".git...", ".g\u200cit", "\ufeff.git", "git~1", "GIT~1", ".git::$INDEX"],
)
def test_every_spelling_of_git_is_seen(name: str) -> None:
    assert is_git_name(name)
    assert refusal_of_name(f"a/{name}/config")


@pytest.mark.parametrize("name", [".gitignore", ".gitattributes", "git", "legit", ".github", "git~2"])
def test_names_that_only_look_similar_are_no_git(name: str) -> None:
    assert not is_git_name(name)


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("a\nb", "control"),
        ("a\x1b[31m", "control"),
        ("a\\b", "backslash"),
        ("a\u202eb", "invisible"),
        ("a\udcffb", "UTF-8"),
        ("a//b", "not a name"),
        ("a/../b", "not a name"),
        ("./b", "not a name"),
        ("ü" * 128, "not a name"),
        ("GITMOD~1", "belongs to git"),
    ],
)
def test_bad_names_are_refused_with_the_reason(path: str, word: str) -> None:
    assert word in str(refusal_of_name(path))


@pytest.mark.parametrize("path", ["a.py", "src/ä ö.txt", "-x", "a/b/c", "日本.md", "a" * 255])
def test_ordinary_names_are_not_refused(path: str) -> None:
    assert refusal_of_name(path) is None


@pytest.mark.parametrize(
    "path",
    [
        ".gitea",
        ".gitea/workflows/x.yml",
        ".GitHub/workflows/x.yml",
        ".forgejo/x",
        ".gitea /actions/a",
        "CODEOWNERS",
        "docs/codeowners",
        "action.yml",
        "sub/action.yaml",
        ".pre-commit-config.yaml",
        "web/.npmrc",
        "pip.conf",
        "CLAUDE.md",
        "a/CLAUDE.local.md",
        "AGENTS.md",
        ".gitmodules",
        ".coordinator.yml",
        "Jenkinsfile",
    ],
)
def test_what_machines_read_is_protected(path: str) -> None:
    assert is_protected(path, ALWAYS_PROTECTED)


@pytest.mark.parametrize("path", ["src/gitea.py", "github/x.py", "docs/.github/x", "actions.yml", "agents.py"])
def test_similar_paths_are_not_protected(path: str) -> None:
    assert not is_protected(path, ALWAYS_PROTECTED)


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("infra/**", ["infra", "infra/a", "infra/a/b"], ["infras", "a/infra"]),
        ("infra/", ["infra/a"], ["a/infra/b"]),
        ("infra/*.tf", ["infra/a.tf", "infra/a.tf/b"], ["infra/a/b.tf", "a.tf"]),
        ("**/secret.*", ["secret.yml", "a/b/secret.txt"], ["a/secrets"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z/d"], ["a/b", "z"]),
        ("/setup.py", ["setup.py"], ["a/setup.py"]),
        ("**", ["anything/at/all"], []),
    ],
)
def test_patterns_mean_what_is_documented(pattern: str, inside: list[str], outside: list[str]) -> None:
    assert all(is_protected(path, [pattern]) for path in inside)
    assert not any(is_protected(path, [pattern]) for path in outside)


@pytest.mark.parametrize(
    ("name", "folder", "kind"),
    [
        ("__pycache__", True, Leftover.CACHE),
        ("a.pyc", False, Leftover.CACHE),
        (".coverage", False, Leftover.CACHE),
        (".coverage.host.1", False, Leftover.CACHE),
        ("x.egg-info", True, Leftover.CACHE),
        (".venv", True, Leftover.CACHE),
        ("build", True, Leftover.BUILD),
        ("dist", True, Leftover.BUILD),
        ("build", False, None),
        ("venv", False, None),
        (".coveragerc", False, None),
        ("src", True, None),
    ],
)
def test_leftovers_are_told_from_work(name: str, folder: bool, kind: Leftover | None) -> None:
    assert leftover(name, folder=folder) is kind


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        ("a", b"b", True),
        ("d/a", b"../b", True),
        ("d/e/a", b"./../../b/c", True),
        ("a", b"../b", False),
        ("d/a", b"../../b", False),
        ("a", b"/etc/passwd", False),
        ("a", b"b/../c", False),
        ("a", b".git/config", False),
        ("a", b"x/.GIT/config", False),
        ("a", b"", False),
        ("a", b"b\n", False),
        ("a", b"\xff", False),
    ],
)
def test_a_link_stays_inside_only_if_it_cannot_lead_out(path: str, target: bytes, inside: bool) -> None:
    assert link_stays_inside(path, target) is inside


def test_a_path_is_shown_without_what_does_not_print() -> None:
    assert shown("ä b\n\x1b\udcff") == "ä b\\n\\x1b\\udcff"
