"""Inputs, environment and `.coordinator.yml` become one frozen `Settings`.

Runners differ in three ways that are evened out here:

- A Gitea or Forgejo runner sets ``INPUT_<NAME>`` for a composite action and keeps the hyphen (``INPUT_DRY-RUN``);
  GitHub sets none, so ``action.yml`` maps each input to a name with an underscore. That one wins: inputs of an outer
  action leak into an inner one (nektos/act#1319).
- ``GITHUB_*`` has the twins ``FORGEJO_*`` (Forgejo runner 7 and later) and, for some names, ``GITEA_*``.
- A secret that is not set arrives as an empty string: empty is absent.

No value is shown in an error: what stands in a wrong variable may be a key that was pasted into the wrong field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import JsonValue, SecretStr

from coordinator.checks import check_branch, check_path, check_url
from coordinator.configuration import Configuration
from coordinator.environment import (
    DEFAULT_CONFIGURATION_PATH,
    DEFAULT_HOST,
    DEFAULT_PORT,
    Environment,
    LogLevel,
    Platform,
    header_secret,
    is_kept,
)
from coordinator.errors import Misconfigured
from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Environment", "LogLevel", "Platform", "Settings", "make_settings", "read_environment"]

T = TypeVar("T")

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
_LARGEST = 2**63 - 1
"""Ids are 64-bit integers on all forges."""
_HIGHEST_PORT = 65535
_BUILT_IN_KEYS = ("ANTHROPIC_API_KEY", "GLM_API_KEY", "MINIMAX_API_KEY")


class Settings(Frozen):
    """All that a run is told from outside: where it runs, what is configured, and what follows from both.

    An input wins over the configuration, the configuration over the default.
    """

    environment: Environment
    configuration: Configuration
    trigger_assignee: str
    trigger_label: str
    base_branch: str | None
    """None for the repository's default branch."""
    agent: str | None
    """The profile that the input asks for; None to choose by the issue."""
    dry_run: bool
    log_level: LogLevel
    configuration_path: str

    def describe(self) -> dict[str, JsonValue]:
        """Return the effective settings for people, without secrets; of keys only whether they are set."""
        environment = self.environment
        own_keys = {section.api_key_env for section in self.configuration.agents.values() if section.api_key_env}
        return {
            "platform": environment.platform.value,
            "api_url": environment.api_url,
            "repository": environment.repository,
            "event": environment.event_name,
            "token": _is_set(environment.token),
            "webhook_secret": _is_set(environment.webhook_secret),
            "keys": {name: _is_set(environment.named.get(name)) for name in sorted({*_BUILT_IN_KEYS, *own_keys})},
            "trigger_assignee": self.trigger_assignee,
            "trigger_label": self.trigger_label,
            "base_branch": self.base_branch,
            "agent": self.agent,
            "dry_run": self.dry_run,
            "log_level": self.log_level.value,
            "configuration_path": self.configuration_path,
            "configuration": self.configuration.model_dump(mode="json", exclude_defaults=True),
        }


def make_settings(environment: Environment, configuration: Configuration) -> Settings:
    """Join both; see `Settings` for what wins."""
    return Settings(
        environment=environment,
        configuration=configuration,
        trigger_assignee=environment.trigger_assignee or configuration.trigger.assignee,
        trigger_label=environment.trigger_label or configuration.trigger.label,
        base_branch=environment.base_branch or configuration.base_branch,
        agent=environment.agent,
        dry_run=environment.dry_run,
        log_level=environment.log_level,
        configuration_path=environment.configuration_path,
    )


