"""`coordinator gate`: the gate suite on what is committed in a checkout."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.commands.confining import Confinement, cache_folder
from coordinator.commands.gate_subject import gate_subject
from coordinator.errors import ExitCode
from coordinator.gates.cache.result_cache import ask, kept_at
from coordinator.report.console import Console, LogSyntax
from coordinator.report.redaction import Redactor, clean_verdict
from coordinator.report.verdict_text import verdict_annotations, verdict_text
from coordinator.sandbox.kernel import hide_process
from coordinator.settings import read_environment
from coordinator.workspace.paths import shown
from coordinator.workspace.uncommitted import uncommitted

if TYPE_CHECKING:
    import argparse

    from coordinator.commands.gate_subject import GateSubject
    from coordinator.environment import Environment
    from coordinator.gates.cache.result_cache import Caches, Question
    from coordinator.gates.explain import Explanation
    from coordinator.gates.protocol import Verdict
    from coordinator.workspace.objects import TrustedRepository

FILES_NAMED = 5


def execute(arguments: argparse.Namespace) -> int:
    """Judge HEAD; return 0 when it is accepted, else 1. With `--explain` nothing is run."""
    hide_process()
    environment = read_environment(os.environ)
    subject = gate_subject(arguments.folder, arguments.base, environment)
    redact = Redactor(environment.all_secrets())
    if arguments.explain:
        from coordinator.commands.judging import explained  # noqa: PLC0415  (brings all gates, as below)

        _show_explanation(explained(subject), arguments.format, redact)
        return int(ExitCode.DONE)
    _note_uncommitted(subject.repository, subject.head, subject.checkout)
    verdict = _verdict(subject, environment, arguments)
    if made := kept_at(verdict):
        sys.stderr.write(f"note: this tree was judged at {made}; --no-cache judges it anew\n")
    _show(clean_verdict(verdict, redact), arguments, redact)
    return int(ExitCode.DONE if verdict.passed else ExitCode.NOT_ACCEPTED)


def _verdict(subject: GateSubject, environment: Environment, arguments: argparse.Namespace) -> Verdict:
    """Return the verdict: a kept one at once, else what the gates say."""
    confinement = Confinement(environment, os.environ, subject.checkout, cache=cache_folder(environment))
    caches = confinement.caches(None)
    question = None if arguments.only else _question(subject, confinement, caches)
    if question is not None and not arguments.no_cache and not environment.in_runner:
        known = caches.results.find(question)
        if known is not None:
            return known
    from coordinator.commands.judging import judge  # noqa: PLC0415  (brings all gates: slower than a kept verdict)

    return judge(
        subject, confinement, question, environment, only=tuple(arguments.only), fail_fast=arguments.fail_fast,
        anew=arguments.no_cache,
    )  # fmt: skip


def _question(subject: GateSubject, confinement: Confinement, caches: Caches) -> Question | None:
    configuration = subject.configuration
    return ask(
        tree=subject.repository.tree_of(subject.head),
        base=subject.base,
        configuration=configuration,
        environment=confinement.stamp(subject.checkout, configuration.setup),
        confinement=caches.confinement,
    )


def _note_uncommitted(repository: TrustedRepository, head: str, checkout: Path) -> None:
    """Say on standard error what of the checkout is not judged: nobody should take a verdict for one on it."""
    files = uncommitted(repository, head, checkout)
    if files:
        named = ", ".join(shown(path) for path in files[:FILES_NAMED]) + (", …" if len(files) > FILES_NAMED else "")
        many = "1 file or folder that is" if len(files) == 1 else f"{len(files)} files or folders that are"
        sys.stderr.write(f"note: HEAD is judged, without {many} not committed ({named})\n")


def _show(verdict: Verdict, arguments: argparse.Namespace, redact: Redactor) -> None:
    """Show a verdict that is free of secrets."""
    if arguments.format == "json":
        from coordinator.commands.results import print_json  # noqa: PLC0415  (brings the reports of whole runs)

        print_json(verdict.model_dump(mode="json"))
    elif arguments.format == "junit":
        from coordinator.report.verdict_junit import verdict_junit  # noqa: PLC0415  (a kept verdict answers at once)

        sys.stdout.write(verdict_junit(verdict) + "\n")
    elif arguments.format == "github":
        verdict_annotations(verdict, Console(sys.stdout, syntax=LogSyntax.GITHUB, redact=redact))
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        sys.stdout.write(verdict_text(verdict, again=lambda gates: _again(arguments, gates), colour=colour) + "\n")


def _again(arguments: argparse.Namespace, gates: tuple[str, ...]) -> str:
    """Return the command that asks these gates once more."""
    place = () if arguments.folder == Path() else (str(arguments.folder),)
    base = () if arguments.base is None else ("--base", arguments.base)
    only = (part for gate in gates for part in ("--only", gate))
    return shlex.join(("coordinator", "gate", *place, *base, *only))


def _show_explanation(explanation: Explanation, style: str, redact: Redactor) -> None:
    from coordinator.commands.results import print_json  # noqa: PLC0415  (brings the reports of whole runs)
    from coordinator.report.explanation_text import explanation_text  # noqa: PLC0415  (seldom wanted)

    if style == "json":
        print_json(explanation.model_dump(mode="json"))
    else:
        sys.stdout.write(redact(explanation_text(explanation)) + "\n")
