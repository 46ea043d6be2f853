from __future__ import annotations

import json
from pathlib import Path

import pytest

from coordinator.errors import Misconfigured
from coordinator.settings import Environment, LogLevel, Platform, read_environment
from tests.support import API_CANARY, FORGE_CANARY

GITEA_JOB = {
    "GITHUB_ACTIONS": "true",
    "GITEA_ACTIONS": "true",
    "GITHUB_SERVER_URL": "http://gitea:3000",
    "GITHUB_API_URL": "http://gitea:3000/api/v1",
    "GITHUB_REPOSITORY": "tools/slugs",
    "GITHUB_EVENT_NAME": "issues",
    "GITHUB_EVENT_PATH": "/run/event.json",
    "GITHUB_RUN_ID": "1187",
    "GITHUB_RUN_NUMBER": "42",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_WORKFLOW": "coordinator",
    "GITHUB_JOB": "coordinator",
    "GITHUB_SHA": "0" * 40,
    "GITHUB_WORKSPACE": "/run/workspace",
    "GITHUB_OUTPUT": "/run/output",
    "GITHUB_STEP_SUMMARY": "/run/summary",
    "RUNNER_TEMP": "/run/temp",
    "RUNNER_TOOL_CACHE": "/run/tools",
}


def test_nothing_set_is_all_defaults() -> None:
    environment = read_environment({})
    assert environment == Environment(platform=Platform.GITHUB, in_runner=False)
    assert environment.configuration_path == ".coordinator.yml"
    assert (environment.host, environment.port) == ("0.0.0.0", 8000)  # noqa: S104  (behind it is a signature check; see environment.py)
    assert environment.all_secrets() == ()
    assert environment.run_url() == ""


def test_reads_what_a_gitea_runner_sets() -> None:
    environment = read_environment(GITEA_JOB)
    assert environment.platform is Platform.GITEA
    assert environment.in_runner
    assert environment.server_url == "http://gitea:3000"
    assert environment.api_url == "http://gitea:3000/api/v1"
    assert environment.repository == "tools/slugs"
    assert (environment.event_name, environment.event_path) == ("issues", Path("/run/event.json"))
    assert (environment.run_id, environment.run_number, environment.run_attempt) == (1187, 42, 2)
    assert (environment.workflow, environment.job, environment.sha) == ("coordinator", "coordinator", "0" * 40)
    assert environment.workspace == Path("/run/workspace")
    assert environment.output_file == Path("/run/output")
    assert environment.summary_file == Path("/run/summary")
    assert environment.temp_folder == Path("/run/temp")
    assert environment.tool_cache == Path("/run/tools")


@pytest.mark.parametrize("prefix", ["GITEA", "FORGEJO"])
def test_reads_the_twins_of_other_runners(prefix: str) -> None:
    twins = {name.replace("GITHUB", prefix, 1): value for name, value in GITEA_JOB.items()}
    assert read_environment(twins).output_file == Path("/run/output")
    assert read_environment({**twins, "GITHUB_OUTPUT": ""}).repository == "tools/slugs"


@pytest.mark.parametrize(
    ("environ", "platform"),
    [
        ({"FORGEJO_ACTIONS": "true", "GITEA_ACTIONS": "true", "GITHUB_ACTIONS": "true"}, Platform.FORGEJO),
        ({"GITEA_ACTIONS": "true", "GITHUB_ACTIONS": "true"}, Platform.GITEA),
        ({"GITHUB_ACTIONS": "true", "GITHUB_API_URL": "http://127.0.0.1:1/api/v1/"}, Platform.GITEA),
        ({"GITHUB_ACTIONS": "true", "GITHUB_API_URL": "https://ghe.example.com/api/v3"}, Platform.GITHUB),
        ({"GITHUB_ACTIONS": "true", "GITHUB_API_URL": "https://api.github.com"}, Platform.GITHUB),
        ({"GITEA_URL": "https://git.example.com/"}, Platform.GITEA),
    ],
)
def test_tells_the_platforms_apart(environ: dict[str, str], platform: Platform) -> None:
    assert read_environment(environ).platform is platform


