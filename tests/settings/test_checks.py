from __future__ import annotations

import subprocess

import pytest

from coordinator.checks import check_branch, check_key_variable, check_path, check_url

BRANCHES = [
    *("main", "release/1.0", "feature/ümlaut", "a@b", "x.y", "dependabot/npm/x-1.2", "HEAD2", "a{b", "a,b", "a#b"),
    *("", "-x", "--help", "a b", "a\tb", "a..b", "a~1", "a^", "a:b", "a?b", "a*", "a[b", "a\\b", "/a", "a/", "a//b"),
    *(".a", "a/.b", "a.lock", "a.lock/b", "a.", "a@{1}", "a\x7fb", "a\nb"),
]


@pytest.mark.parametrize("name", BRANCHES)
def test_branches_are_what_git_says_they_are(name: str) -> None:
    asked = subprocess.run(["git", "check-ref-format", "--branch", name], check=False, capture_output=True)  # noqa: S607  (git is looked up)
    if asked.returncode == 0:
        assert check_branch(name) == name
    else:
        with pytest.raises(ValueError, match="name of a branch"):
            check_branch(name)


def test_the_short_form_of_head_is_no_branch() -> None:
    with pytest.raises(ValueError, match="name of a branch"):
        check_branch("@")


@pytest.mark.parametrize(("given", "path"), [("a.yml", "a.yml"), ("./a/./b.yml", "a/b.yml"), ("a//b", "a/b")])
def test_a_path_in_the_repository_in_normal_form(given: str, path: str) -> None:
    assert check_path(given) == path


@pytest.mark.parametrize(
    "path", ["", ".", "/", "/a", "..", "a/../../b", "a/..", ".git/config", "a/.GIT/x", "-x", "a\\b", "a\nb", "a\0"]
)
def test_a_path_that_leaves_the_repository_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="inside the repository"):
        check_path(path)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://git.example.com", "https://git.example.com"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
    ],
)
def test_an_address(given: str, url: str) -> None:
    assert check_url(given) == url


@pytest.mark.parametrize(
    "url",
    [
        *("", "git.example.com", "ftp://x", "file:///x", "https://", "https:///x", "https://u@x", "https://u:p@x"),
        *("https://x?a=b", "https://x#a", "https://x y", "https://x\n", "https://x:99999", "https://x:0", "https://[x"),
    ],
)
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http or https address"):
        check_url(url)


@pytest.mark.parametrize("name", ["HOUSE_API_KEY", "A_KEY", "MY2_TOKEN"])
def test_a_variable_for_a_key(name: str) -> None:
    assert check_key_variable(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("sk-ant-api03-x", "house_key", "PATH", "KEY", "_KEY", "HOUSE_KEY\n", "GITHUB_TOKEN", "GITEA_TOKEN"),
        *("FORGEJO_TOKEN", "ACTIONS_RUNTIME_TOKEN", "INPUT_TOKEN", "RUNNER_TOKEN", "COORDINATOR_TOKEN"),
    ],
)
def test_a_forge_token_never_goes_to_a_model(name: str) -> None:
    with pytest.raises(ValueError, match="environment variable"):
        check_key_variable(name)
