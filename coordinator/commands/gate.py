"""`coordinator gate`: the gate suite on what is committed in a checkout."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from coordinator.commands.building import Confinement, cache_folder
from coordinator.commands.results import print_json
from coordinator.configuration_file import load_configuration
from coordinator.errors import ExitCode, Misconfigured
from coordinator.forge.local_git import LocalGit
from coordinator.gates.suite import build_suite
from coordinator.report.console import Console, LogSyntax
from coordinator.report.redaction import Redactor
from coordinator.report.verdict_text import verdict_annotations, verdict_text
from coordinator.sandbox.kernel import hide_process
from coordinator.settings import read_environment
from coordinator.signals import ending_on_signals
from coordinator.workspace.export import export
from coordinator.workspace.objects import TrustedRepository
from coordinator.workspace.paths import shown
from coordinator.workspace.uncommitted import uncommitted

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from coordinator.environment import Environment
    from coordinator.gates.protocol import Verdict

FILES_NAMED = 5


def execute(arguments: argparse.Namespace) -> int:
    """Judge HEAD; return 0 when it is accepted, else 1."""
    hide_process()
    environment = read_environment(os.environ)
    folder: Path = arguments.folder
    if not folder.is_dir():
        raise Misconfigured(f"{folder} is no folder", mend="Name the folder of a git checkout")
    repository = TrustedRepository.discover(folder)
    head = repository.resolve("HEAD")
    base = _base(repository, head, arguments.base)
    checkout = LocalGit(folder).path
    _note_uncommitted(repository, head, checkout)
    verdict = judge(checkout, repository, head, base, environment)
    _show(verdict, arguments.format, Redactor(environment.all_secrets()))
    return int(ExitCode.DONE if verdict.passed else ExitCode.NOT_ACCEPTED)


def judge(
    folder: Path, repository: TrustedRepository, head: str, base: str | None, environment: Environment
) -> Verdict:
    """Run the gates on a commit of a person's repository, with the configuration of `base` (None: its own)."""
    path = environment.configuration_path
    configuration = load_configuration(repository.read_file(base or head, path), file=path)
    confinement = Confinement(environment, os.environ, folder, cache=cache_folder(environment))
    with ExitStack() as stack:
        sandbox = stack.enter_context(confinement.open_sandbox())
        stack.enter_context(ending_on_signals(sandbox.stop_all))
        keeper = confinement.keeper(sandbox, configuration.setup)

        def write(tree: str, target: Path) -> None:
            export(repository, tree, target)

        suite = build_suite(
            export=write,
            tree=repository.tree_of(head),
            base=base,
            section=configuration.gates,
            sandbox=sandbox,
            environment=lambda source: keeper.environment_for(source, folder),
            checkout=folder,
            network=configuration.sandbox.network,
        )
        return suite.judge()


def _base(repository: TrustedRepository, head: str, wanted: str | None) -> str | None:
    if wanted is None:
        return None
    base = repository.merge_base(head, repository.resolve(wanted))
    if base is None:
        raise Misconfigured(
            f"HEAD and {wanted} have no common commit",
            mend="Fetch more history (a shallow clone has none), or name another base",
        )
    return base


def _note_uncommitted(repository: TrustedRepository, head: str, checkout: Path) -> None:
    """Say on standard error what of the checkout is not judged: nobody should take a verdict for one on it."""
    files = uncommitted(repository, head, checkout)
    if files:
        named = ", ".join(shown(path) for path in files[:FILES_NAMED]) + (", …" if len(files) > FILES_NAMED else "")
        many = "1 file or folder that is" if len(files) == 1 else f"{len(files)} files or folders that are"
        sys.stderr.write(f"note: HEAD is judged, without {many} not committed ({named})\n")


def _show(verdict: Verdict, style: str, redact: Redactor) -> None:
    if style == "json":
        print_json(verdict.model_dump(mode="json"))
    elif style == "github":
        console = Console(sys.stdout, syntax=LogSyntax.GITHUB, redact=redact)
        verdict_annotations(verdict, console)
    else:
        sys.stdout.write(redact(verdict_text(verdict)) + "\n")