def test_gitea_url_stands_in_where_no_runner_says_more() -> None:
    outside = read_environment({"GITEA_URL": "https://git.example.com/sub/api/v1/"})
    assert outside.server_url == "https://git.example.com/sub"
    assert outside.api_url == "https://git.example.com/sub/api/v1"
    inside = read_environment({**GITEA_JOB, "GITEA_URL": "https://git.example.com"})
    assert inside.api_url == "http://gitea:3000/api/v1"
    assert inside.server_url == "http://gitea:3000"


def test_run_pages_are_numbered_as_the_forge_does() -> None:
    assert read_environment(GITEA_JOB).run_url() == "http://gitea:3000/tools/slugs/actions/runs/42"
    public = read_environment(GITEA_JOB).run_url("https://git.example.com/tools/slugs")
    assert public == "https://git.example.com/tools/slugs/actions/runs/42"
    github = {**GITEA_JOB, "GITEA_ACTIONS": "", "GITHUB_API_URL": "https://api.github.com"}
    assert read_environment(github).run_url("https://github.com/t/s") == "https://github.com/t/s/actions/runs/1187"
    assert read_environment({**GITEA_JOB, "GITHUB_REPOSITORY": ""}).run_url() == ""


def test_inputs_come_with_hyphen_or_underscore() -> None:
    hyphened = read_environment({"INPUT_TRIGGER-LABEL": "bot", "INPUT_DRY-RUN": "true", "INPUT_BASE-BRANCH": "dev"})
    mapped = read_environment({"INPUT_TRIGGER_LABEL": "bot", "INPUT_DRY_RUN": "true", "INPUT_BASE_BRANCH": "dev"})
    for environment in (hyphened, mapped):
        assert (environment.trigger_label, environment.dry_run, environment.base_branch) == ("bot", True, "dev")


def test_a_mapped_input_wins_over_one_leaked_by_an_outer_action() -> None:
    environment = read_environment({"INPUT_DRY_RUN": "", "INPUT_DRY-RUN": "true", "INPUT_TRIGGER-LABEL": "outer"})
    assert not environment.dry_run
    assert environment.trigger_label == "outer"


def test_reads_the_inputs() -> None:
    environment = read_environment(
        {
            "INPUT_ISSUE": " 7 ",
            "INPUT_AGENT": "sonnet",
            "INPUT_CONFIG": "./ci/coordinator.yml",
            "INPUT_TRIGGER-ASSIGNEE": "robot",
            "INPUT_LOG-LEVEL": "Debug",
            "LOG_LEVEL": "error",
            "HOST": "0.0.0.0",  # noqa: S104  (the operator's word)
            "PORT": "9000",
        }
    )
    assert (environment.issue, environment.agent) == (7, "sonnet")
    assert environment.configuration_path == "ci/coordinator.yml"
    assert environment.trigger_assignee == "robot"
    assert environment.log_level is LogLevel.DEBUG
    assert environment.port == 9000
    assert read_environment({"LOG_LEVEL": "WARNING"}).log_level is LogLevel.WARNING


@pytest.mark.parametrize("value", ["true", "True", "1", "yes", "on"])
def test_yes_in_all_its_forms(value: str) -> None:
    assert read_environment({"INPUT_DRY_RUN": value}).dry_run


@pytest.mark.parametrize("value", ["false", "FALSE", "0", "no", "off", "", "  "])
def test_no_in_all_its_forms(value: str) -> None:
    assert not read_environment({"INPUT_DRY_RUN": value}).dry_run


