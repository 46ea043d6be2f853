"""Building the parts: the one place where real clients, sandboxes and folders are made."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.commands.confining import Confinement, cache_folder, make_folder
from coordinator.configuration_file import load_configuration
from coordinator.environment import Platform
from coordinator.errors import Misconfigured
from coordinator.flows.parts import Parts
from coordinator.forge.local import LocalForge
from coordinator.forge.local_git import LocalGit
from coordinator.planning.profiles import configured_profiles
from coordinator.report.console import LogSyntax
from coordinator.report.progress import open_progress
from coordinator.report.redaction import Redactor
from coordinator.settings import Settings, make_settings
from coordinator.signals import ending_on_signals
from coordinator.state.claims import Claims, RunIdentity, this_process
from coordinator.state.folder import FolderStateStore
from coordinator.state.git_store import GitStateStore
from coordinator.workspace.git import DEFAULT_PATH, NETWORK_VARIABLES, Git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from coordinator.agent.model import Patience
    from coordinator.environment import Environment, LogLevel
    from coordinator.forge.protocol import Forge
    from coordinator.report.progress import Progress
    from coordinator.state.protocol import StateStore

_SYNTAX = {
    Platform.GITEA: LogSyntax.GITEA,
    Platform.FORGEJO: LogSyntax.GITEA,
    Platform.GITHUB: LogSyntax.GITHUB,
}


def make_forge(environment: Environment, *, local: Path | None) -> Forge:
    """Return the local forge of a repository, or the server that the environment names.

    Raises `Misconfigured` naming the variable that is missing.
    """
    if local is not None:
        return LocalForge.of(local)
    from coordinator.forge.gitea import GiteaForge  # noqa: PLC0415  (brings the HTTP client, which local work never needs)
    from coordinator.forge.github import GithubForge  # noqa: PLC0415  (the same)

    variable = "GITHUB_TOKEN" if environment.platform is Platform.GITHUB else "GITEA_TOKEN"
    wanted = {
        "the address of the server": (environment.server_url and environment.api_url, "GITEA_URL"),
        "the repository": (environment.repository, "GITHUB_REPOSITORY=owner/name"),
        "the token": (environment.token, f"{variable}, or the action's input `token`"),
    }
    for what, (value, mend) in wanted.items():
        if not value:
            raise Misconfigured(f"{what[0].upper()}{what[1:]} is not known", mend=f"Set {mend}")
    assert environment.api_url and environment.server_url and environment.repository and environment.token  # noqa: S101, PT018  (for mypy: checked above)
    make = GithubForge if environment.platform is Platform.GITHUB else GiteaForge
    return make(environment.api_url, environment.server_url, environment.repository, environment.token)


def load_settings(environment: Environment, forge: Forge) -> Settings:
    """Read the configuration from the base branch and join it with the environment."""
    branch = environment.base_branch or forge.repository().default_branch
    text = forge.read_file(environment.configuration_path, ref=branch)
    return make_settings(environment, load_configuration(text, file=environment.configuration_path))


def open_display(environment: Environment) -> Progress:
    """Return where a run is followed: always standard error, so that standard output holds the result alone."""
    syntax = _SYNTAX[environment.platform] if environment.in_runner else LogSyntax.PLAIN
    return open_progress(sys.stderr, syntax=syntax, redact=Redactor(environment.all_secrets()))


@contextmanager
def scratch_folder(environment: Environment) -> Iterator[Path]:
    """Make a folder of our own for one run, and remove it afterwards. Raises `Misconfigured` where that cannot be."""
    try:
        made = tempfile.TemporaryDirectory(prefix="coordinator-run-", dir=environment.temp_folder)
    except OSError as error:
        parent = environment.temp_folder or tempfile.gettempdir()
        what = f"No temporary folder can be made in {parent} ({error.strerror})"
        raise Misconfigured(what, mend="Set RUNNER_TEMP to a folder that you can write to") from None
    with made as folder:
        yield Path(folder)


class _ProgressHandler(logging.Handler):
    """Brings what modules log to where the run is followed, redacted and in step with the display."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Show one record."""
        self._progress.say(f"{record.levelname.lower()}: {record.getMessage()}")


