"""Who gets in, by names and ids: accounts that are renamed, taken over, gone, built in, or that only look alike."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.run.verification import (
    ASK,
    BY_ASSIGNEES,
    NOT_ON,
    Row,
    as_admin,
    as_bot,
    asks,
    ignored,
    judge,
    listing,
    pretend,
    refused,
    starts,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.run.support import Job
    from tests.standins.forge_state import User


# Accounts that are renamed, taken over, gone or built in.


def taken_over(job: Job, token: Callable[[Job], None]) -> None:
    """Let the sender be the account that had the maintainer's login before."""
    token(job)
    asks(job, pretend("maintainer"))


def renamed(job: Job, token: Callable[[Job], None]) -> None:
    """Let the event have the login that the maintainer had when it was written."""
    token(job)
    asks(job, pretend("dev", job.maintainer.id))


def listed_login(job: Job, sender: User, *, moved: bool = False) -> None:
    listing(job, "dev")
    if moved:
        location = {"Location": f"{job.forge.api_url}/users/dev2"}
        job.forge.fail("GET .*/users/dev$", times=99, status=301, headers=location)
    asks(job, sender)


def listed_login_taken_over(job: Job) -> None:
    job.forge.add_user("dev", "read")
    listed_login(job, pretend("dev"))


def nobody(job: Job) -> None:
    listing(job, "ghost")
    job.forge.add_user("ghost")
    asks(job, pretend("ghost", -1))


ACCOUNTS: dict[str, Row] = {
    "the maintainer's login, and an older account": refused(
        lambda job: taken_over(job, as_bot), f"@maintainer may not start runs: maintainer {NOT_ON}", ASK
    ),
    "the same with an admin's token": refused(
        lambda job: taken_over(job, as_admin),
        "the login maintainer belongs to another account now (id 3, not 990)",
        ASK,
    ),
    "the maintainer's account, renamed since": starts(lambda job: renamed(job, as_bot), f"dev {BY_ASSIGNEES}"),
    "the same with an admin's token, which knows no such login": refused(
        lambda job: renamed(job, as_admin), "the forge knows no account dev", ASK
    ),
    "a listed login that another account has taken over": refused(
        listed_login_taken_over, f"@dev may not start runs: dev {NOT_ON}", ASK
    ),
    "a listed login, by the account that has it": starts(
        lambda job: listed_login(job, job.forge.add_user("dev", "read")), "(listed under allow)"
    ),
    "a listed login that redirects to a renamed account": refused(
        lambda job: listed_login(job, job.forge.add_user("dev", "read"), moved=True), f"dev {NOT_ON}", ASK
    ),
    "an account that is gone": refused(nobody, "@ghost may not start runs: no person's account", "Ask somebody"),
    "a person who is called like the built-in account": refused(
        lambda job: asks(job, pretend("gitea-actions")), "@gitea-actions may not start runs", ASK
    ),
    "a person who is called like us, nearly": refused(
        lambda job: asks(job, pretend("coord\u0131nator")), "nator may not start runs", ASK
    ),
    "a login with a line end in it": refused(
        lambda job: asks(job, pretend("dev\n::set-output")), "@dev?::set-output may not start runs", ASK
    ),
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_accounts(job: Job, name: str) -> None:
    judge(job, ACCOUNTS[name])


# Look-alikes of what makes an issue ours.


def assigned_to(job: Job, login: str) -> None:
    who = job.forge.add_user(login)
    job.forge.state.set_assignees(job.issue, [who], job.maintainer)
    job.issue_event("issues.assigned.json", sender=job.maintainer)


def labelled(job: Job, name: str) -> None:
    label = job.forge.add_label(name)
    job.forge.state.set_labels(job.issue, [label], job.maintainer)
    added = {"added_labels": [{"id": label, "name": name}], "removed_labels": None}
    job.issue_event("issues.label_updated.added.json", sender=job.maintainer, changes=added)


NAMES: dict[str, Row] = {
    **{
        f"assigned to {shown}": ignored(partial(assigned_to, login=login), "issue #1 is not assigned to @coordinator")
        for shown, login in {
            "a dotless i": "coord\u0131nator",
            "a Cyrillic o": "c\u043eordinator",
            "a space behind": "coordinator ",
            "an app": "coordinator[bot]",
        }.items()
    },
    **{
        f"labelled with {shown}": ignored(partial(labelled, name=name), "labels other than agent changed")
        for shown, name in {
            "a Cyrillic a": "\u0430gent",
            "a space behind": "agent ",
            "nothing visible in it": "ag\u200bent",
        }.items()
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_look_like_ours(job: Job, name: str) -> None:
    judge(job, NAMES[name])
