"""Whether an event can be ours at all, told before anything is installed.

Run as ``python3 -I coordinator/preflight.py`` in a job. Standard library only, and as little of it as will do: most
events of a busy repository end here, so this is nearly all they cost. It reads the event file and nothing else, appends
``ours`` and ``reason`` to the file GITHUB_OUTPUT names, and says the same in one log line. Where it cannot tell, the
event is ours: the run then judges it properly and gives the error its proper words. It mirrors
`coordinator.events.trigger`, and a test holds the two together.
"""

from __future__ import annotations

import json
import os
import sys

PAYLOAD_LIMIT = 25 * 1024 * 1024
COMMANDS = ("/coordinator run", "/coordinator stop", "/coordinator plan", "/coordinator retry")


def main(arguments: list[str]) -> int:
    """Decide, write the step outputs, log one line. Returns 0, or 2 when it is used wrongly."""
    if arguments:
        sys.stderr.write("preflight takes no arguments; it reads GITHUB_EVENT_NAME and GITHUB_EVENT_PATH.\n")
        return 2
    ours, reason = judge_environment()
    reason = one_line(reason)
    try:
        write_outputs(ours, reason)
    except OSError as error:
        sys.stderr.write(f"GITHUB_OUTPUT cannot be written: {error.strerror}. Run this as a step of a job.\n")
        return 2
    sys.stdout.write(f"coordinator: {'starting' if ours else 'skipped'}: {reason}\n")
    return 0