@pytest.mark.parametrize(
    ("name", "value", "named", "mend"),
    [
        ("INPUT_DRY-RUN", "maybe", "input dry-run", "true or false"),
        ("INPUT_LOG_LEVEL", "loud", "input log-level", "one of: debug, info, warning, error"),
        ("LOG_LEVEL", "trace", "variable LOG_LEVEL", "one of: debug, info, warning, error"),
        ("INPUT_ISSUE", "1; id", "input issue", "whole number"),
        ("INPUT_ISSUE", "0", "input issue", "whole number"),
        ("INPUT_ISSUE", "-1", "input issue", "whole number"),
        ("INPUT_ISSUE", "٣", "input issue", "whole number"),
        ("INPUT_ISSUE", "9" * 10_000_000, "input issue", "whole number"),
        ("INPUT_ISSUE", "9999999999999999999", "input issue", "whole number"),
        ("INPUT_CONFIG", "../../etc/passwd", "input config", "path inside the repository"),
        ("INPUT_CONFIG", "/etc/passwd", "input config", "path inside the repository"),
        ("INPUT_CONFIG", ".git/config", "input config", "path inside the repository"),
        ("INPUT_BASE-BRANCH", "--upload-pack=x", "input base-branch", "branch"),
        ("PORT", "65536", "variable PORT", "1 to 65535"),
        ("PORT", "http", "variable PORT", "1 to 65535"),
        ("GITHUB_RUN_ID", "x", "variable GITHUB_RUN_ID", "whole number"),
        ("GITEA_RUN_NUMBER", "x", "variable GITEA_RUN_NUMBER", "whole number"),
        ("GITHUB_REPOSITORY", "no-owner", "variable GITHUB_REPOSITORY", "owner/name"),
        ("GITHUB_API_URL", "ftp://x", "variable GITHUB_API_URL", "http or https address"),
        ("GITEA_URL", "git.example.com", "variable GITEA_URL", "http or https address"),
        ("GITEA_URL", f"https://u:{FORGE_CANARY}@git.example.com", "variable GITEA_URL", "without user name"),
    ],
)
def test_a_wrong_value_names_its_variable_and_what_is_valid(name: str, value: str, named: str, mend: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_environment({name: value})
    assert named in caught.value.what
    assert mend in caught.value.mend
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["INPUT_DRY_RUN", "LOG_LEVEL", "INPUT_ISSUE", "PORT", "GITEA_URL", "INPUT_CONFIG"])
def test_a_key_pasted_into_the_wrong_field_is_not_shown(name: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_environment({name: f"../{API_CANARY}"})
    assert API_CANARY not in str(caught.value)
    assert API_CANARY not in repr(caught.value)


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"INPUT_TOKEN": "a-bot-token", "GITEA_TOKEN": "second", "GITHUB_TOKEN": "third"}, "a-bot-token"),
        ({"INPUT_TOKEN": "", "GITEA_TOKEN": "second", "GITHUB_TOKEN": "third"}, "second"),
        ({"GITHUB_TOKEN": "third", "FORGEJO_TOKEN": "fourth"}, "third"),
        ({"FORGEJO_TOKEN": "fourth\n"}, "fourth"),
    ],
)
def test_the_token_that_is_given_for_us_wins(environ: dict[str, str], token: str) -> None:
    held = read_environment(environ).token
    assert held is not None
    assert held.get_secret_value() == token


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "schlüssel", "nul\0"])
def test_a_token_that_cannot_stand_in_a_header_is_named_not_shown(value: str) -> None:
    with pytest.raises(Misconfigured, match="input token") as caught:
        read_environment({"INPUT_TOKEN": value})
    assert value not in str(caught.value)
    with pytest.raises(Misconfigured, match="variable GITEA_TOKEN"):
        read_environment({"GITEA_TOKEN": value})
    with pytest.raises(Misconfigured, match="variable GLM_API_KEY"):
        read_environment({"GLM_API_KEY": value}).secret("GLM_API_KEY")


