"""`coordinator demo`: the main job on a sample repository and issue, with no keys and no server."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.commands.building import load_settings
from coordinator.commands.results import show_result
from coordinator.commands.targets import Target
from coordinator.commands.work import work_on
from coordinator.demo.model_script import load_script
from coordinator.demo.model_server import ModelServer
from coordinator.errors import Misconfigured
from coordinator.forge.local import LocalForge
from coordinator.sandbox.kernel import hide_process
from coordinator.settings import read_environment
from coordinator.workspace.objects import TrustedRepository

if TYPE_CHECKING:
    import argparse

SAMPLE = Path(str(files("coordinator.demo")))
ISSUE = SAMPLE / "7-max-length.md"
DEMO_COMMIT_DATE = "2026-01-05T09:00:00Z"


def execute(arguments: argparse.Namespace) -> int:
    """Show the main job; return its exit code."""
    hide_process()
    folder = _new_folder(arguments.dir)
    repository = make_sample(folder / "slugs")
    issue_file = Path(shutil.copy(ISSUE, folder / ISSUE.name))
    with ExitStack() as stack:
        environ = dict(os.environ)
        if not arguments.live:
            key = f"demo-{secrets.token_hex(8)}"
            server = stack.enter_context(ModelServer(load_script(SAMPLE / "script.json"), key=key, pace=0.01))
            environ |= {"ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": server.url}
        _introduce(repository, issue_file, live=arguments.live)
        environment = read_environment(_without_runner(environ))
        forge = LocalForge.of(repository)
        issue = forge.import_issue(issue_file)
        target = Target(repository, TrustedRepository.discover(repository), forge, issue)
        report = work_on(target, load_settings(environment, forge))
    code = show_result(report, as_json=arguments.format == "json")
    if arguments.format == "text":
        _conclude(forge, repository, report.branch, issue.number)
    return code


def make_sample(folder: Path) -> Path:
    """Make the sample repository: one commit on `main`, with the identity of the demo and nobody's configuration."""
    shutil.copytree(SAMPLE / "sample", folder, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    for arguments in (
        ("init", "--quiet", "--initial-branch=main", "."),
        ("add", "--all"),
        ("commit", "--quiet", "--message=Make slugs"),
    ):
        _git(folder, *arguments)
    return folder


def _git(folder: Path, *arguments: str) -> None:
    """Run git with nobody's configuration: the sample is the same on every machine."""
    who = {"NAME": "Demo", "EMAIL": "demo@example.invalid", "DATE": DEMO_COMMIT_DATE}
    identity = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    clean = {"PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    git = shutil.which("git") or "git"
    subprocess.run([git, *arguments], cwd=folder, env={**clean, **identity}, check=True, stdin=subprocess.DEVNULL)


def _new_folder(wanted: Path | None) -> Path:
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="coordinator-demo-"))
    try:
        if wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
            raise Misconfigured(f"{wanted} is there already and not empty", mend="Give --dir a new or empty folder")
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"The folder {wanted} cannot be made ({error.strerror})"
        raise Misconfigured(what, mend="Give --dir a new folder in a place that you can write to") from None
    return wanted.resolve()


def _without_runner(environ: dict[str, str]) -> dict[str, str]:
    """Leave out what belongs to a job or a server: the demo has neither. A place for tools serves it like any other."""
    theirs = ("GITHUB_", "GITEA_", "FORGEJO_", "INPUT_", "RUNNER_", "VIRTUAL_ENV", "GLM_", "MINIMAX_")
    return {
        name: value for name, value in environ.items() if not name.startswith(theirs) or name == "RUNNER_TOOL_CACHE"
    }


def _introduce(repository: Path, issue: Path, *, live: bool) -> None:
    who = "a real model" if live else "a scripted model, served over HTTP on loopback; everything else is real"
    sys.stderr.write(
        f"The coordinator works on {issue}\nin the sample repository {repository}.\nThe agent is {who}.\n\n"
    )


def _conclude(forge: LocalForge, repository: Path, branch: str | None, number: int) -> None:
    comments = forge.comments(number)
    lines = [
        "",
        "Where to look:",
        f"  the change        git -C {repository} show {branch}",
        f"  the comment       {comments[-1].html_url if comments else 'none'}",
        f"  run it again      coordinator work {number} --repo {repository}   (with a key of your own)",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
