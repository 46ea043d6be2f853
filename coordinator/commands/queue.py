"""`coordinator queue`: the issues that wait for an agent, in the order in which they would be worked on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from coordinator.commands.building import load_settings, open_claims
from coordinator.commands.results import print_json
from coordinator.commands.targets import open_forge
from coordinator.environment import Platform
from coordinator.errors import Misconfigured
from coordinator.events.permission import Permissions
from coordinator.flows.queue import read_queue, runs_at_work, runs_that_answered
from coordinator.forge.issue_file import read_issue_file
from coordinator.forge.local import LocalForge
from coordinator.planning.queue import Queue
from coordinator.report.console import LogSyntax
from coordinator.report.queue_graph import queue_graph
from coordinator.report.queue_table import write_queue
from coordinator.report.redaction import Redactor
from coordinator.settings import read_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from coordinator.environment import Environment
    from coordinator.forge.models import Issue
    from coordinator.forge.protocol import Forge
    from coordinator.settings import Settings


def execute(arguments: argparse.Namespace) -> int:
    """Read the queue, print it, write and start nothing; return 0."""
    environment = read_environment(os.environ)
    with open_forge(arguments, environment) as forge:
        settings = load_settings(environment, forge)
        issues = preview(arguments.issues, forge)
        with open_claims(environment, forge, environ=os.environ) as claims:
            working, answered = runs_at_work(claims), runs_that_answered(claims)
        names = {"assignee": settings.trigger_assignee, "label": settings.trigger_label}
        permissions = Permissions(forge, settings.configuration.allow)
        queue = read_queue(forge, **names, permissions=permissions, working=working, answered=answered, more=issues)
        empty = _how_to_fill(forge, settings)
    _show(_clean(queue, Redactor(environment.all_secrets())), arguments.format, empty, environment)
    return 0


def preview(files: Iterable[Path], forge: Forge) -> tuple[Issue, ...]:
    """Read files as the issues that they would become on the local forge; write nothing.

    Raises `Misconfigured` for files beside a server, and for two files that give the same number.
    """
    found: dict[int, Issue] = {}
    for file in dict.fromkeys(file.resolve() for file in files):
        if not isinstance(forge, LocalForge):
            raise Misconfigured(f"{file} is a file", mend="Files are for --forge local; a server has its own issues")
        issue = forge.preview_issue(file)
        if issue.number in found and read_issue_file(file).number is not None:
            other = found[issue.number].html_url
            mend = "Give one of them another `number:` in its front matter, or another name"
            raise Misconfigured(f"{file} and {other} have the same number {issue.number}", mend=mend)
        number = issue.number if issue.number not in found else max(found) + 1
        found[number] = issue.model_copy(update={"number": number})
    return tuple(found.values())


def _clean(queue: Queue, redact: Callable[[str], str]) -> Queue:
    entries = (
        entry.model_copy(update={"title": redact(entry.title), "reason": redact(entry.reason)})
        for entry in queue.entries
    )
    return Queue(entries=tuple(entries))


def _how_to_fill(forge: Forge, settings: Settings) -> str:
    if isinstance(forge, LocalForge):
        return "The queue is empty: name files with issues, for instance coordinator queue 1-model.md 2-view.md"
    trigger = f"assign an open issue to {settings.trigger_assignee}, or give it the label {settings.trigger_label}"
    return f"The queue is empty: {trigger}"


def _show(queue: Queue, wanted: str, empty: str, environment: Environment) -> None:
    if wanted == "json":
        print_json(queue.document())
    elif wanted == "mermaid":
        sys.stdout.write(queue_graph(queue, empty=empty) + "\n")
    elif not queue.entries:
        sys.stdout.write(f"{empty}\n")
    else:
        write_queue(queue, sys.stdout, _syntax(environment))


def _syntax(environment: Environment) -> LogSyntax:
    if not environment.in_runner:
        return LogSyntax.PLAIN
    return LogSyntax.GITHUB if environment.platform is Platform.GITHUB else LogSyntax.GITEA