def judge_environment() -> tuple[bool, str]:
    """Judge the event of this job, where everything that cannot be read is ours."""
    try:
        name = variable("EVENT_NAME")
        if name not in JUDGES:
            return (True, "no event is named") if not name else (False, f"the event {name} is none that is handled")
        return JUDGES[name](load(variable("EVENT_PATH")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return True, "the event file cannot be judged before the installation"


def variable(name: str) -> str:
    """Return a variable of the runner, by any of the names that the runners give it."""
    for prefix in ("GITHUB", "GITEA", "FORGEJO"):
        if value := os.environ.get(f"{prefix}_{name}"):
            return value
    return ""


def action_input(name: str, default: str) -> str:
    """Return an input of the action: runners keep the hyphen of ``INPUT_TRIGGER-LABEL``, a step's env may not."""
    upper = name.upper()
    return os.environ.get(f"INPUT_{upper}") or os.environ.get(f"INPUT_{upper.replace('-', '_')}") or default


def load(path: str) -> dict[str, object]:
    """Return the payload; raises one of the errors that `judge_environment` expects."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib is one more import to pay for
        raw = file.read(PAYLOAD_LIMIT + 1)
    if len(raw) > PAYLOAD_LIMIT:
        raise ValueError
    return mapping(json.loads(raw))


def mapping(value: object) -> dict[str, object]:
    """Return the value as what it must be, an object of JSON."""
    if not isinstance(value, dict):
        raise TypeError
    return value


def names(value: object, key: str) -> set[str]:
    """Return one field of each object of a list, folded; nothing for null, the forges' empty list."""
    if value is None:
        return set()
    if not isinstance(value, list):
        raise TypeError
    return {fold(mapping(one)[key]) for one in value}


def fold(name: object) -> str:
    """Lower ASCII letters only, so that no look-alike becomes the name."""
    if not isinstance(name, str):
        raise TypeError
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in name)


def judge_issue(payload: dict[str, object]) -> tuple[bool, str]:
    """Judge ``issues``."""
    action, issue = payload["action"], mapping(payload["issue"])
    if issue.get("pull_request"):
        return False, "a pull request, not an issue"
    if action == "closed":
        return True, "an issue was closed"
    if issue["state"] == "closed":
        return False, "the issue is closed"
    return judge_open_issue(payload, issue)


def judge_open_issue(payload: dict[str, object], issue: dict[str, object]) -> tuple[bool, str]:
    """Judge what was done to an open issue by whether it is assigned or labelled for us now."""
    assignee = action_input("trigger-assignee", "coordinator")
    label = action_input("trigger-label", "agent")
    assigned = fold(assignee) in names(issue.get("assignees"), "login")
    labelled = fold(label) in names(issue.get("labels"), "name")
    match payload["action"]:
        case "opened":
            if assigned or labelled:
                return True, f"the new issue is assigned to {assignee} or labelled {label}"
            return False, f"the new issue is neither assigned to {assignee} nor labelled {label}"
        case "assigned" | "unassigned":
            return judge_assignment(payload, assignee, assigned=assigned)
        case "labeled" | "unlabeled" | "label_updated" | "label_cleared":
            return judge_labels(payload, label, names(issue.get("labels"), "name"))
        case _:
            return False, "this action on an issue asks for nothing"


def judge_assignment(payload: dict[str, object], assignee: str, *, assigned: bool) -> tuple[bool, str]:
    """Judge who was assigned: GitHub names the account, the others only list who is assigned now."""
    named = payload.get("assignee")
    if named is not None and fold(mapping(named)["login"]) != fold(assignee):
        return False, f"{assignee} is not the account that it was about"
    if assigned == (payload["action"] == "assigned"):
        return True, f"{assignee} was {'' if assigned else 'un'}assigned"
    return False, f"{assignee} is {'still' if assigned else 'not'} assigned"


def judge_labels(payload: dict[str, object], label: str, present: set[str]) -> tuple[bool, str]:
    """Judge which label changed: GitHub and Forgejo name one, Gitea lists both sides, webhooks say nothing.

    The list of those that are present is empty after a replacement on Gitea.
    """
    changes, named = mapping(payload.get("changes") or {}), payload.get("label")
    added, removed = names(changes.get("added_labels"), "name"), names(changes.get("removed_labels"), "name")
    if named is not None:
        one = {fold(mapping(named)["name"])}
        added, removed = (one, set()) if payload["action"] in {"labeled", "label_updated"} else (set(), one)
    labelled = fold(label) in (present or added)
    if not (added or removed) or fold(label) in (added if labelled else removed):
        return True, f"the issue is {'now' if labelled else 'not'} labelled {label}"
    return False, f"labels other than {label} changed"


def judge_comment(payload: dict[str, object]) -> tuple[bool, str]:
    """Judge ``issue_comment``."""
    if payload["action"] != "created":
        return False, "a comment that is not new"
    if payload.get("is_pull") or mapping(payload["issue"]).get("pull_request"):
        return False, "a comment on a pull request"
    body = mapping(payload["comment"]).get("body")
    if not isinstance(body, str | None):
        raise TypeError
    if (body or "").partition("\n")[0].rstrip() in COMMANDS:
        return True, "a comment that asks for a run"
    return False, "a comment without a command of the coordinator"


def judge_pull_request(payload: dict[str, object]) -> tuple[bool, str]:
    """Judge ``pull_request``."""
    if payload["action"] in {"opened", "synchronize", "synchronized", "reopened"}:
        return True, "a pull request to check"
    return False, "this action on a pull request needs no check"


def judge_dispatch(_payload: dict[str, object]) -> tuple[bool, str]:
    """Judge ``workflow_dispatch`` and ``schedule``: somebody meant exactly this workflow."""
    return True, "dispatched or scheduled"


JUDGES = {
    "issues": judge_issue,
    "issue_comment": judge_comment,
    "pull_request": judge_pull_request,
    "workflow_dispatch": judge_dispatch,
    "schedule": judge_dispatch,
}


def one_line(text: str) -> str:
    """Make the reason fit for an output file and a log that obeys commands: no line ends, no ``::``, no ``##[``."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)[:200]
    while "::" in line:
        line = line.replace("::", ":")
    return line.replace("##[", "# [")


def write_outputs(ours: bool, reason: str) -> None:
    """Append the step outputs, where the runner asks for any."""
    path = variable("OUTPUT")
    if path:
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - as above
            file.write(f"ours={'true' if ours else 'false'}\nreason={reason}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
