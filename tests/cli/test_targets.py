"""Which server and whose token a person means by --forge."""

from __future__ import annotations

import pytest

from coordinator.commands.targets import choose_platform
from coordinator.environment import Platform
from coordinator.settings import read_environment

GITEA = {"GITEA_URL": "https://gitea.example/api/v1", "GITEA_TOKEN": "gitea-canary-token"}
GITHUB = {"GITHUB_TOKEN": "github-canary-token"}
ENTERPRISE = {"GITHUB_SERVER_URL": "https://ghe.example", "GITHUB_API_URL": "https://ghe.example/api/v3"}
GITEA_JOB = {
    "GITHUB_ACTIONS": "true",
    "GITEA_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://job.example",
    "GITHUB_API_URL": "https://job.example/api/v1",
    "GITHUB_TOKEN": "job-canary-token",
}
GITHUB_JOB = {"GITHUB_ACTIONS": "true", "INPUT_TOKEN": "input-canary-token", **ENTERPRISE, **GITHUB}
GITEA_API = "https://gitea.example/api/v1"
DOTCOM_API = "https://api.github.com"
ENTERPRISE_API = "https://ghe.example/api/v3"


@pytest.mark.parametrize(
    ("variables", "forge", "platform", "api_url", "token"),
    [
        (GITEA, "gitea", Platform.GITEA, GITEA_API, "gitea-canary-token"),
        (GITEA | GITHUB, "gitea", Platform.GITEA, GITEA_API, "gitea-canary-token"),
        (GITEA | GITHUB | ENTERPRISE, "gitea", Platform.GITEA, GITEA_API, "gitea-canary-token"),
        (GITEA_JOB, "gitea", Platform.GITEA, "https://job.example/api/v1", "job-canary-token"),
        (
            {**GITEA_JOB, "FORGEJO_ACTIONS": "true"},
            "gitea",
            Platform.FORGEJO,
            "https://job.example/api/v1",
            "job-canary-token",
        ),
        (GITHUB_JOB | GITEA, "gitea", Platform.GITEA, GITEA_API, "gitea-canary-token"),
        (GITHUB, "gitea", Platform.GITEA, None, None),
        ({}, "gitea", Platform.GITEA, None, None),
        (GITHUB, "github", Platform.GITHUB, DOTCOM_API, "github-canary-token"),
        ({}, "github", Platform.GITHUB, DOTCOM_API, None),
        (GITHUB | ENTERPRISE, "github", Platform.GITHUB, ENTERPRISE_API, "github-canary-token"),
        (GITEA | GITHUB, "github", Platform.GITHUB, DOTCOM_API, "github-canary-token"),
        (GITEA, "github", Platform.GITHUB, DOTCOM_API, None),
        (GITEA_JOB, "github", Platform.GITHUB, DOTCOM_API, None),
        (GITHUB_JOB, "github", Platform.GITHUB, ENTERPRISE_API, "input-canary-token"),
    ],
)
def test_the_forge_that_is_named_wins_and_no_token_goes_to_another_one(
    variables: dict[str, str], forge: str, platform: Platform, api_url: str | None, token: str | None
) -> None:
    chosen = choose_platform(read_environment(variables), forge)
    held = chosen.token.get_secret_value() if chosen.token else None
    assert (chosen.platform, chosen.api_url, held) == (platform, api_url, token)
    assert (chosen.server_url is None) == (api_url is None)


def test_the_local_forge_leaves_all_as_it_is() -> None:
    environment = read_environment(GITEA | GITHUB)
    assert choose_platform(environment, "local") is environment
