"""The repository: whether it is there, and whether people can start runs in it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from coordinator.doctor.examining import Examination
from coordinator.doctor.models import Finding, Group, bad, doubtful, good
from coordinator.events.text import fold
from coordinator.forge.models import Permission

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.doctor.subject import Subject


def repository_examinations(subject: Subject) -> Iterator[Examination]:
    """Give the checks of the repository."""
    looks = {
        "repository": repository_itself,
        "commits": repository_commits,
        "trigger account": repository_trigger_account,
        "trigger label": repository_trigger_label,
    }
    for name, look in looks.items():
        yield Examination(Group.REPOSITORY, name, partial(look, subject))


def local_examinations(subject: Subject) -> Iterator[Examination]:
    """Give the check of a repository that is on this machine."""
    yield Examination(Group.REPOSITORY, "repository", partial(repository_on_this_machine, subject))


def repository_on_this_machine(subject: Subject) -> Iterator[Finding]:
    """Open it; what stands in the way is the error."""
    subject.server.find()
    repository = subject.repository.find()
    yield good(f"{repository.full_name}, default branch {repository.default_branch}")


def repository_itself(subject: Subject) -> Iterator[Finding]:
    """Read it."""
    repository = subject.repository.find()
    kind = "private" if repository.private else "public"
    yield good(f"{repository.full_name}, {kind}, default branch {repository.default_branch}")


def repository_commits(subject: Subject) -> Iterator[Finding]:
    """See that it is not empty: in an empty one no event starts anything."""
    branch = subject.default_branch
    commit = subject.forge().branch_commit(branch)
    if commit is None:
        yield bad(f"there is no commit on {branch}, so nothing runs", f"Push a first commit to {branch}")
    else:
        yield good(f"{branch} is at {commit[:7]}")


def repository_trigger_account(subject: Subject) -> Iterator[Finding]:
    """See whether issues can be assigned to the account, and whether it may do more than it should."""
    login, label = subject.trigger.assignee, subject.trigger.label
    account = subject.forge().account(login)
    if account is None:
        mend = (
            f"Create it and give it write access, or set trigger.assignee in {subject.environment.configuration_path}"
        )
        yield doubtful(f"there is no account {login}: only the label {label} and comments start runs", mend)
        return
    access = subject.forge().access(account)
    if access.permission is Permission.ADMIN:
        yield doubtful(f"{account.login} may administer the repository", f"Give {login} write access, not more")
    elif access.permission is Permission.WRITE:
        yield good(f"issues can be assigned to {account.login} ({access.reason})")
    elif access.permission is Permission.UNKNOWN:
        yield doubtful(access.reason, access.mend)
    else:
        what = f"issues cannot be assigned to {account.login}: {access.reason}"
        yield doubtful(what, f"Give {login} write access to the repository")


def repository_trigger_label(subject: Subject) -> Iterator[Finding]:
    """See whether the label exists, as far as issues show it."""
    trigger = subject.trigger
    issues = subject.forge().find_issues(assignee=trigger.assignee, label=trigger.label)
    labelled = [issue for issue in issues if fold(trigger.label) in map(fold, issue.labels)]
    if labelled:
        yield good(f"{trigger.label} is on {len(labelled)} open issue{'' if len(labelled) == 1 else 's'}")
    else:
        what = f"no open issue has the label {trigger.label}, so whether it exists is not seen"
        yield doubtful(what, f"Create the label {trigger.label} if issues shall be started by a label")
