"""`coordinator serve`: the webhook relay."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coordinator import __version__
from coordinator.commands.results import print_json
from coordinator.errors import ExitCode, Misconfigured
from coordinator.report.redaction import Redactor
from coordinator.sandbox.environment import PASSTHROUGH
from coordinator.sandbox.kernel import hide_process
from coordinator.settings import read_environment
from coordinator.workspace.git import NETWORK_VARIABLES

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import Iterator, Mapping

    from pydantic import SecretStr

    from coordinator.environment import Environment
    from coordinator.webhook.relay import Relay

RUN: Final = (sys.executable, "-P", "-m", "coordinator", "run")

_HIGHEST_PORT: Final = 65535
_OWN_VARIABLES: Final = frozenset(
    {
        "HOME",
        "LANG",
        "LC_ALL",
        "PATH",
        "PYTHONPATH",
        "RUNNER_TOOL_CACHE",
        "TMPDIR",
        *(f"INPUT_{name}" for name in ("AGENT", "BASE_BRANCH", "CONFIG", "TRIGGER_ASSIGNEE", "TRIGGER_LABEL")),
    }
)
_OF_MODELS: Final = ("_API_KEY", "_BASE_URL")
"""How the variables of a model end: ``ANTHROPIC_API_KEY``, ``GLM_BASE_URL``, and those of profiles of one's own."""


@dataclass(frozen=True, kw_only=True)
class _Needs:
    """What no relay can do without."""

    secret: SecretStr
    server_url: str
    token: SecretStr

    @property
    def api_url(self) -> str:
        return f"{self.server_url}/api/v1"


def execute(arguments: argparse.Namespace) -> int:
    """Serve until told to end; return the exit code."""
    hide_process()
    environment = read_environment(os.environ)
    needs = _check_needs(environment)
    _check_extra()
    host, port = arguments.host or environment.host, _port(arguments.port, environment)
    parallel = _parallel(arguments.parallel)
    from coordinator.webhook.server import listen  # noqa: PLC0415  (needs the extra)

    with _logging(environment), listen(host, port) as listening:
        relay = _working(needs, environment, parallel) if arguments.work else _dispatching(needs)
        _announce(listening, needs, work=arguments.work, as_json=arguments.format == "json")
        _serve(relay, needs, listening)
    return ExitCode.DONE


def _check_needs(environment: Environment) -> _Needs:
    secret, server, token = environment.webhook_secret, environment.variable("GITEA_URL"), environment.token
    if secret is None:
        raise Misconfigured(
            "The secret of the webhook is not known", mend="Set GITEA_WEBHOOK_SECRET to what the forge's webhook has"
        )
    if server is None:
        raise Misconfigured("The address of the server is not known", mend="Set GITEA_URL")
    if token is None:
        raise Misconfigured(
            "The token is not known", mend="Set GITEA_TOKEN to one of an account that may write to the repositories"
        )
    return _Needs(secret=secret, server_url=server.removesuffix("/api/v1"), token=token)


def _check_extra() -> None:
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise Misconfigured(f"The relay needs {' and '.join(missing)}", mend="Install coordinator[webhook]")


def _port(given: int | None, environment: Environment) -> int:
    if given is None:
        return environment.port
    if not 0 <= given <= _HIGHEST_PORT:
        what = f"{given} is no port"
        raise Misconfigured(what, mend=f"Give --port a number from 1 to {_HIGHEST_PORT}, or 0 for any free one")
    return given


def _parallel(given: int) -> int:
    if given < 1:
        raise Misconfigured(f"--parallel {given} would work on nothing", mend="Give it a number from 1 up")
    return given


def _dispatching(needs: _Needs) -> Relay:
    from coordinator.forge.gitea import GiteaForge  # noqa: PLC0415  (the HTTP client)
    from coordinator.webhook.dispatching import WORKERS, Dispatching  # noqa: PLC0415  (with it)
    from coordinator.webhook.relay import Relay  # noqa: PLC0415  (with it)

    handler = Dispatching(lambda name: GiteaForge(needs.api_url, needs.server_url, name, needs.token))
    return Relay(handler, secret=needs.secret, workers=WORKERS)


def _working(needs: _Needs, environment: Environment, parallel: int) -> Relay:
    from coordinator.webhook.relay import Relay  # noqa: PLC0415  (as above)
    from coordinator.webhook.working import STOP_SECONDS, Working  # noqa: PLC0415  (as above)

    variables = run_environment(os.environ, needs.server_url, needs.token, environment.log_level.value)
    return Relay(
        Working(RUN, variables, _work_folder(environment)),
        secret=needs.secret,
        workers=parallel,
        stop_seconds=STOP_SECONDS,
        waits=(),
    )


def _work_folder(environment: Environment) -> Path:
    """Return the folder for what runs leave behind, such as transcripts; others may pass through it, and not look."""
    if environment.temp_folder is None:
        folder = Path(tempfile.mkdtemp(prefix="coordinator-work-"))
        folder.chmod(0o711)
        return folder
    try:
        environment.temp_folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        what = f"The folder {environment.temp_folder} cannot be made ({error.strerror})"
        raise Misconfigured(what, mend="Set RUNNER_TEMP to a folder that you can write to") from None
    return environment.temp_folder


def run_environment(environ: Mapping[str, str], server_url: str, token: SecretStr, log_level: str) -> dict[str, str]:
    """Return the environment for `coordinator run`: what is listed here, and nothing else. No webhook secret."""
    listed = _OWN_VARIABLES | PASSTHROUGH | NETWORK_VARIABLES
    kept = {name: value for name, value in environ.items() if name in listed or name.endswith(_OF_MODELS)}
    return {**kept, "GITEA_URL": server_url, "INPUT_TOKEN": token.get_secret_value(), "LOG_LEVEL": log_level}


def _announce(listening: socket.socket, needs: _Needs, *, work: bool, as_json: bool) -> None:
    host, port = listening.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    what = "works on the issues here" if work else "starts the workflow of the repository"
    logging.getLogger(__name__).info("listening on %s for %s; %s", address, needs.server_url, what)
    if as_json:
        print_json({"address": address, "version": __version__, "mode": "work" if work else "dispatch"})
        sys.stdout.flush()


def _serve(relay: Relay, needs: _Needs, listening: socket.socket) -> None:
    from coordinator.webhook.app import make_app  # noqa: PLC0415  (needs the extra)
    from coordinator.webhook.health import ForgeHealth, forge_answers  # noqa: PLC0415  (the HTTP client)
    from coordinator.webhook.server import make_server, serve_until_told  # noqa: PLC0415  (needs the extra)

    health = ForgeHealth(lambda: forge_answers(needs.api_url, needs.token), clock=time.monotonic)
    app = make_app(relay, health, version=__version__, clock=time.monotonic)
    serve_until_told(make_server(app), listening)
    logging.getLogger(__name__).info("ended in order")


class _Lines(logging.Formatter):
    """One line for each record: time, level, and a text without secrets; never a traceback."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line = f"{moment:%Y-%m-%dT%H:%M:%SZ} {record.levelname.lower()} {record.getMessage()}"
        return self._redact(line).replace("\n", " ")


@contextmanager
def _logging(environment: Environment) -> Iterator[None]:
    """Show the log of this package on standard error; HTTP libraries log headers, so theirs is not shown."""
    log, handler = logging.getLogger("coordinator"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(Redactor(environment.all_secrets())))
    before = log.level
    log.setLevel(environment.log_level.value.upper())
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
