"""What holds of every forge holds of GitHub: the tests of `test_contract`, on the stand-in of GitHub."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.forge import test_contract
from tests.forge.test_contract import *  # noqa: F403  (its tests, with the `lab` of this module)
from tests.standins.github_lab import GithubLab
from tests.standins.github_server import GithubServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

for _name in ("test_knows_itself_and_its_repository", "test_a_real_server_keeps_the_contract_too"):
    del globals()[_name]  # what is said of the other forges only


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[GithubLab]:
    with GithubServer(tmp_path / "server") as server:
        made = GithubLab(tmp_path, server)
        yield made
        made.close()


def test_knows_github_and_its_repository(lab: GithubLab) -> None:
    assert lab.forge.kind == "github"
    assert lab.forge.myself().login == lab.me
    assert lab.forge.myself().id > 0
    repository = lab.forge.repository()
    assert (repository.default_branch, repository.full_name) == ("main", "acme/app")
    assert repository.html_url == f"{lab.server.url}/acme/app"
    assert lab.forge.repository() == repository


def test_all_tests_of_the_contract_are_here() -> None:
    assert len([name for name in vars(test_contract) if name.startswith("test_") and name in globals()]) > 20
