"""`coordinator doctor`: what the machine, the server, the token and the configuration can and cannot do."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack, suppress
from itertools import chain
from typing import TYPE_CHECKING

from coordinator.commands.building import scratch_folder
from coordinator.commands.confining import Confinement as Opening
from coordinator.commands.results import print_json
from coordinator.commands.targets import choose_platform, open_forge
from coordinator.doctor.action import action_examinations
from coordinator.doctor.agents import agents_examinations
from coordinator.doctor.configuration import (
    allowed_examinations,
    checkout_examinations,
    configuration_examinations,
)
from coordinator.doctor.confinement import Confinement, confinement_examinations
from coordinator.doctor.examining import Examination, Once, examine
from coordinator.doctor.machine import Machine, machine_examinations
from coordinator.doctor.models import Check, Group, State
from coordinator.doctor.repository import local_examinations, repository_examinations
from coordinator.doctor.secrets import secrets_examinations
from coordinator.doctor.server import server_examinations
from coordinator.doctor.show import clean_check, document, open_display, passed
from coordinator.doctor.subject import Subject
from coordinator.doctor.token import Credentials, token_examinations
from coordinator.doctor.workflow import workflow_examinations
from coordinator.errors import ExitCode, Misconfigured
from coordinator.forge.local_git import LocalGit
from coordinator.report.console import LogSyntax
from coordinator.report.redaction import Redactor
from coordinator.sandbox.kernel import hide_process
from coordinator.settings import read_environment
from coordinator.signals import ending_on_signals
from coordinator.workspace.git import DEFAULT_PATH, NETWORK_VARIABLES, Git

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from coordinator.environment import Environment
    from coordinator.forge.protocol import Forge
    from coordinator.sandbox.confined import ConfinedSandbox


def execute(arguments: argparse.Namespace) -> int:
    """Check everything that can be checked, write nothing to the forge; return 0, or 2 when a check is an error."""
    hide_process()
    as_json = arguments.format == "json"
    try:
        environment = choose_platform(read_environment(os.environ), arguments.forge)
    except Misconfigured as error:
        wrong = Check(group=Group.MACHINE, name="environment", state=State.ERROR, message=error.what, mend=error.mend)
        return _show([wrong], Redactor(()), LogSyntax.PLAIN, as_json=as_json)
    with ExitStack() as stack:
        checks = examine(Parts(arguments, environment, os.environ, stack).examinations())
        syntax = LogSyntax.GITHUB if environment.in_runner else LogSyntax.PLAIN
        return _show(checks, Redactor(environment.all_secrets()), syntax, as_json=as_json)


def _show(checks: Iterable[Check], redact: Redactor, syntax: LogSyntax, *, as_json: bool) -> int:
    clean = (clean_check(check, redact) for check in checks)
    if as_json:
        shown = list(clean)
        print_json(document(shown))
    else:
        shown = []
        display = open_display(sys.stdout, syntax)
        for check in clean:
            display.show(check)
            shown.append(check)
        display.end(shown)
    return int(ExitCode.DONE if passed(shown) else ExitCode.MISUSE)


class Parts:
    """The parts of an examination. Each is made when the first check needs it, and taken down with the stack."""

    def __init__(
        self, arguments: argparse.Namespace, environment: Environment, environ: Mapping[str, str], stack: ExitStack
    ) -> None:
        self._arguments = arguments
        self._folder: Path = arguments.repo
        self._is_local = arguments.forge == "local"
        self._environment = environment
        self._environ = environ
        self._stack = stack
        self._scratch: Once[Path] = Once("a temporary folder", self._make_scratch)
        network = {name: environ[name] for name in NETWORK_VARIABLES & environ.keys()}
        self._git = Git(path=environ.get("PATH", DEFAULT_PATH), network=network)
        self._subject = Subject(environment, self._open_forge, is_local=self._is_local)

    def examinations(self) -> Iterator[Examination]:
        """Give all examinations, those first that say why others cannot be done."""
        subject = self._subject
        machine = Machine(self._environment, self._git, self._git.path, sys.version_info[:3])
        confinement = Confinement(
            sandbox=Once("the sandbox", self._open_sandbox),
            secrets=self._environment.all_secrets(),
            in_runner=self._environment.in_runner,
            configuration=subject.configuration,
            uid=os.geteuid(),
        )
        yield from chain(machine_examinations(machine), confinement_examinations(confinement))
        yield from self._local() if self._is_local else self._remote()
        yield from agents_examinations(subject)
        if self._arguments.models:
            yield from self._models()

    def _models(self) -> Iterator[Examination]:
        from coordinator.doctor.endpoints import endpoint_examinations  # noqa: PLC0415  (the SDK of the models is slow)

        log, silent = logging.getLogger("coordinator.agent"), logging.NullHandler()
        log.addHandler(silent)  # what failed becomes a line of its own; without a handler it is on standard error too
        self._stack.callback(log.removeHandler, silent)
        yield from endpoint_examinations(self._subject)

    def _local(self) -> Iterator[Examination]:
        yield from local_examinations(self._subject)
        yield from configuration_examinations(self._subject)
        yield from checkout_examinations(self._subject, self._folder)

    def _remote(self) -> Iterator[Examination]:
        subject = self._subject
        yield from server_examinations(subject)
        yield from repository_examinations(subject)
        yield from chain(configuration_examinations(subject), allowed_examinations(subject))
        yield from chain(workflow_examinations(subject), action_examinations(subject))
        yield from token_examinations(Credentials(subject, self._git, self._scratch))
        yield from secrets_examinations(subject)

    def _make_scratch(self) -> Path:
        return self._stack.enter_context(scratch_folder(self._environment))

    def _open_forge(self) -> Forge:
        return self._stack.enter_context(open_forge(self._arguments, self._environment))

    def _open_sandbox(self) -> ConfinedSandbox:
        cache = self._scratch.find() / "environments"
        sandbox = Opening(self._environment, self._environ, self._checkout(), cache=cache).open_sandbox()
        self._stack.enter_context(sandbox)
        self._stack.enter_context(ending_on_signals(sandbox.stop_all))
        return sandbox

    def _checkout(self) -> Path | None:
        """Return the checkout whose virtual environment may serve; where there is none, another check says so."""
        with suppress(Misconfigured):
            return LocalGit(self._folder).path if self._is_local else None
        return None
