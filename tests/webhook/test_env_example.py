"""`.env.example`: every setting of the relay, and none that does nothing."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import SecretStr

from coordinator.commands.serve import run_environment
from coordinator.settings import read_environment

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / ".env.example").read_text(encoding="utf-8")
SET = dict(re.findall(r"^([A-Z_]+)=(.*)$", TEXT, re.MULTILINE))
COMMENTED = dict(re.findall(r"^# ([A-Z_]+)=(\S*)$", TEXT, re.MULTILINE))


def test_the_settings_of_the_relay_are_all_there() -> None:
    assert set(SET) == {
        *("GITEA_URL", "GITEA_TOKEN", "GITEA_WEBHOOK_SECRET"),
        *("ANTHROPIC_API_KEY", "LOG_LEVEL", "HOST", "PORT"),
    }


def test_it_is_read_as_it_stands_with_the_defaults_of_the_code() -> None:
    read, default = read_environment({**SET, **COMMENTED}), read_environment({})
    assert (read.host, read.port, read.log_level) == (default.host, default.port, default.log_level)
    assert read.server_url == "https://gitea.example.com"
    assert read.token is None
    assert read.webhook_secret is None


def test_whatever_else_is_named_reaches_the_run() -> None:
    given = {name: value or "x" for name, value in COMMENTED.items()}
    passed = run_environment(given, "https://gitea.example.com", SecretStr("token"), "info")
    assert set(COMMENTED) - set(passed) == {"RUNNER_TEMP"}  # of which each run gets its own part


def test_no_secret_stands_in_it() -> None:
    secret = re.compile(r"_(KEY|TOKEN|SECRET)$")
    assert {value for name, value in {**SET, **COMMENTED}.items() if secret.search(name)} == {""}


def test_values_are_bare_and_each_is_explained() -> None:
    """Docker takes quotes and comments after a value for a part of it."""
    assert not [value for value in SET.values() if re.search(r"[\"'#\s]", value)]
    lines = TEXT.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[A-Z]", line):
            assert lines[number - 1].startswith("#") or re.match(r"[A-Z]", lines[number - 1]), line


def test_git_does_not_take_the_filled_in_one() -> None:
    assert "/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