@contextmanager
def _logging_to(progress: Progress, level: LogLevel) -> Iterator[None]:
    """Show the log of this package only: the HTTP libraries log headers, in which a server may echo a token."""
    log, handler = logging.getLogger("coordinator"), _ProgressHandler(progress)
    before = log.level
    log.setLevel(level.value.upper())
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def make_git(environ: Mapping[str, str]) -> Git:
    """Return git with the operator's PATH, proxies and certificates."""
    network = {name: environ[name] for name in NETWORK_VARIABLES & environ.keys()}
    return Git(path=environ.get("PATH", DEFAULT_PATH), network=network)


@contextmanager
def open_claims(environment: Environment, forge: Forge, *, environ: Mapping[str, str]) -> Iterator[Claims]:
    """Open the claims of the repository, in the name of this run. Nothing is asked or written yet."""
    with scratch_folder(environment) as folder:
        store = _open_store(forge, make_git(environ), folder)
        yield Claims(store, _identity(environment), now=lambda: datetime.now(UTC))


def _open_store(forge: Forge, git: Git, folder: Path) -> StateStore:
    remote = forge.git_remote()
    if isinstance(forge, LocalForge):
        return FolderStateStore(LocalGit(Path(remote.url)).common_dir / "coordinator" / "state")
    return GitStateStore(remote, git, folder)


def _identity(environment: Environment) -> RunIdentity:
    """Name this run. Two jobs of one run differ; a re-run of a job is the same run once more."""
    if environment.in_runner and environment.run_id:
        name = f"{environment.run_id}/{environment.job or ''}"
        return RunIdentity(name, attempt=environment.run_attempt, url=environment.run_url())
    return RunIdentity(f"local/{uuid.uuid4()}", process=this_process())


@contextmanager
def assemble(
    settings: Settings,
    forge: Forge,
    progress: Progress,
    *,
    environ: Mapping[str, str],
    person: Path | None,
    kept: Callable[[Path], Path],
    claims: Claims,
    patience: Patience | None = None,
) -> Iterator[Parts]:
    """Build the parts of a run, and take them down again. A signal ends the run in order meanwhile.

    `person` is the repository of the person who runs the command, None in a runner; `kept` gets the run's scratch
    folder and returns the folder for what outlives the run. `patience` is how long a model call is tried.
    """
    environment = settings.environment
    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder(environment))
        cache = folder / "environments" if settings.dry_run else cache_folder(environment)
        confinement = Confinement(environment, environ, person, cache=cache)
        agent_sandbox = stack.enter_context(confinement.open_sandbox())
        gate_sandbox = stack.enter_context(confinement.open_sandbox())

        def stop() -> None:
            agent_sandbox.stop_all()
            gate_sandbox.stop_all()

        stack.enter_context(ending_on_signals(stop))
        stack.enter_context(_logging_to(progress, settings.log_level))
        outlives = kept(folder)
        make_folder(outlives, "the record of the run", "Make it writable for the user who runs the coordinator")
        yield Parts(
            settings=settings,
            forge=forge,
            claims=claims,
            profiles=configured_profiles(settings.configuration.agents),
            agent_sandbox=agent_sandbox,
            gate_sandbox=gate_sandbox,
            keeper=confinement.keeper(gate_sandbox, settings.configuration.setup),
            caches=confinement.caches(gate_sandbox),
            folder=folder,
            kept=outlives,
            progress=progress,
            redact=Redactor(environment.all_secrets()),
            now=lambda: datetime.now(UTC),
            clock=time.monotonic,
            git=make_git(environ),
            person=person,
            patience=patience,
        )