def test_keys_and_addresses_are_found_by_name() -> None:
    environment = read_environment(
        {
            "ANTHROPIC_API_KEY": "from-variable",
            "GLM_BASE_URL": "http://glm.example.com:8000/",
            "HOUSE_KEY": API_CANARY,
            "HOUSE_TOKEN": "",
            "PATH": "/bin",
        }
    )
    key = environment.secret("HOUSE_KEY")
    assert key is not None
    assert key.get_secret_value() == API_CANARY
    assert environment.variable("GLM_BASE_URL") == "http://glm.example.com:8000"
    for name in ("HOUSE_TOKEN", "PATH", "GLM_BASE_URL", "OTHER_KEY"):
        assert environment.secret(name) is None
    for name in ("HOUSE_KEY", "PATH", "OTHER_URL"):
        assert environment.variable(name) is None


@pytest.mark.parametrize("name", ["INPUT_ANTHROPIC-API-KEY", "INPUT_ANTHROPIC_API_KEY"])
def test_the_input_wins_over_the_variable_for_the_anthropic_key(name: str) -> None:
    key = read_environment({"ANTHROPIC_API_KEY": "from-variable", name: API_CANARY}).secret("ANTHROPIC_API_KEY")
    assert key is not None
    assert key.get_secret_value() == API_CANARY


@pytest.mark.parametrize("value", ["file:///etc/passwd", f"https://u:{API_CANARY}@x", "https://x/?k=1", "https://x:y"])
def test_an_address_of_a_model_has_to_be_one(value: str) -> None:
    environment = read_environment({"GLM_BASE_URL": value})
    with pytest.raises(Misconfigured, match="variable GLM_BASE_URL") as caught:
        environment.variable("GLM_BASE_URL")
    assert API_CANARY not in str(caught.value)


def test_the_webhook_secret_is_any_text() -> None:
    for environ in ({"INPUT_WEBHOOK-SECRET": "ein geheimer Satz"}, {"GITEA_WEBHOOK_SECRET": "ein geheimer Satz"}):
        held = read_environment(environ).webhook_secret
        assert held is not None
        assert held.get_secret_value() == "ein geheimer Satz"
    both = read_environment({"INPUT_WEBHOOK_SECRET": "input", "GITEA_WEBHOOK_SECRET": "variable"}).webhook_secret
    assert both is not None
    assert both.get_secret_value() == "input"


SECRET_JOB = {
    "INPUT_TOKEN": FORGE_CANARY,
    "INPUT_ANTHROPIC-API-KEY": API_CANARY,
    "GITEA_WEBHOOK_SECRET": "wcanary-112233445566",
    "HOUSE_API_KEY": "hcanary-aabbccddeeff",
    "ACTIONS_RUNTIME_TOKEN": "acanary-0011223344",
    "DATABASE_PASSWORD": "pcanary-0011223344",
    "HTTPS_PROXY": "http://proxy:ucanary%2B112233@proxy.example.com:3128",
}


def test_no_secret_shows_in_any_form_of_the_record() -> None:
    environment = read_environment(SECRET_JOB)
    forms = (
        repr(environment),
        str(environment),
        repr(environment.model_dump()),
        environment.model_dump_json(),
        json.dumps(environment.model_dump(mode="json")),
        repr(environment.model_copy()),
        f"{environment.__dict__}",
    )
    for form in forms:
        assert "canary" not in form
    assert "HOUSE_API_KEY" not in repr(environment)


def test_all_secrets_has_every_value_longest_first() -> None:
    secrets = read_environment(SECRET_JOB).all_secrets()
    assert set(secrets) == {
        FORGE_CANARY,
        API_CANARY,
        "wcanary-112233445566",
        "hcanary-aabbccddeeff",
        "acanary-0011223344",
        "pcanary-0011223344",
        "ucanary%2B112233",
        "ucanary+112233",
    }
    assert [len(value) for value in secrets] == sorted((len(value) for value in secrets), reverse=True)


def test_all_secrets_leaves_out_what_is_too_short_to_be_one() -> None:
    assert read_environment({"DEBUG_KEY": "12345", "OTHER_KEY": "123456"}).all_secrets() == ("123456",)


def test_all_secrets_takes_a_broken_address_whole() -> None:
    assert read_environment({"ODD_URL": "http://[broken"}).all_secrets() == ("http://[broken",)
