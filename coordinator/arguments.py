"""The arguments of every command, and the help that teaches them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator import __version__

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  (argparse has no public name for it)

EXIT_CODES = """\
exit codes:
  0  done, or rightly nothing to do
  1  worked, but not accepted (or a budget was reached)
  2  wrong use, configuration, key or token
  3  refused by verification
  4  the forge, the model or the runner failed; running again may mend it
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="coordinator",
        description="Turns an issue into a pull request that has passed the quality gates.",
        epilog=f"Start with `coordinator demo`: it shows the whole job and needs no key and no server.\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"coordinator {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_work(commands)
    _add_gate(commands)
    _add_plan(commands)
    _add_queue(commands)
    _add_init(commands)
    _add_doctor(commands)
    _add_serve(commands)
    _add_demo(commands)
    return parser


def _add_command(commands: Commands, name: str, summary: str, teaching: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{teaching}",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_format(parser: argparse.ArgumentParser, *formats: str) -> None:
    parser.add_argument(
        "--format",
        choices=formats,
        default="text",
        help="json prints one document on standard output and nothing else there (default: text)",
    )


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "issue",
        metavar="ISSUE",
        help="a Markdown file with the issue, or the number of one that the forge knows",
    )
    _add_place(parser)
    parser.add_argument("--agent", metavar="NAME", help="the profile to use (default: the cheapest that can)")


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repo", type=Path, default=Path(), metavar="DIR", help="the git repository (default: here)")
    parser.add_argument(
        "--forge",
        choices=("local", "gitea", "github"),
        default="local",
        help="where issues and pull requests are: in files of the repository's git directory (local, the default), on "
        "the Gitea or Forgejo of GITEA_URL with GITEA_TOKEN, or on GitHub with GITHUB_TOKEN; both with "
        "GITHUB_REPOSITORY=owner/name",
    )


def _add_run(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "run",
        "do what the event in the runner's environment asks for",
        "This is what the action calls. It reads GITHUB_EVENT_NAME, GITHUB_EVENT_PATH, GITHUB_REPOSITORY, the INPUT_*\n"
        "variables and the keys, verifies the event and its sender, and works. An event that asks for nothing ends\n"
        "green with one line that says why.\n\n"
        "  coordinator run --dry-run          plan only, write nothing\n"
        "  coordinator run --format json      one document for scripts",
    )
    parser.add_argument("--dry-run", action="store_true", help="verify and plan, print, write nothing anywhere")
    _add_format(parser, "text", "json")


def _add_work(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "work",
        "work on one issue of a git repository, from plan to pull request",
        "The result is the branch coordinator/issue-N; your checkout, index and stash stay as they are. The same\n"
        "command after an interruption goes on on the same branch and the same pull request.\n\n"
        "  coordinator work 7-max-length.md --repo ~/src/slugs     an issue from a file\n"
        "  coordinator work 7 --repo ~/src/slugs                   the same issue again\n"
        "  coordinator work 7 --forge gitea                        an issue of a server\n\n"
        "Keys: ANTHROPIC_API_KEY, or GLM_BASE_URL / MINIMAX_BASE_URL for models of your own.",
    )
    _add_target(parser)
    parser.add_argument("--dry-run", action="store_true", help="plan, print, write nothing anywhere")
    _add_format(parser, "text", "json")


def _add_gate(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "gate",
        "judge a commit by the quality gates",
        "Judges what is committed (HEAD), in a clean export: a Python project with mypy --strict, ruff, pytest and\n"
        "coverage, another one with `gates.commands` of .coordinator.yml, else with the usual commands of Go, Node or\n"
        "Rust. Nothing is written into the checkout. Tests run in VIRTUAL_ENV, else in .venv or venv of the checkout,\n"
        "else in an environment that is prepared from the project's own files and kept.\n\n"
        "  coordinator gate                         the checkout you stand in\n"
        "  coordinator gate --base main             by the rules of the merge base with main, and with the integrity\n"
        "                                           gate, which sees whether the change weakened a check\n"
        "  coordinator gate --explain               what would be run, by which rules and why\n"
        "  coordinator gate --only test             one gate alone, as often as you like\n"
        "  coordinator gate --format junit > gates.xml      for any CI server\n\n"
        "As a pre-push hook (.git/hooks/pre-push, executable): exec coordinator gate --base origin/main --fail-fast",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="a checkout (default: here)"
    )
    parser.add_argument(
        "--base", metavar="REF", help="compare with the merge base with REF, and take configuration and rules from it"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="ask this gate alone; may be given several times. The exit code is then about these gates",
    )
    parser.add_argument("--fail-fast", action="store_true", help="end the other gates soon after the first one fails")
    parser.add_argument(
        "--no-cache", action="store_true", help="judge anew even when this very tree has been judged before"
    )
    parser.add_argument(
        "--explain", action="store_true", help="run nothing; show each gate's command, its rules, and why it is there"
    )
    _add_format(parser, "text", "json", "github", "junit")


def _add_plan(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "plan",
        "show what would be done with an issue, by which agent, and why",
        "Prints metadata, estimate, dependencies, the chosen agent and the reason. Writes nothing.\n\n"
        "  coordinator plan 7-max-length.md --repo ~/src/slugs --format json",
    )
    _add_target(parser)
    _add_format(parser, "text", "json")


def _add_queue(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "queue",
        "show the issues that wait for an agent, in the order in which they would be worked on",
        "Orders by dependency, then by priority, then by number, and says of each issue whether it is ready, waits,\n"
        "is blocked or is being worked on, and why. Writes nothing and starts nothing: a run of the action that is\n"
        "dispatched without an issue does that.\n\n"
        "  coordinator queue --forge gitea                      the queue of a server\n"
        "  coordinator queue 1-model.md 2-view.md               issues from files\n"
        "  coordinator queue --forge gitea --format mermaid     a graph for a comment or a README",
    )
    parser.add_argument(
        "issues", nargs="*", type=Path, metavar="FILE", help="Markdown files with issues, with --forge local only"
    )
    _add_place(parser)
    _add_format(parser, "text", "json", "mermaid")


def _add_init(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "init",
        "write the workflow and a commented configuration into a repository",
        "Asks nothing, commits nothing, and overwrites nothing without --force. Then says what is left to do.\n\n"
        "  coordinator init --action-repository tools/coordinator     the action is a repository of your server",
    )
    parser.add_argument("--repo", type=Path, default=Path(), metavar="DIR", help="the git repository (default: here)")
    parser.add_argument(
        "--forge",
        choices=("gitea", "forgejo", "github"),
        help="whose workflow folder to use (default: the one that is there, else gitea)",
    )
    parser.add_argument(
        "--action-repository", metavar="OWNER/NAME", help="repository of the same server that holds the action"
    )
    parser.add_argument("--action-ref", metavar="REF", help="tag or commit of the action (default: its default branch)")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    _add_format(parser, "text", "json")


def _add_doctor(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "doctor",
        "check what the token, the server, the runner and the configuration can and cannot do",
        "One line per check: ok, warning or error, and what to do about it. Writes nothing to the forge. Ends with 2\n"
        "when a check is an error, else with 0.\n\n"
        "  coordinator doctor --forge gitea       with GITEA_URL, GITEA_TOKEN and GITHUB_REPOSITORY=owner/name\n"
        "  coordinator doctor                     the machine and the configuration of the checkout alone\n"
        "  coordinator doctor --models            also calls each model that has an address and a key, once",
    )
    _add_place(parser)
    parser.add_argument(
        "--models",
        action="store_true",
        help="try each model with one tiny tool call, which may cost a fraction of a cent; without it none is called",
    )
    _add_format(parser, "text", "json")


def _add_serve(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "serve",
        "take webhooks of the forge and start the workflow for them",
        "POST /webhook/gitea takes deliveries that are signed with GITEA_WEBHOOK_SECRET, GET /health says how it is.\n"
        "Needs the extra `webhook`, GITEA_URL and GITEA_TOKEN. Listens on HOST and PORT (default 0.0.0.0:8000).\n\n"
        "  coordinator serve              passes each event on to the workflow of its repository\n"
        "  coordinator serve --work       works on the issues itself, for a server without Actions",
    )
    parser.add_argument("--work", action="store_true", help="work on the issues here instead of starting the workflow")
    parser.add_argument(
        "--parallel", type=int, default=1, metavar="N", help="with --work: issues worked on at once (default: 1)"
    )
    parser.add_argument("--host", help="address to listen on (default: HOST, else 0.0.0.0)")
    parser.add_argument("--port", type=int, help="port to listen on (default: PORT, else 8000)")
    _add_format(parser, "text", "json")


def _add_demo(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "demo",
        "show the main job on a sample repository and issue",
        "A sample repository, a sample issue, and a scripted model that is served over HTTP on loopback: its first\n"
        "submission is rejected by the gates, its second is accepted. Everything but the model's replies is real.\n"
        "With --live (and ANTHROPIC_API_KEY) a real model does the work.\n\n"
        "  coordinator demo --dir /tmp/demo",
    )
    parser.add_argument("--dir", type=Path, metavar="DIR", help="where to leave everything (default: a new folder)")
    parser.add_argument("--live", action="store_true", help="use the real model instead of the scripted one")
    _add_format(parser, "text", "json")
