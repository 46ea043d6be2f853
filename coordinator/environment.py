"""What the runner and the operator tell a job by its environment, as one record."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr

from coordinator.checks import check_url
from coordinator.errors import Misconfigured
from coordinator.models import Frozen

DEFAULT_CONFIGURATION_PATH = ".coordinator.yml"
DEFAULT_HOST = "0.0.0.0"  # noqa: S104  (the relay is there to be reached by the forge; it takes signed events only)
DEFAULT_PORT = 8000

_SECRET_SUFFIXES = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
_ADDRESS_SUFFIXES = ("_URL", "_PROXY")
_SHORTEST_SECRET = 6
"""Shorter values are words like ``true``: taking them out of a report would take the report apart."""


class Platform(StrEnum):
    """Which kind of server started the job."""

    FORGEJO = "forgejo"
    GITEA = "gitea"
    GITHUB = "github"


class LogLevel(StrEnum):
    """How much is logged, most first."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Environment(Frozen):
    """What the runner and the operator told us. Absent and empty are both None.

    No secret is in its `repr`, `str` or dump.
    """

    platform: Platform
    in_runner: bool
    """Whether a runner's job surrounds us, and not a person's shell."""
    server_url: str | None = None
    """Address of the forge as the runner knows it, without a slash at the end. It may be an internal one: links for
    people start from the ``html_url`` of the event."""
    api_url: str | None = None
    """Address of the REST API, without a slash at the end."""
    repository: str | None = None
    """``owner/name``"""
    token: SecretStr | None = None
    """The forge token: input ``token``, else GITEA_TOKEN, GITHUB_TOKEN, FORGEJO_TOKEN."""
    webhook_secret: SecretStr | None = None
    """Key of the HMAC of relayed events: input ``webhook-secret``, else GITEA_WEBHOOK_SECRET."""

    event_name: str | None = None
    event_path: Path | None = None
    run_id: int | None = None
    """Database id of the run."""
    run_number: int | None = None
    """Index of the run: in its workflow on GitHub, in the repository on Gitea and Forgejo."""
    run_attempt: int = 1
    workflow: str | None = None
    workflow_file: str | None = None
    """Name of the workflow's file; only GitHub says it."""
    job: str | None = None
    sha: str | None = None
    workspace: Path | None = None
    output_file: Path | None = None
    summary_file: Path | None = None
    temp_folder: Path | None = None
    tool_cache: Path | None = None
    virtual_env: Path | None = None
    """The virtual environment that a person's shell has activated."""

    issue: int | None = None
    """Input: the issue to work on."""
    agent: str | None = None
    """Input: the profile to use."""
    configuration_path: str = DEFAULT_CONFIGURATION_PATH
    """Input ``config``: a path in the repository, in normal form."""
    trigger_assignee: str | None = None
    trigger_label: str | None = None
    base_branch: str | None = None
    dry_run: bool = False
    log_level: LogLevel = LogLevel.INFO

    host: str = DEFAULT_HOST
    """Where the webhook relay listens."""
    port: int = DEFAULT_PORT

    named: dict[str, SecretStr] = Field(default_factory=dict, repr=False, exclude=True)
    """Every variable that may hold a key or an address of a profile, or a secret to be kept out of reports."""

    def secret(self, name: str) -> SecretStr | None:
        """Return the key in the variable of that name (``…_KEY``, ``…_TOKEN``); None when it is not set.

        Raises `Misconfigured` for a value that cannot stand in a header.
        """
        held = self.named.get(name) if name.endswith(("_KEY", "_TOKEN")) else None
        return None if held is None else header_secret(held.get_secret_value(), f"variable {name}")

    def variable(self, name: str) -> str | None:
        """Return the address in the variable of that name (``…_URL``); None when it is not set.

        Raises `Misconfigured` for what is no http(s) address, or has a password in it.
        """
        held = self.named.get(name) if name.endswith("_URL") else None
        if held is None:
            return None
        try:
            return check_url(held.get_secret_value())
        except ValueError as error:
            raise Misconfigured(f"The variable {name} is not valid", mend=f"Set it to {error}") from None

    def all_secrets(self) -> tuple[str, ...]:
        """Return every secret value in plain text, longest first, for the redaction of what leaves the process."""
        values = {value for name, held in self.named.items() for value in _secrets_in(name, held.get_secret_value())}
        values |= {held.get_secret_value() for held in (self.token, self.webhook_secret) if held is not None}
        return tuple(sorted((value for value in values if len(value) >= _SHORTEST_SECRET), key=len, reverse=True))

    def run_url(self, repository_url: str | None = None) -> str:
        """Return the page of this run, below the repository's ``html_url`` where that is known; empty for none.

        GitHub's pages are numbered by the run's id, those of Gitea and Forgejo by its index in the repository
        (go-gitea/gitea ``services/actions/context.go``).
        """
        number = self.run_id if self.platform is Platform.GITHUB else self.run_number
        internal = f"{self.server_url}/{self.repository}" if self.server_url and self.repository else ""
        page = repository_url or internal
        return f"{page}/actions/runs/{number}" if page and number else ""


def header_secret(value: str, what: str) -> SecretStr:
    """Return a key that can stand in an HTTP header; raise `Misconfigured` naming `what` for any other."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise Misconfigured(
            f"The {what} holds a line break, a space or a character outside ASCII", mend="Copy the key again, whole"
        )
    return SecretStr(value)


def is_kept(name: str) -> bool:
    """Tell whether a variable is remembered: it may hold a key, a secret or an address."""
    return _normal(name).endswith(_SECRET_SUFFIXES + _ADDRESS_SUFFIXES)


def _normal(name: str) -> str:
    return name.upper().replace("-", "_")


def _secrets_in(name: str, value: str) -> tuple[str, ...]:
    """Return what is secret in a variable: all of it, or of an address the password (as written and decoded)."""
    if _normal(name).endswith(_SECRET_SUFFIXES):
        return (value,)
    try:
        password = urlsplit(value).password or ""
    except ValueError:
        return (value,)
    return (password, unquote(password))