def _is_set(secret: SecretStr | None) -> str:
    return "set" if secret else "not set"


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Read all inputs and variables.

    Raises `Misconfigured` naming the input or variable that is wrong, and what would be valid.
    """
    source = _Source(environ)
    gitea_url = source.variable(_parse_server, "GITEA_URL")
    api_url = source.runner(check_url, "API_URL") or (f"{gitea_url}/api/v1" if gitea_url else None)
    return Environment(
        platform=_platform(source, api_url),
        in_runner=any(source.flag(f"{forge}_ACTIONS") for forge in ("GITHUB", "GITEA", "FORGEJO")),
        server_url=source.runner(check_url, "SERVER_URL") or gitea_url,
        api_url=api_url,
        repository=source.runner(_parse_repository, "REPOSITORY"),
        token=source.token(),
        webhook_secret=source.webhook_secret(),
        event_name=source.runner(str, "EVENT_NAME"),
        event_path=source.runner(Path, "EVENT_PATH"),
        run_id=source.runner(_parse_count, "RUN_ID"),
        run_number=source.runner(_parse_count, "RUN_NUMBER"),
        run_attempt=source.runner(_parse_count, "RUN_ATTEMPT") or 1,
        workflow=source.runner(str, "WORKFLOW"),
        workflow_file=source.runner(_parse_workflow_ref, "WORKFLOW_REF"),
        job=source.runner(str, "JOB"),
        sha=source.runner(str, "SHA"),
        workspace=source.runner(Path, "WORKSPACE"),
        output_file=source.runner(Path, "OUTPUT"),
        summary_file=source.runner(Path, "STEP_SUMMARY"),
        temp_folder=source.variable(Path, "RUNNER_TEMP"),
        tool_cache=source.variable(Path, "RUNNER_TOOL_CACHE"),
        virtual_env=source.variable(Path, "VIRTUAL_ENV"),
        issue=source.input(_parse_count, "issue"),
        agent=source.input(str, "agent"),
        configuration_path=source.input(check_path, "config") or DEFAULT_CONFIGURATION_PATH,
        trigger_assignee=source.input(str, "trigger-assignee"),
        trigger_label=source.input(str, "trigger-label"),
        base_branch=source.input(check_branch, "base-branch"),
        dry_run=source.input(_parse_flag, "dry-run") or False,
        log_level=source.input(_parse_level, "log-level")
        or source.variable(_parse_level, "LOG_LEVEL")
        or LogLevel.INFO,
        host=source.variable(str, "HOST") or DEFAULT_HOST,
        port=source.variable(_parse_port, "PORT") or DEFAULT_PORT,
        named=source.named(),
    )


@dataclass(frozen=True, slots=True, repr=False)
class _Source:
    """Looks values up as the runners spell them. A value is stripped, and None when nothing is left."""

    environ: Mapping[str, str]

    def text(self, name: str) -> str | None:
        return self.environ.get(name, "").strip() or None

    def input_text(self, name: str) -> str | None:
        hyphened = f"INPUT_{name.upper()}"
        mapped = hyphened.replace("-", "_")
        return self.text(mapped if mapped in self.environ else hyphened)

    def variable(self, parse: Callable[[str], T], name: str) -> T | None:
        return _parsed(parse, self.text(name), f"variable {name}")

    def runner(self, parse: Callable[[str], T], name: str) -> T | None:
        for full_name in (f"GITHUB_{name}", f"GITEA_{name}", f"FORGEJO_{name}"):
            if self.text(full_name):
                return self.variable(parse, full_name)
        return None

    def input(self, parse: Callable[[str], T], name: str) -> T | None:
        return _parsed(parse, self.input_text(name), f"input {name}")

    def flag(self, name: str) -> bool:
        return (self.text(name) or "").lower() in _TRUE

    def token(self) -> SecretStr | None:
        given = self.input_text("token")
        if given:
            return header_secret(given, "input token")
        found = next((name for name in ("GITEA_TOKEN", "GITHUB_TOKEN", "FORGEJO_TOKEN") if self.text(name)), None)
        return header_secret(self.text(found) or "", f"variable {found}") if found else None

    def webhook_secret(self) -> SecretStr | None:
        value = self.input_text("webhook-secret") or self.text("GITEA_WEBHOOK_SECRET")
        return SecretStr(value) if value else None

    def named(self) -> dict[str, SecretStr]:
        """Return what `Environment.secret`, `variable` and `all_secrets` know."""
        found = {name: SecretStr(value) for name in self.environ if is_kept(name) and (value := self.text(name))}
        key = self.input_text("anthropic-api-key")
        return {**found, "ANTHROPIC_API_KEY": SecretStr(key)} if key else found


def _parsed(parse: Callable[[str], T], value: str | None, what: str) -> T | None:
    if value is None:
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise Misconfigured(f"The {what} is not valid", mend=f"Set it to {error}") from None


def _platform(source: _Source, api_url: str | None) -> Platform:
    """Forgejo's runner sets both marks, so it is asked first; GitHub has no API below ``/api/v1``."""
    if source.flag("FORGEJO_ACTIONS"):
        return Platform.FORGEJO
    if source.flag("GITEA_ACTIONS") or (api_url or "").endswith("/api/v1"):
        return Platform.GITEA
    return Platform.GITHUB


def _parse_server(value: str) -> str:
    return check_url(value).removesuffix("/api/v1")


def _parse_repository(value: str) -> str:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", value, re.ASCII):
        message = "owner/name"
        raise ValueError(message)
    return value


def _parse_workflow_ref(value: str) -> str:
    """Take the file's name out of ``owner/name/.github/workflows/coordinator.yml@refs/heads/main``."""
    return value.partition("@")[0].rpartition("/")[2]


def _parse_number(value: str, highest: int, valid: str) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", value) or not 1 <= int(value) <= highest:
        raise ValueError(valid)
    return int(value)


def _parse_count(value: str) -> int:
    return _parse_number(value, _LARGEST, "a whole number from 1 up, in digits")


def _parse_port(value: str) -> int:
    return _parse_number(value, _HIGHEST_PORT, f"a port, 1 to {_HIGHEST_PORT}")


def _parse_flag(value: str) -> bool:
    lowered = value.lower()
    if lowered not in _TRUE | _FALSE:
        message = "true or false"
        raise ValueError(message)
    return lowered in _TRUE


def _parse_level(value: str) -> LogLevel:
    try:
        return LogLevel(value.lower())
    except ValueError:
        raise ValueError(f"one of: {', '.join(LogLevel)}") from None
