"""The token: whose it is, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from coordinator.doctor.examining import Examination
from coordinator.doctor.models import Finding, Group, bad, doubtful, good
from coordinator.doctor.rehearsal import rehearse_push
from coordinator.events.text import fold
from coordinator.events.verify import ACTIONS_USER
from coordinator.forge.models import Permission
from coordinator.workspace.remote import Remote, RemoteLimits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.doctor.examining import Once
    from coordinator.doctor.subject import Subject
    from coordinator.workspace.git import Git

_LIMITS = RemoteLimits(seconds=60.0, pauses=(1.0,))
_BOT_MEND = (
    "Give the coordinator the token of an account of its own that may write, not more: the secret COORDINATOR_TOKEN "
    "and the input `token`"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the checks of the token are told."""

    subject: Subject
    git: Git
    folder: Once[Path]
    """For what git has to write."""


def token_examinations(credentials: Credentials) -> Iterator[Examination]:
    """Give the checks of the token."""
    looks = {"account": token_account, "rights": token_rights, "fetch": token_fetch, "push": token_push}
    for name, look in looks.items():
        yield Examination(Group.TOKEN, name, partial(look, credentials))


def is_job_token(subject: Subject) -> bool:
    """Whether it is the token that a runner makes for each job. Raises `NotKnown`."""
    return subject.myself.needed().id == ACTIONS_USER.get(subject.forge().kind)


def token_account(credentials: Credentials) -> Iterator[Finding]:
    """See whose token it is."""
    subject = credentials.subject
    me = subject.myself.find()
    whose = f"{me.login} (id {me.id})"
    assignee = subject.trigger.assignee
    if is_job_token(subject):
        yield doubtful(
            f"{whose}: the job's own token. Some servers let it open no pull request, and what it does starts no runs",
            _BOT_MEND,
        )
    elif fold(me.login) == fold(assignee):
        yield good(f"{whose}, the account that issues are assigned to")
    else:
        what = (
            f"{whose}, and not {assignee}, to whom issues are assigned: what {me.login} does on the forge starts no run"
        )
        yield doubtful(what, f"Use a token of {assignee}, never a person's own")


def token_rights(credentials: Credentials) -> Iterator[Finding]:
    """See what the token's account may do in the repository."""
    subject = credentials.subject
    me = subject.myself.needed()
    if is_job_token(subject):
        yield good("a job's own token has the rights that the server and the workflow's `permissions` give it")
        return
    access = subject.forge().access(me)
    if access.permission is Permission.ADMIN:
        what = f"{me.login} may administer the repository, so whoever gets at the token may as well"
        unless = "unless the coordinator has to ask what members of an organisation's teams may do"
        yield doubtful(what, f"Give {me.login} write access, not more, {unless}")
    elif access.permission is Permission.WRITE:
        yield good(access.reason)
    elif access.permission is Permission.UNKNOWN:
        yield doubtful(access.reason, access.mend)
    else:
        yield bad(access.reason, f"Give {me.login} write access to the repository")


def token_fetch(credentials: Credentials) -> Iterator[Finding]:
    """List the branches by git, as a clone would."""
    remote = Remote(credentials.subject.forge().git_remote(), credentials.git, _LIMITS)
    count = len(remote.branches())
    yield good(f"git reads the repository ({count} branch{'' if count == 1 else 'es'})")


def token_push(credentials: Credentials) -> Iterator[Finding]:
    """Begin a push and send nothing; see `rehearse_push` for what that proves."""
    rehearse_push(credentials.subject.forge().git_remote(), credentials.git, credentials.folder.needed())
    yield good("git begins a push (nothing was sent); what it may write, the rights say")
